"""The examples work."""

import importlib.util


def test_step_weights_are_learned(repository):
    specification = importlib.util.spec_from_file_location(
        "learn_step_weights", repository / "examples" / "learn_step_weights.py"
    )
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    history = example.learn(steps=15, count=24)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["accuracy"][-1] >= history["accuracy"][0]
    horizontal, vertical, diagonal = history["step_weights"][-1]
    assert 0 < horizontal
    assert vertical > diagonal  # passing two target frames at once is the exception
