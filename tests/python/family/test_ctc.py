"""CTC by every sequence of classes, by torch, its variants by every path; where torch's gradient is wrong."""

import subprocess
import sys

import numpy as np
import pytest
from oracles import differences, every_model_path
from oracles.every_model_path import Setting, corner

import warplens as wl


def log_softmax(z):
    return z - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)) - z.max(-1, keepdims=True)


def sample(seed, T, K, L, repeats=False):
    generator = np.random.default_rng(seed)
    labels = generator.integers(1, 3 if repeats else K, size=L)
    return log_softmax(2 * generator.standard_normal((T, K))), labels


def collapse(states, blank):
    kept = [k for k, before in zip(states, [None, *states[:-1]], strict=True) if k != before]
    return tuple(k for k in kept if k != blank)


def test_probability_of_labels_is_the_sum_over_every_sequence_of_classes():
    # No graph at all: every sequence of classes that collapses to the labels.
    log_probs, _ = sample(1, 5, 3, 0)
    sums = {}
    for states in np.ndindex(*(3,) * 5):
        p = np.exp(sum(log_probs[n, k] for n, k in enumerate(states)))
        sums.setdefault(collapse(states, 0), []).append((p, states))
    for labels, sequences in sums.items():
        total = sum(p for p, _ in sequences)
        got = wl.ctc(log_probs, np.array(labels, int))
        assert got.value == pytest.approx(-np.log(total), rel=1e-12)
        occupancy = np.zeros((5, 3))
        for p, states in sequences:
            occupancy[range(5), states] += p / total
        np.testing.assert_allclose(got.y_mod, occupancy, atol=1e-12)
        best = max(sequences)[1]
        np.testing.assert_array_equal(got.expanded[got.path().indices[:, 1]], best)


