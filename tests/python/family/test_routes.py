"""The frame-synchronous kernel against the general one, which takes every setting."""

import numpy as np
import pytest

import warplens as wl
from warplens.family.frame_synchronous import LabelSource
from warplens.family.sources import ClassSource

NUMBERS = ("value", "entropy", "gamma_grad")
ARRAYS = ("h", "H", "E", "H_tilde", "y_mod", "x_grad", "visits", "begin", "end", "step_posteriors")
GRADIENTS = ("step_penalties_grad", "step_weights_grad")
OF_MATCHES = ("h", "H", "E", "H_tilde", "y_mod", "x_grad", "y_grad", "visits")


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def both(monkeypatch, call):
    """Return the alignment by its own route and by the general kernel, as two functions of a name."""
    by_kernel = call()
    with monkeypatch.context() as patched:
        patched.setattr(LabelSource, "goes_by_kernel", lambda *_: False)
        general = call()

    def of_general(name):
        with monkeypatch.context() as patched:
            patched.setattr(LabelSource, "goes_by_kernel", lambda *_: False)
            return getattr(general, name)

    return lambda name: getattr(by_kernel, name), of_general


def assert_same(ours, general, names, atol):
    for name in names:
        expected, got = general(name), ours(name)
        if isinstance(expected, tuple):
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=atol, atol=atol, err_msg=name)
            continue
        scale = max(1.0, float(np.abs(expected).max())) if np.size(expected) else 1.0
        assert np.shape(got) == np.shape(expected)
        assert np.asarray(got).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol * scale, err_msg=name)


def random_ctc(seed, dtype):
    generator = np.random.default_rng(seed)
    K, L = int(generator.integers(2, 9)), int(generator.integers(0, 40))
    blank = int(generator.integers(K))
    labels = generator.integers(0, min(K - 1, 3), size=L)
    labels += labels >= blank
    needed = L + int((labels[1:] == labels[:-1]).sum())
    T = max(1, needed + int(generator.choice([0, 1, 30, 90])))
    scores = log_softmax(generator.choice([0.3, 3.0, 20.0]) * generator.standard_normal((T, K)))
    if generator.random() < 0.3:
        scores = np.where(generator.random((T, K)) < 0.02, -np.inf, scores)
    settings = {
        "blank": blank,
        "gamma": float(generator.choice([0.2, 1.0, 5.0])),
        "blank_penalty": float(generator.choice([0.0, 0.7, -0.3, np.inf], p=[0.4, 0.25, 0.25, 0.1])),
        "blank_weight": [None, 2.0, 0.3, 0.0][generator.integers(4)],
        "free_between": bool(generator.integers(2)),
        "log_priors": generator.standard_normal(K) if generator.integers(2) else None,
        "prior_scale": 0.6,
    }
    return scores.astype(dtype), labels, settings


@pytest.mark.filterwarnings("ignore:log_probs")
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-9), (np.float32, 3e-5)])
def test_ctc_is_the_same_by_both(monkeypatch, dtype, atol):
    kinds = {"no path": 0, "forbidden": 0, "weighted": 0, "free": 0}
    for seed in range(60):
        scores, labels, settings = random_ctc(seed, dtype)
        try:
            ours, general = both(monkeypatch, lambda: wl.ctc(scores, labels, **settings))  # noqa: B023
        except wl.NoPathError:
            kinds["no path"] += 1
            continue
        kinds["forbidden"] += bool(np.isneginf(scores).any())
        kinds["weighted"] += settings["blank_weight"] is not None
        kinds["free"] += settings["free_between"]
        assert_same(ours, general, (*NUMBERS, *ARRAYS, *GRADIENTS), atol)
        a, b = ours("path")(), general("path")()
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.steps, b.steps)
        assert a.value == b.value
    assert min(kinds.values()) > 4, kinds


@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-9), (np.float32, 3e-5)])
@pytest.mark.parametrize("blank_logprob", [None, -1.0])
def test_forward_sum_is_the_same_by_both(monkeypatch, dtype, atol, blank_logprob):
    for seed, (N, M) in enumerate([(1, 1), (40, 40), (90, 33), (200, 17)]):
        log_probs = log_softmax(np.random.default_rng(seed).standard_normal((N, M))).astype(dtype)
        prior = wl.beta_binomial_prior(N, M).astype(dtype)
        ours, general = both(
            monkeypatch,
            lambda: wl.forward_sum(log_probs, prior=prior, gamma=0.7, blank_logprob=blank_logprob),  # noqa: B023
        )
        assert_same(ours, general, (*NUMBERS, *ARRAYS, *GRADIENTS), atol)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-9), (np.float32, 3e-5)])
@pytest.mark.parametrize("encoding", ["we", "ne3", "ne2"])
def test_multi_label_ctc_is_the_same_by_both(monkeypatch, dtype, atol, encoding):
    generator = np.random.default_rng(5)
    y = generator.integers(0, 2, (30, 3))
    y[:, 0] |= ~y.any(axis=1)
    shape = {"we": (4, 2), "ne3": (3, 3), "ne2": (3, 2)}[encoding]
    log_probs = log_softmax(generator.standard_normal((90, *shape))).astype(dtype)
    ours, general = both(
        monkeypatch, lambda: wl.multi_label_ctc(log_probs, y, encoding=encoding, blank_penalty=0.3, gamma=0.8)
    )
    assert_same(ours, general, (*NUMBERS, *ARRAYS, *GRADIENTS), atol)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-9), (np.float32, 3e-5)])
