"""A gamma that falls as far as the predictions carry it."""

import json
import math
import re

import numpy as np
import pytest
import torch
from probe_items import piece, probe, probes
from torch import nn

import warplens as wl
import warplens.torch as wlt
from warplens.training import Probe, Probes, TargetDrivenGamma, contrast, inspect_targets

LIMIT, WEIGHTS = 0.9, (0.1, 1.0, 1.0)


def scheduled(some, start=10.0, end=0.05, **options):
    loss = wlt.SoftDTWLoss("bce_logits", 1.0, WEIGHTS)
    return loss, TargetDrivenGamma(
        loss, some, start, end, **{"every": 1, "least_short_peak": LIMIT, **options}
    )


def set_confidence(some, confidence):
    with torch.no_grad():
        some.model.confidence.fill_(confidence)


def given(*pairs):
    """Probes whose predictions are what is given: (logits (N,D), strong target (N,D))."""
    items = [
        Probe(str(k), torch.as_tensor(logits, dtype=torch.float32), wl.collapse_repeats(strong).y, strong)
        for k, (logits, strong) in enumerate(pairs)
    ]
    return Probes(nn.Identity(), items, predict=lambda logits: logits)


def noise(seed, strong):
    return np.random.default_rng(seed).standard_normal(strong.shape)


def of_the_same(now, then):
    """Mean peak that the events that are the shortest quarter now would reach."""
    durations, peaks = (
        np.concatenate([getattr(each.levels, name) for each in result.targets])
        for result, name in ((now, "duration"), (then, "peak"))
    )
    return peaks[durations <= np.quantile(durations, 0.25) * (1 + 1e-6) + 1e-6].mean()


def gamma_by_hand(loss, some, gamma, end, factor, most_blur):
    """Gamma after an inspection, by the rule as it is described."""

    def share(now, then, same):
        peak = of_the_same(now, then) if same else then.measures["short_event_peak"]
        blur = math.inf if most_blur is None else most_blur / then.measures["blur"]
        return min(peak / LIMIT, blur)

    now = reached = inspect_targets(loss, some, gamma=gamma)
    knows = contrast(loss, some) >= 0.25
    while knows and share(reached, reached, False) < 1 and gamma > end:
        lower = max(gamma * factor, end)
        then = inspect_targets(loss, some, gamma=lower)
        if not (
            share(now, then, True) > share(now, reached, True)
            and then.measures["kept"] >= reached.measures["kept"]
        ):
            break
        reached, gamma = then, lower
    return gamma


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", [{}, {"most_blur": 2.0}, {"factor": 0.3}])
def test_it_never_rises_and_falls_as_its_rule_says(seed, options):
    """Whatever the network does."""
    generator = np.random.default_rng(seed)
    some = probes(seed, seed + 10, noise=float(generator.uniform(0, 6)))
    set_confidence(some, generator.uniform(0.0, 0.5))
    loss, schedule = scheduled(some, **options)
    before, told = 10.0, 0
    for _ in range(5):
        after = loss.gamma.item()
        assert after == schedule.get_last_gamma()
        by_hand = gamma_by_hand(
            loss, some, before, 0.05, options.get("factor", 0.5), options.get("most_blur")
        )
        assert after == pytest.approx(by_hand)
        assert after <= before
        assert (after < before) == (len(schedule.log) > told)
        verb = f"{before:.4g} -> {after:.4g}" if after < before else f"stays {before:.4g}"
        assert f"gamma {verb}: " in schedule.last_reason
        before, told = after, len(schedule.log)
        set_confidence(some, generator.uniform(0.0, 1.5))
        schedule.step()


