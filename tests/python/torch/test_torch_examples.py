"""The examples work."""

import importlib.util


def test_step_weights_are_learned(repository):
    specification = importlib.util.spec_from_file_location(
        "learn_step_weights", repository / "examples" / "learn_step_weights.py"
    )
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    first, *_, last = example.learn(steps=20)
    assert (first["gamma"], first["w_h"], first["w_v"]) == (1.0, 1.0, 1.0)
    assert last["loss"] < 0.5 * first["loss"]
    assert last["others"] < 0.5 * first["others"]
    assert last["w_v"] > last["w_h"]  # to pass two targets within a frame is the exception
    assert min(last["gamma"], last["w_h"], last["w_v"]) > 0.0
