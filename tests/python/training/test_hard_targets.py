"""Labels by the hard path."""

import numpy as np
import pytest
import torch

import warplens as wl
import warplens.torch as wlt
from warplens.training import hard_targets, unfold

LENGTHS = ([20, 13, 6], [5, 7, 6])


def batch(seed=0, B=3, N=20, M=7, D=4):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(B, N, D, generator=generator) * 0.8 + 0.1
    return x, (torch.rand(B, M, D, generator=generator) > 0.5).float()


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (1, 0.2, 1)])
def test_every_frame_has_the_maximum_of_the_targets_on_the_path(weights):
    x, y = batch()
    result = hard_targets(x, y, *LENGTHS, cost="bce", step_weights=weights)
    assert result.dtype == x.dtype
    for b, (n, m) in enumerate(zip(*LENGTHS, strict=True)):
        path = wl.hard_dtw(x[b, :n].numpy(), y[b, :m].numpy(), cost="bce", step_weights=weights).indices
        for frame in range(n):
            passed = path[path[:, 0] == frame, 1]
            assert torch.equal(result[b, frame], y[b, passed].max(dim=0).values)
        assert not result[b, n:].any()


def test_without_vertical_steps_it_is_expand():
    strong = np.repeat(np.eye(5, dtype=np.float32), [3, 1, 4, 2, 6], axis=0)
    weak, durations = wl.collapse_repeats(strong)
    x = torch.from_numpy(0.1 + 0.8 * strong)
    result = hard_targets(x, torch.from_numpy(weak), cost="bce")
    assert np.array_equal(result.numpy(), wl.expand(weak, durations))


def test_no_event_is_without_a_frame():
    # Steps to the next target that cost next to nothing: the path passes many in one frame.
    x, y = batch(seed=3)
    result = hard_targets(x, y, cost="bce", step_weights=(1, 0.01, 1))
    assert torch.equal(result.amax(dim=1), y.amax(dim=1))


def test_one_pair_is_a_batch_of_one():
    x, y = batch()
    together = hard_targets(x[:1], y[:1], [13], [4])
    assert torch.equal(hard_targets(x[0], y[0], 13, 4), together[0])
    assert torch.equal(hard_targets(x[0], y[0]), hard_targets(x[:1], y[:1])[0])


def test_padding_is_never_read_and_no_gradient_flows():
    x, y = batch()
    expected = hard_targets(x, y, *LENGTHS)
    for b, (n, m) in enumerate(zip(*LENGTHS, strict=True)):
        x[b, n:], y[b, m:] = torch.nan, torch.nan
    result = hard_targets(x.requires_grad_(), y, *LENGTHS)
    assert torch.equal(result, expected)
    assert not result.requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_dtype_is_that_of_the_predictions(dtype):
    x, y = batch()
    assert hard_targets(x.to(dtype), y, cost="mse").dtype == dtype


def test_relabelling_and_training_in_turn_learns():
    """The baseline as it is meant, from a flat start: targets that last equally long."""
    generator = torch.Generator().manual_seed(0)
    strong = torch.repeat_interleave(torch.eye(4), torch.tensor([9, 5, 12, 7]), dim=0)
    frames = strong @ torch.randn(4, 8, generator=generator) + 0.3 * torch.randn(33, 8, generator=generator)
    network = torch.nn.Linear(8, 4)
    with torch.no_grad():
        network.weight.normal_(0, 0.1, generator=generator)
        network.bias.zero_()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    flat = torch.from_numpy(unfold(np.eye(4, dtype=np.float32), 33))
    labels = flat
    for _ in range(8):
        for _ in range(10):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(network(frames), labels).backward()
            optimizer.step()
        labels = hard_targets(network(frames), torch.eye(4), cost="bce_logits")
    assert (flat != strong).any()
    assert torch.equal(labels, strong)


def test_bad_input_names_what_is_wrong():
    x, y = batch()
    with pytest.raises(ValueError, match=r"x, y: shapes \(3, 20, 4\) and \(2, 7, 4\)"):
        hard_targets(x, y[:2])
    with pytest.raises(ValueError, match=r"y_lengths: is \[7, 8, 1\]"):
        hard_targets(x, y, None, [7, 8, 1])
    with pytest.raises(TypeError, match=r"cost: is a DiagonalPrior.* give the name of its cost"):
        hard_targets(x, y, cost=wlt.DiagonalPrior("mse", 1.0))
    x[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match=r"pair 1: x: "):
        hard_targets(x, y)