def test_values_and_gradients_are_those_of_torch():
    torch = pytest.importorskip("torch")
    kinds = {"repeats": 0, "empty": 0, "minimal": 0, "impossible": 0}
    for seed in range(300):
        generator = np.random.default_rng(seed)
        T, K, L = int(generator.integers(1, 14)), int(generator.integers(2, 6)), int(generator.integers(0, 6))
        blank = int(generator.integers(K))
        labels = generator.integers(0, K - 1, size=L)
        labels += labels >= blank
        logits = torch.tensor(2 * generator.standard_normal((T, K)), requires_grad=True)
        log_probs = torch.log_softmax(logits, -1)
        lengths = torch.tensor([T]), torch.tensor([L])
        targets = torch.tensor(labels[np.newaxis])
        loss = torch.nn.functional.ctc_loss(log_probs[:, None], targets, *lengths, blank, "sum")
        needed = L + int((labels[1:] == labels[:-1]).sum())
        kinds["repeats"] += needed > L
        kinds["empty"] += L == 0
        kinds["minimal"] += needed == T
        if needed > T:
            kinds["impossible"] += 1
            assert loss.item() == np.inf
            with pytest.raises(wl.NoPathError, match=f"the shortest possible T is {needed}$"):
                wl.ctc(log_probs.detach().numpy(), labels, blank=blank)
            continue
        loss.backward()
        got = wl.ctc(log_probs.detach().numpy(), labels, blank=blank)
        assert got.value == pytest.approx(loss.item(), rel=1e-12, abs=1e-12)
        gradient = np.exp(log_probs.detach().numpy()) - got.y_mod
        np.testing.assert_allclose(gradient, logits.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(got.h, 1, atol=1e-12)
        np.testing.assert_array_less(1 - 1e-12, got.visits[1::2])
        between = np.flatnonzero(labels[1:] == labels[:-1])
        np.testing.assert_array_less(1 - 1e-12, got.visits[2 * between + 2])
    assert min(kinds.values()) > 15, kinds


def ctc_setting(labels, T, weights=(1, 1, 1), blank_weight=None, blank_penalty=0.0, free_between=False):
    """The graph as FAMILY defines it, cell by cell."""
    M = 2 * len(labels) + 1
    steps = []
    for k, w in enumerate(weights):
        weight, penalty = np.empty(M), np.zeros(M)
        for m in range(M):
            is_blank, label = m % 2 == 0, m // 2
            needed = is_blank and 0 < label < len(labels) and labels[label - 1] == labels[label]
            free = free_between and needed and k == 1
            weight[m] = blank_weight if is_blank and blank_weight is not None and not free else w
            penalty[m] = blank_penalty if is_blank and not free else 0
            may_skip = not is_blank and label > 0 and labels[label] != labels[label - 1]
            if k == 2 and not may_skip:
                penalty[m] = np.inf
        steps.append((1, k, weight[np.newaxis], penalty[np.newaxis]))
    entry, exit = corner(T, M, 0, 0), corner(T, M, T - 1, M - 1)
    entry[0, 0] = 0 if free_between and blank_penalty == np.inf else blank_penalty
    if M > 1:
        entry[0, 1] = exit[T - 1, M - 2] = 0
    return Setting(steps, entry, exit)


VARIANTS = [
    {},
    {"blank_penalty": 1.3},
    {"blank_penalty": -0.5},
    {"blank_weight": 2.0},
    {"blank_weight": 2.0, "free_between": True},
    {"blank_penalty": np.inf, "free_between": True},
    {"weights": (0.1, 1.0, 0.7)},
    {"weights": (0.1, 1.0, 0.7), "blank_weight": 0.5, "blank_penalty": 0.2, "free_between": True},
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("labels", [[1, 1, 2], [2, 1, 3], [1], []])
def test_variants_are_the_sum_over_every_path_of_their_graph(variant, labels):
    log_probs, _ = sample(3, 5, 4, 0)
    columns = np.zeros(2 * len(labels) + 1, int)
    columns[1::2] = labels
    truth = every_model_path.total(-log_probs[:, columns], ctc_setting(labels, 5, **variant), 0.8)
    settings = {"step_weights" if name == "weights" else name: value for name, value in variant.items()}
    if truth.value == np.inf:
        with pytest.raises(wl.NoPathError):
            wl.ctc(log_probs, labels, gamma=0.8, **settings)
        return
    got = wl.ctc(log_probs, labels, gamma=0.8, **settings)
    assert got.value == pytest.approx(truth.value, rel=1e-12)
    np.testing.assert_allclose(got.E, truth.E, atol=1e-12)
    np.testing.assert_allclose(got.H, truth.H, atol=1e-12)
    np.testing.assert_array_equal(got.expanded, columns)
    occupancy = np.zeros((5, 4))
    np.add.at(occupancy.T, columns, got.H.T)
    np.testing.assert_allclose(got.x_grad, -occupancy, atol=1e-12)
    np.testing.assert_allclose(got.y_mod * got.h[:, np.newaxis], occupancy, atol=1e-12)
    slopes = differences.gradient(
        lambda z: wl.ctc(log_softmax(z), labels, gamma=0.8, **settings).value, log_probs
    )
    h = got.h[:, np.newaxis]
    np.testing.assert_allclose(slopes, h * (np.exp(log_probs) - got.y_mod), atol=1e-8)


def test_priors_are_subtracted_and_torch_gives_another_gradient_than_that_of_the_value():
    torch = pytest.importorskip("torch")
    log_probs, labels = sample(4, 9, 5, 3)
    priors = np.log([0.5, 0.1, 0.1, 0.2, 0.1])
    got = wl.ctc(log_probs, labels, log_priors=priors, prior_scale=0.7)
    slopes = differences.gradient(
        lambda z: wl.ctc(log_softmax(z), labels, log_priors=priors, prior_scale=0.7).value, log_probs
    )
    np.testing.assert_allclose(slopes, np.exp(log_probs) - got.y_mod, atol=1e-8)
    np.testing.assert_allclose(got.h, 1, atol=1e-12)
    logits = torch.tensor(log_probs, requires_grad=True)
    shifted = torch.log_softmax(logits, -1) - 0.7 * torch.tensor(priors)
    sizes = torch.tensor([9]), torch.tensor([3])
    loss = torch.nn.functional.ctc_loss(shifted[:, None], torch.tensor(labels[None]), *sizes, reduction="sum")
    loss.backward()
    assert got.value == pytest.approx(loss.item(), rel=1e-12)
    assert np.abs(logits.grad.numpy() - slopes).max() > 0.05


def test_a_probability_of_zero_has_a_gradient_where_that_of_torch_is_not_a_number():
    torch = pytest.importorskip("torch")
    log_probs, labels = sample(5, 6, 4, 2)
    log_probs[2, labels[0]] = -np.inf
    log_probs = log_softmax(log_probs)
    got = wl.ctc(log_probs, labels)
    assert got.y_mod[2, labels[0]] == 0
    np.testing.assert_allclose(got.y_mod.sum(axis=1), 1, atol=1e-12)
    scores = torch.tensor(log_probs, requires_grad=True)
    sizes = torch.tensor([6]), torch.tensor([2])
    torch.nn.functional.ctc_loss(
        scores[:, None], torch.tensor(labels[None]), *sizes, reduction="sum"
    ).backward()
    assert np.isnan(scores.grad.numpy()).any()


def test_equal_labels_in_two_sure_frames_have_no_path():
    # A forbidden skip of finite weight would let "aa" pass two frames at no cost.
    log_probs = np.log([[0.0, 1.0], [0.0, 1.0]], where=np.eye(2)[[1, 1]] > 0, out=np.full((2, 2), -np.inf))
    with pytest.raises(wl.NoPathError, match="2 frames are fewer than 2 labels and 1 blanks"):
        wl.ctc(log_probs, [1, 1])


def test_the_multiplicative_blank_weight_is_not_the_penalty():
    log_probs, labels = sample(6, 8, 4, 2)
    dearer = wl.ctc(log_probs, labels, blank_penalty=2.0)
    lowered = log_probs - [2.0, 0, 0, 0]
    with pytest.warns(UserWarning, match="not to 1"):
        same = wl.ctc(lowered, labels)
    assert dearer.value == pytest.approx(same.value, rel=1e-12)
    np.testing.assert_allclose(dearer.y_mod, same.y_mod, atol=1e-12)


def test_float32_is_exact_over_many_frames():
    log_probs, labels = sample(7, 3000, 20, 300)
    double = wl.ctc(log_probs, labels)
    single = wl.ctc(log_probs.astype(np.float32), labels)
    assert single.y_mod.dtype == np.float32
    assert single.value == pytest.approx(double.value, rel=1e-6)
    np.testing.assert_allclose(single.y_mod, double.y_mod, atol=3e-5)
    np.testing.assert_allclose(double.h, 1, atol=1e-11)


# VmHWM is of the process alone; ru_maxrss of a child starts at the size of its parent.
LONG = """
import pathlib
import numpy as np, warplens as wl
def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
generator = np.random.default_rng(0)
log_probs = generator.standard_normal((20_000, 30), np.float32)
log_probs -= np.log(np.exp(log_probs).sum(1, keepdims=True))
before = peak()
got = wl.ctc(log_probs, generator.integers(1, 30, 2000))
assert abs(got.h - 1).max() < 1e-6 and np.isfinite(got.value)
assert abs(got.y_mod.sum(1) - 1).max() < 1e-5 and got.visits[1::2].min() > 1 - 1e-5
print(peak() - before)
"""


def test_twenty_thousand_frames_and_two_thousand_labels_fit_a_tenth_of_a_gigabyte():
    run = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 100


def test_bad_input_names_the_argument_and_the_remedy():
    log_probs, labels = sample(8, 6, 4, 2)
    refused = [
        ({"labels": [1, 4]}, ValueError, r"labels: is 4 at index 1; classes from 0 to 3 are accepted"),
        ({"labels": [-1]}, ValueError, "labels: is -1 at index 0"),
        ({"labels": [1, 0]}, ValueError, "labels: is 0 at index 1; labels that differ from the blank"),
        ({"labels": [1.5]}, TypeError, "labels: has dtype float64; whole numbers"),
        ({"labels": [[1]]}, ValueError, r"labels: has shape \(1, 1\)"),
        ({"blank": 4}, ValueError, "blank: is 4; a class from 0 to 3"),
        ({"log_probs": log_probs[0]}, ValueError, r"log_probs: has shape \(4,\)"),
        ({"log_probs": log_probs[:0]}, ValueError, "log_probs: has shape"),
        ({"log_probs": np.full((3, 4), np.nan)}, ValueError, "log_probs: is nan at index"),
        ({"log_probs": np.full((3, 4), np.inf)}, ValueError, "log_probs: is inf at index"),
        ({"blank_weight": -1.0}, ValueError, "blank_weight: is -1"),
        ({"blank_weight": np.inf}, ValueError, "blank_weight: is inf"),
        ({"blank_penalty": -np.inf}, ValueError, "blank_penalty: is -inf"),
        ({"blank_penalty": np.nan}, ValueError, "blank_penalty: is nan"),
        ({"blank_penalty": "1"}, TypeError, "blank_penalty: is '1'"),
        ({"step_weights": (1, 1)}, ValueError, "step_weights: has 2 entries"),
        ({"step_weights": (1, -1, 1)}, ValueError, "step_weights: is -1"),
        ({"log_priors": [0.0]}, ValueError, r"log_priors: has shape \(1,\)"),
        ({"log_priors": [0.0, 0, 0, -np.inf]}, ValueError, "log_priors: is -inf at index 3"),
        ({"prior_scale": -1}, ValueError, "prior_scale: is -1"),
        ({"gamma": -1}, ValueError, "gamma: is -1"),
        ({"free_between": "yes"}, TypeError, "free_between"),
    ]
    for changed, error, message in refused:
        with pytest.raises(error, match=message):
            wl.ctc(**{"log_probs": log_probs, "labels": labels, **changed})
    with pytest.raises(ValueError, match="y_grad: the targets are classes"):
        _ = wl.ctc(log_probs, labels).y_grad
    with pytest.raises(ValueError, match="step_weights: the alignment has steps of its own"):
        _ = wl.ctc(log_probs, labels).step_weights