@pytest.mark.parametrize("seed", range(6))
def test_predictions_that_know_are_taught_at_once_as_by_the_lowest_gamma(seed):
    """The start at which waiting costs."""
    pieces = [piece(10 * seed + k, n_events=20) for k in range(3)]
    some = given(*((4.0 * roll - 3.0 + 0.5 * noise(seed + k, roll), roll) for k, roll in enumerate(pieces)))
    loss, schedule = scheduled(some, end=0.1, factor=0.316, least_short_peak=2.0)
    high, low, chosen = (inspect_targets(loss, some, gamma=gamma).measures for gamma in (10.0, 0.1, None))
    assert high["kept"] < 0.5
    assert chosen["kept"] >= low["kept"] > high["kept"]
    assert schedule.log == [schedule.last_reason]
    assert schedule.last_reason.startswith("Step 0: gamma 10 -> ")
    assert loss.gamma.item() < 1.0


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_on_predictions_that_know_nothing_gamma_stays_high(bias):
    """Noise is sharpened all the same, were it not asked what the predictions know.

    To know how often a feature occurs is not enough.
    """
    falls = 0
    for seed in range(20):
        strong = piece(seed)
        known = bias * (np.arange(strong.shape[1]) == 0) - bias / 2
        some = given((known + noise(seed, strong), strong))
        falls += scheduled(some, end=0.1, least_contrast=0.0)[0].gamma.item() < 10.0
        loss, schedule = scheduled(some, end=0.1)
        assert loss.gamma.item() == 10.0
        assert re.search(r"gamma stays 10: .* rise by only -?0\.\d+ .*\(limit 0\.25\)", schedule.last_reason)
    assert falls > 5


def test_where_low_gammas_lose_events_gamma_stays_until_predictions_are_better():
    """Frames that belong to the first or the last event alone draw the others together between them."""
    strong = np.eye(6, dtype=np.float32)[np.repeat([0, 1, 2, 3, 4, 5], 6)]
    halves = np.eye(6)[np.repeat([0, 5], 18)]
    some = given((12.0 * halves - 6.0, strong))
    loss, schedule = scheduled(some, least_short_peak=2.0)
    kept = inspect_targets(loss, some, gamma=10.0).measures["kept"]
    assert all(inspect_targets(loss, some, gamma=10.0 / 2**k).measures["kept"] <= kept for k in range(8))
    for _ in range(5):
        schedule.step()
        assert loss.gamma.item() == 10.0
    assert re.search(r"no nearer to the limits|more than before", schedule.last_reason)
    some.items[0].inputs.copy_(torch.from_numpy(2.0 * strong - 1.0))
    schedule.step()
    assert loss.gamma.item() < 10.0
    assert inspect_targets(loss, some).measures["kept"] == 1.0


def test_it_stays_while_the_limits_are_kept():
    some = probes(0, 1, confidence=1.0)
    loss, schedule = scheduled(some, start=0.1)
    assert inspect_targets(loss, some).measures["short_event_peak"] > LIMIT
    for _ in range(10):
        schedule.step()
    assert loss.gamma.item() == 0.1
    assert schedule.log == []
    assert "within the limits" in schedule.last_reason


def test_it_falls_at_once_until_the_limits_are_kept():
    some = probes(0, 1, 2, confidence=1.0)
    loss, schedule = scheduled(some, start=10.0)
    gamma = loss.gamma.item()
    assert inspect_targets(loss, some, gamma=10.0).measures["short_event_peak"] < LIMIT
    assert inspect_targets(loss, some).measures["short_event_peak"] >= LIMIT
    assert inspect_targets(loss, some, gamma=2 * gamma).measures["short_event_peak"] < LIMIT
    assert len(schedule.log) == 1
    schedule.step()
    assert loss.gamma.item() == gamma
    assert len(schedule.log) == 1


@pytest.mark.parametrize("seed", range(4))
def test_numbers_of_its_sentences_are_those_of_inspections(seed):
    some = probes(seed, noise=2.0)
    loss, schedule = scheduled(some, most_blur=1.0)
    text = schedule.last_reason
    begin, end = map(float, re.search(r"gamma (\S+) -> (\S+):", text).groups())
    now, then = inspect_targets(loss, some, gamma=begin), inspect_targets(loss, some)
    assert loss.gamma.item() == pytest.approx(end, rel=1e-3)
    told = re.findall(r"reach (\S+) in .*? blur of (\S+) frames .*?, (\d+) of (\d+) events are lost", text)
    for numbers, result in zip(told, (now, then), strict=True):
        measures = result.measures
        assert numbers == (
            f"{of_the_same(now, result):.3f}",
            f"{measures['blur']:.1f}",
            f"{measures['events_below_threshold']:.0f}",
            f"{measures['events']:.0f}",
        )


