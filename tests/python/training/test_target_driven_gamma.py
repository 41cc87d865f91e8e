"""A gamma that falls only when the modified targets ask for it."""

import json
import math

import numpy as np
import pytest
import torch
from probe_items import probe, probes
from torch import nn

import warplens.torch as wlt
from warplens.training import Probe, Probes, TargetDrivenGamma, inspect_targets
from warplens.training.limits import Limits

LIMIT = 0.9


def scheduled(some, start=10.0, end=0.05, **options):
    loss = wlt.SoftDTWLoss("bce_logits", 1.0, (0.1, 1.0, 1.0))
    options = {"every": 1, "patience": 0, "least_short_peak": LIMIT, **options}
    return loss, TargetDrivenGamma(loss, some, start, end, **options)


def share_of_the_same(now, then, limits):
    """How far the events that are the shortest quarter now would come."""
    durations, peaks = (
        np.concatenate([getattr(each.levels, name) for each in result.targets])
        for result, name in ((now, "duration"), (then, "peak"))
    )
    short = durations <= np.quantile(durations, 0.25) * (1 + 1e-6) + 1e-6
    share = peaks[short].mean() / limits.least_short_peak
    if limits.most_blur is not None:
        share = min(share, limits.most_blur / then.measures["blur"])
    return share


def set_confidence(some, confidence):
    with torch.no_grad():
        some.model.confidence.fill_(confidence)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", [{}, {"most_blur": 2.0}, {"patience": 2}, {"factor": 0.3, "patience": 1}])
def test_it_never_rises_and_moves_only_for_its_reasons(seed, options):
    """Whatever the network does: each move has all three reasons, told by an inspection of our own."""
    generator = np.random.default_rng(seed)
    some = probes(seed, seed + 10, noise=float(generator.uniform(0, 6)))
    loss, schedule = scheduled(some, **options)
    limits = Limits(LIMIT, options.get("most_blur"))
    shares = []
    for _ in range(40):
        set_confidence(some, generator.uniform(0.0, 1.5))
        before, told = loss.gamma.item(), len(schedule.log)
        now = inspect_targets(loss, some, gamma=before)
        share = limits.share_kept(now)
        schedule.step()
        after = loss.gamma.item()
        assert after == schedule.get_last_gamma()
        assert (after < before) == (len(schedule.log) > told)
        shares.append(share)
        if after == before:
            continue
        assert after == max(before * options.get("factor", 0.5), 0.05)
        assert share < 1
        then = inspect_targets(loss, some, gamma=after)
        assert share_of_the_same(now, then, limits) > share
        assert then.measures["kept"] >= now.measures["kept"]
        patience = options.get("patience", 0)
        assert len(shares) > patience
        assert patience == 0 or max(shares[-patience:]) <= max(shares[:-patience]) * 1.02
        assert f"gamma {before:.4g} -> {after:.4g}" in schedule.log[-1]
        shares = []
    assert loss.gamma.item() <= 10.0


def test_it_stays_while_the_limits_are_kept():
    some = probes(0, 1, confidence=1.0)
    loss, schedule = scheduled(some, start=0.1)
    assert inspect_targets(loss, some).measures["short_event_peak"] > LIMIT
    for _ in range(10):
        schedule.step()
    assert loss.gamma.item() == 0.1
    assert schedule.log == []
    assert "within the limits" in schedule.last_reason


def test_it_falls_until_the_limits_are_kept():
    some = probes(0, 1, 2, confidence=1.0)
    loss, schedule = scheduled(some, start=10.0)
    assert inspect_targets(loss, some).measures["short_event_peak"] < LIMIT
    for _ in range(20):
        schedule.step()
    assert inspect_targets(loss, some).measures["short_event_peak"] >= LIMIT
    assert inspect_targets(loss, some, gamma=2 * loss.gamma.item()).measures["short_event_peak"] < LIMIT
    assert len(schedule.log) == round(math.log2(10.0 / loss.gamma.item()))
    assert all(sentence.startswith("Step ") and sentence.endswith(".") for sentence in schedule.log)


def test_it_waits_while_targets_get_better_by_themselves():
    some = probes(0, 1, 2)
    loss, schedule = scheduled(some, start=10.0, patience=2, least_gain=0.0)
    for confidence in np.linspace(0.4, 1.0, 12):
        set_confidence(some, confidence)
        schedule.step()
        assert loss.gamma.item() == 10.0
    assert "may still get better" in schedule.last_reason
    for _ in range(2):
        schedule.step()
    assert loss.gamma.item() == 5.0


def test_it_inspects_every_so_many_steps_only():
    asked = []
    items = [probe(0)]

    def predict(inputs):
        asked.append(schedule.last_step)
        return inputs

    some = Probes(nn.Identity(), items, predict=predict)
    _, schedule = scheduled(some, every=5)
    for _ in range(21):
        schedule.step()
    assert asked == [5, 10, 15, 20]