@pytest.mark.parametrize("cost", ["mse", "cosine", "l1"])
def test_drop_dtw_is_the_same_by_both_and_as_steps_with_penalties(monkeypatch, dtype, atol, cost):
    generator = np.random.default_rng(6)
    x, y = generator.random((70, 3)).astype(dtype), generator.random((20, 3)).astype(dtype)
    drops = generator.random(70)
    drops[7] = np.inf
    ours, general = both(monkeypatch, lambda: wl.drop_dtw(x, y, drops, gamma=0.1, cost=cost))
    names = OF_MATCHES if cost == "mse" else [name for name in OF_MATCHES if name != "y_mod"]
    assert_same(ours, general, (*NUMBERS, *names, *GRADIENTS), atol)
    np.testing.assert_array_equal(ours("path")().indices, general("path")().indices)
    # The same graph in other words: weights 0 on drops, whose cost is a penalty.
    targets = np.repeat(y, 2, axis=0)[[0, *range(39), 39]]
    matches = (np.arange(41) % 2 == 1)[np.newaxis].astype(float)
    penalty = np.where(matches > 0, 0.0, drops[:, np.newaxis])
    into_targets = np.where(matches > 0, penalty, np.inf)
    entry, exit = np.full((70, 41), np.inf), np.full((70, 41), np.inf)
    entry[0, :2], exit[-1, -2:] = penalty[0, :2], 0.0
    steps = [wl.Step(1, 0, matches, penalty), wl.Step(1, 1, matches, penalty)]
    steps.append(wl.Step(1, 2, matches, into_targets))
    same = wl.align_costs(
        wl.cost_matrix(x, targets, cost=cost, dtype=np.float64),
        gamma=0.1,
        steps=steps,
        entry=entry,
        exit=exit,
        entry_weight=matches,
    )
    assert ours("value") == pytest.approx(same.value, rel=atol)
    np.testing.assert_allclose(ours("H"), same.H[:, 1::2], atol=atol)
    np.testing.assert_allclose(ours("h"), same.h, atol=atol)


def test_long_items_are_the_same_by_both(monkeypatch):
    generator = np.random.default_rng(7)
    log_probs = log_softmax(2 * generator.standard_normal((1200, 12)))
    labels = generator.integers(1, 12, 120)
    ours, general = both(monkeypatch, lambda: wl.ctc(log_probs, labels))
    assert_same(ours, general, (*NUMBERS, "h", "H", "E", "y_mod", "x_grad", "visits"), 1e-9)


PRESETS = {
    "ctc": lambda **settings: wl.ctc(log_softmax(np.ones((9, 4))), [1, 1, 3], **settings),
    "forward_sum": lambda **settings: wl.forward_sum(log_softmax(np.ones((9, 4))), **settings),
    "with a blank": lambda **settings: wl.forward_sum(np.zeros((9, 4)), blank_logprob=-1.0, **settings),
    "multi_label_ctc": lambda **settings: wl.multi_label_ctc(
        log_softmax(np.ones((9, 3, 2))), [[1, 0]], **settings
    ),
    "drop_dtw": lambda **settings: wl.drop_dtw(np.ones((9, 2)), np.ones((3, 2)), 1.0, **settings),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_general_kernel_is_left_alone_but_for_what_it_alone_gives(monkeypatch, preset):
    asked = []
    run = ClassSource.run

    def counted(source, model, outputs):
        asked.extend(outputs)
        return run(source, model, outputs)

    monkeypatch.setattr(ClassSource, "run", counted)
    alignment = PRESETS[preset]()
    for name in ("value", "h", "H", "E", "y_mod", "x_grad", "visits", "entropy", "gamma_grad"):
        getattr(alignment, name)
    assert asked == []
    alignment.path()
    assert asked == ["path"]
    PRESETS[preset](gamma=0.0)
    assert len(asked) > 1


@pytest.mark.parametrize(
    "settings", [{"step_weights": (1.0, 0.5, 1.0)}, {"gamma": 0.0}, {"gamma": 1e25}, {"blank_weight": 0.0}]
)
def test_settings_that_the_kernel_does_not_take_go_by_the_general_one(monkeypatch, settings):
    monkeypatch.setattr(wl._core, "frame_synchronous_padded", lambda *_, **__: pytest.fail("taken"))
    assert np.isfinite(PRESETS["ctc"](**settings).y_mod).all()


def test_costs_beyond_the_range_of_the_kernel_are_no_missing_path():
    # 1e15 nats a frame; without a path the kernel gives +inf, too.
    log_probs = np.array([[-1e15, -1.0], [-1.0, -1e15], [-1e15, -1.0]])
    with pytest.warns(UserWarning, match="not to 1"):
        alignment = wl.ctc(log_probs, [1, 1])
    assert alignment.value == pytest.approx(3.0)
    log_probs[:, 0] = -1e16
    with pytest.warns(UserWarning, match="not to 1"):
        alignment = wl.ctc(log_probs, [1, 1])
    assert alignment.value == pytest.approx(1e16, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", [1e5, 1e7, 1e15])
def test_priors_of_any_size_are_paid_in_full(dtype, cost):
    # Each label is paid once, and the blank takes the rest.
    log_probs = np.log(np.full((6, 3), 1 / 3, dtype))
    alignment = wl.ctc(log_probs, [1, 2], log_priors=[0.0, cost, 0.0])
    expected = wl.ctc(log_probs, [1, 2], log_priors=[0.0, 1e3, 0.0])
    assert alignment.value - expected.value == pytest.approx(cost - 1e3, rel=1e-6)