def test_it_inspects_before_the_first_step_and_every_so_many():
    asked = []

    def predict(inputs):
        asked.append(len(steps))
        return inputs

    steps = []
    some = Probes(nn.Identity(), [probe(0, noise=3.0)], predict=predict)
    _, schedule = scheduled(some, every=5)
    assert asked == [0]
    for step in range(21):
        steps.append(step)
        schedule.step()
    assert asked == [0, 5, 10, 15, 20]


def test_it_stops_at_the_end():
    some = probes(0, confidence=0.0)
    loss, schedule = scheduled(some, start=1.0, end=0.3, least_short_peak=2.0)
    for _ in range(10):
        schedule.step()
    assert loss.gamma.item() >= 0.3
    loss, schedule = scheduled(probes(0), start=40.0, end=25.0, least_short_peak=2.0)
    assert loss.gamma.item() == 25.0
    assert "25 is the lowest allowed" in schedule.last_reason
    schedule.step()
    assert loss.gamma.item() == 25.0
    assert "stays 25" in schedule.last_reason


@pytest.mark.parametrize("stop", [0, 3, 7, 12])
def test_resumed_is_as_uninterrupted(stop, tmp_path):
    confidences = np.concatenate([np.zeros(5), np.random.default_rng(0).uniform(0.0, 1.2, 19)])
    some = probes(0, 1, noise=2.0, confidence=0.0)

    def run(schedule, steps):
        for confidence in steps:
            set_confidence(some, confidence)
            schedule.step()

    loss, schedule = scheduled(some, start=5.0, every=2)
    run(schedule, confidences[:stop])
    torch.save(schedule.state_dict(), tmp_path / "state.pt")
    run(schedule, confidences[stop:])
    # What is found when the later one is made, of another network, is replaced.
    set_confidence(some, 1.0)
    later_loss, later = scheduled(some, start=1.0)
    assert later.log or later_loss.gamma.item() == 1.0
    later.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(later, confidences[stop:])
    assert later_loss.gamma == loss.gamma
    assert later.state_dict() == schedule.state_dict()
    assert schedule.log
    assert not schedule.log[0].startswith("Step 0:")


@pytest.mark.slow
def test_training_from_nothing_ends_above_every_constant():
    """A low gamma from the start learns noise, a high one never gets sharp; gamma falls in between."""

    def train(gamma, seed):
        torch.manual_seed(seed)
        orders = torch.stack([torch.randperm(12) for _ in range(4)])
        strong = torch.eye(12)[orders].repeat_interleave(torch.tensor([12, 1, 6] * 4), dim=1)  # (4,76,12)
        spectra, network = strong + 0.3 * torch.randn(strong.shape), nn.Linear(12, 12)
        weak = torch.eye(12)[orders]
        loss, optimizer = wlt.SoftDTWLoss("bce_logits"), torch.optim.Adam(network.parameters(), lr=0.05)
        pieces = zip(spectra, weak.numpy(), strong.numpy(), strict=True)
        some = Probes(network, [Probe(str(k), *of_piece) for k, of_piece in enumerate(pieces)])
        schedule = wlt.ConstantGamma(loss, gamma) if gamma else TargetDrivenGamma(loss, some, every=20)
        for _ in range(120):
            loss(network(spectra), weak).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        return inspect_targets(loss, some).measures["predictions_f_measure"]

    driven, low, high = (np.mean([train(gamma, seed) for seed in range(4)]) for gamma in (None, 0.1, 10.0))
    assert driven > max(low, high) + 0.15


def test_numbers_of_numpy_are_kept_as_plain_ones(tmp_path):
    _, schedule = scheduled(
        probes(0),
        start=np.float64(4.0),
        end=np.float32(0.5),
        every=np.int64(2),
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
    some = probes(0, confidence=0.0)
    _, schedule = scheduled(some, start=5.0)
    state = schedule.state_dict()
    set_confidence(some, 1.0)
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
        ({"most_blur": 0.0}, r"most_blur: is 0"),
        ({"least_contrast": 1.0}, r"least_contrast: is 1\.0; .* below 1"),
        ({"least_short_peak": math.nan}, r"least_short_peak: is nan"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            scheduled(some, **options)
    for options, message in (
        ({"every": 2.5}, r"every: is 2\.5; a whole number"),
        ({"start": "10"}, r"start: is '10'; a number"),
        ({"every": True}, r"every: is True"),
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
