"""Laws of the losses of the study, of output layers, errors of weak targets, and predictors of runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_features import some_features
from studies.mpe.configuration import Run, TargetErrors
from studies.mpe.configuration_file import read_configuration
from studies.mpe.errors import StudyError
from studies.mpe.inputs.segments import _measure_starts, batch_of, segments_of, with_errors
from studies.mpe.inputs.target_errors import (
    FARTHEST_MOVE,
    mismatched_bounds,
    with_wrong_notes,
)
from studies.mpe.places import HERE
from studies.mpe.results.ordering import PREDICTORS, ordered_rightly, share_ordered_rightly
from studies.mpe.training.losses import loss_of
from studies.mpe.training.model import SHAPES, ConvStack, parameter_count, pitch_logits, with_output
from studies.mpe.training.objectives import scores_for

from warplens.analysis import find_events


@pytest.fixture(scope="module")
def scaled():
    return read_configuration(HERE / "configurations" / "scaled.toml")


@pytest.mark.parametrize("output", ["sigmoid", "we", "ne3"])
def test_another_output_layer_begins_where_the_network_is(output):
    torch.manual_seed(0)
    network = ConvStack(2).eval()
    made = with_output(network, output).eval()
    mel = torch.randn(2, 30, 229)
    with torch.no_grad():
        before, outputs = network(mel), made(mel)
    assert outputs.shape == (2, 30, *SHAPES[output])
    after = pitch_logits(outputs, output)
    assert torch.allclose(after, before, atol=1e-5)
    added = (np.prod(SHAPES[output]) - 88) * (32 + 1)
    assert parameter_count(2, output) - parameter_count(2) == added


def test_pitch_logits_are_those_of_the_probability_of_on():
    outputs = torch.randn(3, 5, 88, 3)
    on = outputs.softmax(-1)[..., 2]
    assert torch.allclose(pitch_logits(outputs, "ne3"), torch.logit(on), atol=1e-4)
    outputs = torch.randn(3, 5, 89, 2)
    on = outputs.softmax(-1)[..., 1:, 1]
    assert torch.allclose(pitch_logits(outputs, "we"), torch.logit(on), atol=1e-4)


def test_every_row_of_the_study_has_a_loss_whose_gradient_reaches_the_network(scaled):
    segments = segments_of([some_features(frames=800)], replace(scaled.finetuning, segment_seconds=2.0))
    batch = batch_of(segments[:2])
    for run in scaled.runs:
        loss = loss_of(run, scaled.finetuning.step_weights)
        if loss is None:
            assert run.objective == "strong"
            continue
        network = with_output(ConvStack(2), run.output)
        outputs = network(batch.mel)
        value = loss(scores_for(loss, outputs), batch.weak, batch.lengths, batch.weak_lengths)
        value.backward()
        gradient = network.frames[2].weight.grad
        assert value.isfinite(), run.name
        assert gradient.isfinite().all(), run.name
        assert gradient.abs().max() > 0, run.name


def test_errors_that_are_none_change_nothing(scaled):
    segments = segments_of([some_features(frames=800)], scaled.finetuning)
    same = with_errors(segments, TargetErrors("exact"), scaled.finetuning, seed=0)
    assert all(a is b for a, b in zip(segments, same, strict=True))


def test_errors_depend_on_the_segment_and_the_seed_alone(scaled):
    settings = replace(scaled.finetuning, segment_seconds=2.0)
    segments = segments_of([some_features(frames=800)], settings)
    errors = TargetErrors("much", measures=1, wrong_notes=0.3, missing_notes=0.2)
    together = with_errors(segments, errors, settings, seed=1)
    others = with_errors(segments[::-1], errors, settings, seed=1)[::-1]
    assert len(together) == len(others) > 2
    for a, b in zip(together, others, strict=True):
        assert np.array_equal(a.weak().y, b.weak().y)
    another_seed = with_errors(segments, errors, settings, seed=2)
    assert any(
        not np.array_equal(a.weak().y, b.weak().y) for a, b in zip(together, another_seed, strict=False)
    )
    for segment in together:
        assert len(segment.weak().y) <= segment.stop - segment.first


def test_one_end_moves_by_measures_within_the_recording():
    starts = np.arange(0, 1001, 50)
    moved = set()
    for seed in range(200):
        first, stop = mismatched_bounds((400, 600), 2, starts, 1000, np.random.default_rng(seed))
        assert (first == 400) != (stop == 600)
        moved.add((first - 400, stop - 600))
    assert moved == {(-100, 0), (100, 0), (0, -100), (0, 100)}
    for seed in range(50):
        first, stop = mismatched_bounds((0, 100), 5, starts, 120, np.random.default_rng(seed))
        assert 0 <= first < stop <= 120
        assert mismatched_bounds((0, 100), 0, starts, 120, np.random.default_rng(seed)) == (0, 100)


def test_measures_are_those_that_segments_are_cut_at(scaled):
    """Their times lie off the frames: no end moves by the frame or two between two ways of rounding."""
    measures = np.cumsum(np.full(14, 1.613)) - 1.0
    settings = replace(scaled.finetuning, segment_measures=4, measure_seconds=1.0)
    for known in (True, False):
        features = replace(some_features(frames=800), measures=measures if known else None)
        starts, moves = _measure_starts(features, settings), []
        for segment in segments_of([features], settings):
            for seed in range(20):
                rng = np.random.default_rng(seed)
                bounds = mismatched_bounds((segment.first, segment.stop), 1, starts, len(features), rng)
                moves.append(abs(bounds[0] - segment.first) + abs(bounds[1] - segment.stop))
        # Nothing moves where the recording, or its first or last measure, ends.
        assert set(moves) - {0} <= ({50, 51} if known else {31})
        assert np.mean(np.array(moves) > 0) > 0.7


def test_shares_of_notes_are_moved_or_left_out():
    rng = np.random.default_rng(0)
    roll = np.zeros((40_000, 88), np.uint8)
    starts = np.arange(0, 40_000, 4)
    pitches = rng.integers(88, size=len(starts))
    for start, pitch in zip(starts, pitches, strict=True):
        roll[start : start + 3, pitch] = 1
    notes = len(find_events(roll))
    missing = with_wrong_notes(roll, TargetErrors("", missing_notes=0.15), rng)
    assert abs(len(find_events(missing)) / notes - 0.85) < 0.02
    assert not (missing & ~roll).any()
    wrong = with_wrong_notes(roll, TargetErrors("", wrong_notes=0.15), rng)
    assert len(find_events(wrong)) == notes  # one note at a time, a silent frame between two
    after = wrong[starts].argmax(axis=1)
    moves = np.abs(after - pitches)
    assert abs(np.mean(moves > 0) - 0.15) < 0.02
    assert set(moves[moves > 0]) == set(range(1, FARTHEST_MOVE + 1))
    assert np.array_equal(wrong.sum(axis=1), roll.sum(axis=1))


def test_errors_that_leave_no_note_say_so(scaled):
    segments = segments_of([some_features(frames=800)], scaled.finetuning)
    with pytest.raises(StudyError, match="No segment has a weak target left with the errors 'all'"):
        with_errors(segments, TargetErrors("all", missing_notes=1.0), scaled.finetuning, seed=0)


def test_a_digest_holds_what_changes_a_run_and_nothing_else(scaled):
    run = scaled.run("gamma 1")
    same = [replace(run, name="other", row="row", paper_f=0.1), run.with_errors(TargetErrors("exact"))]
    other = [replace(run, gamma=2.0), replace(run, prior=1.0), run.with_errors(TargetErrors("", measures=1))]
    assert {scaled.digest(each) for each in same} == {scaled.digest(run)}
    assert len({scaled.digest(each) for each in [run, *other]}) == 4


def test_columns_of_the_table_have_runs_of_their_own():
    study = read_configuration(HERE / "configurations" / "mismatch.toml")
    rows, errors = {run.row for run in study.runs}, {run.errors for run in study.runs}
    assert len(study.runs) == len(rows) * len(errors)
    exact = [run for run in study.runs if run.errors == TargetErrors()]
    assert {run.name for run in exact} == rows
    # The exact column is computed once for both studies.
    scaled = read_configuration(HERE / "configurations" / "scaled.toml")
    for run in exact:
        assert study.digest(run) == scaled.digest(scaled.run(run.name))


def test_pairs_that_are_ordered_rightly_are_counted():
    final = [0.1, 0.5, 0.51, 0.9]
    assert ordered_rightly(final, final) == (5, 5)  # 0.5 and 0.51 are too close
    assert ordered_rightly([-f for f in final], final) == (0, 5)
    assert ordered_rightly([1.0] * 4, final) == (2.5, 5)
    name, (measure, _) = next(iter(PREDICTORS.items()))
    results = [{"f_measure": f, "looks": [{"share": 0.0, measure: f}]} for f in final]
    without = {"f_measure": 0.0, "looks": []}
    assert share_ordered_rightly([[*results, without], results], name, 0.0) == (1.0, 10)
    assert share_ordered_rightly([results], name, 0.25)[1] == 0


def test_a_run_names_its_row_and_its_errors():
    run = Run("gamma 1").with_errors(TargetErrors("1 measure", measures=1))
    assert (run.name, run.row) == ("gamma 1, 1 measure", "gamma 1")