def test_it_stops_at_the_end():
    some = probes(0, confidence=0.0)
    loss, schedule = scheduled(some, start=1.0, end=0.3, least_short_peak=2.0)
    for _ in range(10):
        schedule.step()
    assert loss.gamma.item() >= 0.3
    good = probes(0)
    loss, schedule = scheduled(good, start=40.0, end=25.0, least_short_peak=2.0)
    for _ in range(10):
        schedule.step()
    assert loss.gamma.item() == 25.0
    assert "lowest allowed" in schedule.last_reason


@pytest.mark.parametrize("stop", [0, 3, 7, 12])
def test_resumed_is_as_uninterrupted(stop, tmp_path):
    confidences = np.random.default_rng(0).uniform(0.2, 1.2, 24)
    some = probes(0, 1, noise=2.0)

    def run(schedule, steps):
        for confidence in steps:
            set_confidence(some, confidence)
            schedule.step()

    loss, schedule = scheduled(some, start=5.0, patience=1, every=2)
    run(schedule, confidences[:stop])
    torch.save(schedule.state_dict(), tmp_path / "state.pt")
    run(schedule, confidences[stop:])
    later_loss, later = scheduled(some, start=1.0, patience=5)
    later.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(later, confidences[stop:])
    assert later_loss.gamma == loss.gamma
    assert later.state_dict() == schedule.state_dict()
    assert schedule.log


@pytest.mark.parametrize("seed", range(10))
def test_gamma_falls_where_each_short_event_gains_by_it(seed):
    """A lower gamma finds other events short, of lower peaks; that each gains must count all the same."""
    torch.manual_seed(seed)
    strong = torch.eye(12).repeat_interleave(torch.tensor([12, 1, 6] * 4), dim=0)
    spectra, network = strong + 0.3 * torch.randn(strong.shape), nn.Linear(12, 12)
    loss, optimizer = wlt.SoftDTWLoss("bce_logits"), torch.optim.Adam(network.parameters(), lr=0.05)
    some = Probes(network, [Probe("first", spectra, torch.eye(12).numpy(), strong.numpy())])
    schedule = TargetDrivenGamma(loss, some, start=10.0, end=0.1, every=20)
    first = inspect_targets(loss, some).measures["predictions_f_measure"]
    for _ in range(300):
        loss(network(spectra), torch.eye(12)).backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    last = inspect_targets(loss, some).measures
    assert loss.gamma.item() <= 2.5
    assert last["short_event_peak"] > 0.7
    assert last["predictions_f_measure"] > 2 * first


def test_numbers_of_numpy_are_kept_as_plain_ones(tmp_path):
    _, schedule = scheduled(
        probes(0),
        start=np.float64(4.0),
        end=np.float32(0.5),
        every=np.int64(2),
        patience=np.int32(1),
        least_short_peak=np.float64(0.9),
        most_blur=np.float64(3.0),
        threshold=np.float32(0.5),
        factor=np.float64(0.5),
    )
    for _ in range(6):
        schedule.step()
    state = schedule.state_dict()
    assert json.loads(json.dumps(state)) == state
    torch.save(state, tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True) == state


def test_a_state_does_not_change_after_it_was_taken():
    some = probes(0)
    _, schedule = scheduled(some, start=5.0)
    state = schedule.state_dict()
    schedule.step()
    assert schedule.log
    assert state["log"] == []


def test_a_network_that_diverged_moves_nothing():
    some = probes(0, confidence=math.nan)
    loss, schedule = scheduled(some)
    for _ in range(3):
        schedule.step()
    assert loss.gamma.item() == 10.0
    assert "piece 0 not finite" in schedule.last_reason


def test_bad_input_names_what_is_wrong():
    some = probes(0)
    cases = [
        ({"start": 0.0}, r"start: is 0\.0; .* above 0"),
        ({"start": 1.0, "end": 2.0}, r"end: is 2\.0, above start"),
        ({"factor": 1.0}, r"factor: is 1\.0; .* below 1"),
        ({"every": 0}, r"every: is 0"),
        ({"patience": -1}, r"patience: is -1"),
        ({"most_blur": 0.0}, r"most_blur: is 0"),
        ({"least_short_peak": math.nan}, r"least_short_peak: is nan"),
        ({"least_gain": -0.1}, r"least_gain: is -0\.1"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            scheduled(some, **options)
    for options, message in (
        ({"every": 2.5}, r"every: is 2\.5; a whole number"),
        ({"start": "10"}, r"start: is '10'; a number"),
        ({"patience": True}, r"patience: is True"),
    ):
        with pytest.raises(TypeError, match=message):
            scheduled(some, **options)
    silent = Probes(nn.Identity(), [Probe("silence", torch.zeros(5, 3), np.zeros((1, 3)))])
    with pytest.raises(ValueError, match=r"probes: .* hold no event"):
        scheduled(silent)
    with pytest.raises(ValueError, match=r"nn\.Parameter"):
        TargetDrivenGamma(wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(1.0))), some)
    with pytest.raises(ValueError, match=r"loss: its cost 'l1'"):
        TargetDrivenGamma(wlt.SoftDTWLoss("l1"), some)
