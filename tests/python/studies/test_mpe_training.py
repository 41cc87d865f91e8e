"""Laws of the network, the segments, the training and the evaluation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_features import some_features
from studies.mpe.configuration_file import read_configuration
from studies.mpe.errors import StudyError
from studies.mpe.inputs.features import LEAST_MAGNITUDE, log_mel
from studies.mpe.inputs.frames import FPS, SAMPLE_RATE
from studies.mpe.inputs.segments import batch_of, indices_of_step, random_clips, segments_of
from studies.mpe.places import HERE
from studies.mpe.results.evaluation import (
    event_durations,
    inspect_segments,
    kept_in_targets,
    kept_in_the_end,
    predicted_peaks,
)
from studies.mpe.training.checkpoint import load_network, save_checkpoint
from studies.mpe.training.finetuning import objective_of
from studies.mpe.training.loop import Training
from studies.mpe.training.losses import loss_of
from studies.mpe.training.model import CONTEXT_FRAMES, ConvStack, parameter_count
from studies.mpe.training.objectives import StrongTargets
from studies.mpe.training.prediction import probabilities, recording_outputs, segment_outputs

import warplens as wl
from warplens.torch import align


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def configurations():
    return {
        name: read_configuration(HERE / "configurations" / f"{name}.toml") for name in ("paper", "scaled")
    }


@pytest.mark.parametrize(("name", "count"), [("paper", 4_334_152), ("scaled", 283_972)])
def test_the_network_has_the_published_number_of_parameters(configurations, name, count):
    assert parameter_count(configurations[name].width) == count


def test_an_output_depends_on_its_context_alone():
    torch.manual_seed(0)
    network = ConvStack(2).eval()
    mel = torch.randn(1, 40, 229, requires_grad=True)
    network(mel)[0, 20].sum().backward()
    frames = np.flatnonzero(mel.grad[0].abs().sum(-1).numpy())
    assert (frames[0], frames[-1]) == (20 - CONTEXT_FRAMES, 20 + CONTEXT_FRAMES)


def test_a_recording_is_predicted_as_if_in_one_piece():
    torch.manual_seed(0)
    network, features = ConvStack(2).train(), some_features(frames=1203)
    result = recording_outputs(network, features)
    assert network.training
    with torch.no_grad():
        whole = network.eval()(torch.from_numpy(features.mel)[None])[0].numpy()
    assert np.abs(result - whole).max() < 1e-4


def test_segments_are_predicted_one_by_one_as_together(configurations):
    torch.manual_seed(0)
    network = ConvStack(2)
    settings = replace(configurations["paper"].finetuning, segment_measures=2)
    measures = np.array([0.0, 0.7, 1.5, 2.0, 3.1, 4.0, 5.2, 5.5])
    segments = segments_of([some_features(measures=measures)], settings)
    assert len({segment.stop - segment.first for segment in segments}) > 1
    for segment, result in zip(segments, segment_outputs(network, segments), strict=True):
        with torch.no_grad():
            alone = network.eval()(torch.from_numpy(segment.mel)[None])[0].numpy()
        assert np.abs(result - alone).max() < 1e-4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what librosa reads sound with
def test_log_mel_is_that_of_librosa():
    import librosa

    audio = np.random.default_rng(0).normal(size=5 * SAMPLE_RATE).astype(np.float32)
    audio[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0
    expected = librosa.feature.melspectrogram(
        y=audio, sr=16000, n_fft=2048, hop_length=512, n_mels=229, fmin=30, fmax=8000, htk=True, power=1.0
    )
    result = log_mel(audio)
    assert result.shape == expected.T.shape
    assert np.abs(np.exp(result) - np.maximum(expected.T, LEAST_MAGNITUDE)).max() < 1e-3 * expected.max()


def test_log_mel_puts_a_tone_into_its_band():
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    # HTK: mel = 2595 log10(1 + f / 700), 229 bands evenly between 30 and 8000 Hz.
    lowest, highest = 2595 * np.log10(1 + np.array([30.0, 8000.0]) / 700)
    centres = 700 * (10 ** (np.linspace(lowest, highest, 231)[1:-1] / 2595) - 1)
    for band in (60, 120, 200):
        mel = log_mel(np.sin(2 * np.pi * centres[band] * t).astype(np.float32))
        assert mel.shape == (int(FPS) + 1, 229)
        assert abs(int(mel[15].argmax()) - band) <= 1
    assert np.all(log_mel(np.zeros(SAMPLE_RATE, np.float32)) == np.log(np.float32(LEAST_MAGNITUDE)))


def test_segments_cut_at_measures_and_leave_out_the_long(configurations):
    settings = replace(configurations["paper"].finetuning, segment_measures=2, longest_seconds=3.0)
    measures = np.array([0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 8.0])
    result = segments_of([some_features(measures=measures)], settings)
    assert [(segment.first, segment.stop) for segment in result] == [(0, 63), (188, 250)]
    with pytest.raises(StudyError, match="raise `longest_seconds`"):
        segments_of([some_features(measures=measures)], replace(settings, longest_seconds=0.1))


def test_the_weak_target_is_the_strong_one_without_repetitions(configurations):
    for segment in segments_of([some_features()], configurations["scaled"].finetuning):
        weak = segment.weak()
        assert np.array_equal(wl.expand(weak.y, weak.durations), segment.strong)


def test_a_pass_takes_each_segment_once():
    taken = np.concatenate([indices_of_step(10, batch=4, seed=3, step=step) for step in range(5)])
    assert sorted(taken[:10]) == sorted(taken[10:]) == list(range(10))
    assert not np.array_equal(taken[:10], taken[10:])
    assert np.array_equal(taken[4:8], indices_of_step(10, batch=4, seed=3, step=1))


def test_clips_lie_within_recordings_and_depend_on_seed_and_step_alone():
    recordings = [some_features(0, 300), some_features(1, 40), some_features(2, 64)]
    for step in range(20):
        clips = random_clips(recordings, seconds=2.0, batch=8, seed=1, step=step)
        assert all(0 <= clip.first and clip.stop <= len(clip.features) for clip in clips)
        assert {clip.stop - clip.first for clip in clips} == {round(2.0 * FPS)}
        assert clips == random_clips(recordings, seconds=2.0, batch=8, seed=1, step=step)


def training_of(path, run, study, segments, *, steps_seed=5):
    torch.manual_seed(0)
    network = ConvStack(2)

    def batch(step):
        indices = indices_of_step(len(segments), batch=2, seed=steps_seed, step=step)
        return batch_of([segments[i] for i in indices], indices)

    return Training(
        network,
        objective_of(run, study, segments, network),
        batch,
        learning_rate=1e-2,
        decay=0.5,
        decay_steps=3,
        clip_norm=1.0,
        seed=1,
        digest="d",
        path=path,
    )


@pytest.mark.parametrize("name", ["gamma 1", "poor, piecewise", "poor, target-driven", "EM, hard DTW"])
def test_a_run_that_was_interrupted_comes_to_the_same(tmp_path, configurations, name):
    study = configurations["scaled"]
    finetuning = replace(study.finetuning, steps=9, relabel_steps=4, look_steps=2, segment_seconds=2.0)
    study = replace(study, finetuning=finetuning)
    run = study.run(name)
    segments = segments_of([some_features(frames=300)], finetuning)
    whole = training_of(tmp_path / "whole.pt", run, study, segments)
    whole.until(9)
    for steps in (3, 6, 9):
        torch.manual_seed(99)  # a new process
        parts = training_of(tmp_path / "parts.pt", run, study, segments)
        parts.until(steps)
    assert parts.losses == whole.losses
    assert np.array_equal(parts.gammas, whole.gammas, equal_nan=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, parts.network.state_dict()[name]), name


def test_random_numbers_of_the_device_are_in_the_checkpoint(tmp_path, configurations, monkeypatch):
    """Dropout on CUDA draws from a generator of its own; here stands in one that only keeps its state."""
    kept = {"state": torch.tensor([1, 2, 3], dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: kept["state"].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: kept.update(state=state))
    study = configurations["scaled"]
    segments = segments_of([some_features(frames=300)], study.finetuning)
    training = training_of(tmp_path / "a.pt", study.run("strong targets"), study, segments)
    assert training.state()["random_of_device"] is None
    training.device = "cuda:0"
    state = training.state()
    kept["state"] = torch.zeros(3, dtype=torch.uint8)
    training._resume(state)
    assert kept["state"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("training", [True, False])
def test_a_prediction_that_fails_leaves_the_network_as_it_was(configurations, training):
    settings = replace(configurations["paper"].finetuning, segment_measures=0, segment_seconds=2.0)
    features = some_features(frames=300)
    network = ConvStack(2).train(training)
    network.register_forward_hook(lambda *_: 1 / 0)
    for predict in (
        lambda: recording_outputs(network, features),
        lambda: segment_outputs(network, segments_of([features], settings)),
    ):
        with pytest.raises(ZeroDivisionError):
            predict()
        assert network.training == training
        assert torch.is_grad_enabled()


def test_a_checkpoint_of_other_settings_or_width_is_refused(tmp_path, configurations):
    study = configurations["scaled"]
    segments = segments_of([some_features(frames=300)], study.finetuning)
    run = study.run("strong targets")
    training_of(tmp_path / "a.pt", run, study, segments).until(1)
    with pytest.raises(
        StudyError, match="a network of width 2, the configuration asks for 12; set `width` back"
    ):
        load_network(tmp_path / "a.pt", width=12)
    with pytest.raises(StudyError, match="made with other settings; remove its folder"):
        Training(ConvStack(2), StrongTargets(), lambda _: None, learning_rate=1.0, seed=2, digest="d",
                 path=tmp_path / "a.pt")  # fmt: skip
    with pytest.raises(StudyError, match="does not exist; run the stage"):
        load_network(tmp_path / "b.pt", width=2)
    (tmp_path / "c.pt").write_bytes(b"nothing")
    with pytest.raises(StudyError, match=r"cannot be read .* remove it"):
        load_network(tmp_path / "c.pt", width=2)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path):
    save_checkpoint(tmp_path / "a.pt", {"width": 1})
    before = (tmp_path / "a.pt").read_bytes()
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(tmp_path / "a.pt", {"width": lambda: None})
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_modified_targets_are_those_of_the_loss(configurations):
    study = configurations["scaled"]
    features = some_features(frames=300)
    segments = segments_of([features], study.finetuning)
    logits = {features.id: np.random.default_rng(0).normal(size=(300, 88)).astype(np.float32)}
    loss = loss_of(replace(study.run("gamma 1"), gamma=0.7), study.finetuning.step_weights)
    made = inspect_segments(loss, ConvStack(2), logits, segments, gamma=0.7)
    x = torch.from_numpy(logits[features.id][: segments[0].stop])
    taught = align(
        x, torch.from_numpy(segments[0].weak().y), cost="bce_logits", gamma=0.7, step_weights=(0.1, 1.0, 1.0)
    )
    assert np.abs(made.targets[0].y_mod - taught.y_mod.numpy()).max() < 1e-5


def test_right_predictions_keep_every_event_and_score_one(configurations):
    study = configurations["scaled"]
    features = some_features(frames=400)
    segments = segments_of([features], study.finetuning)
    logits = {features.id: np.where(features.roll > 0, 9.0, -9.0).astype(np.float32)}
    loss = loss_of(study.run("gamma 0.1"), study.finetuning.step_weights)
    made = inspect_segments(loss, ConvStack(2), logits, segments, gamma=0.1)
    scores = kept_in_targets(made, segments) | kept_in_the_end(logits, segments)
    assert scores["y_mod_f"] > 0.97
    assert scores["segments_f"] == 1
    assert scores["kept_in_predictions"] == 1
    peaks, durations = predicted_peaks(logits, segments), event_durations(segments)
    assert len(peaks) == len(durations) == scores["events"]
    assert np.allclose(peaks, probabilities(np.float32(9.0)))
    # Each event is counted once, in the segments that it touches.
    total = sum(int(segment.strong.sum()) for segment in segments)
    assert durations.sum() == total


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("width = 4", "breadth = 4", "study has no key `breadth`; it takes"),
        ('objective = "em"', 'objective = "ctc"', "`objective` is 'ctc'; one of"),
        ("batch = 4", "batch = -4", "`batch` is -4; a number, 0 or more"),
        ("[[data.test]]", "[[data.validation]]", r"\[\[data.<part>\]\] is needed for each of"),
        (
            "points = [[0.3, 10.0], [0.7, 0.1]]",
            "",
            r"run 'poor, piecewise': `points` is \(\); accepted is pairs",
        ),
        ("[[0.3, 10.0], [0.7, 0.1]]", "[[0.7, 10.0], [0.3, 0.1]]", "`points` is .* ascending"),
        ("[[0.3, 10.0], [0.7, 0.1]]", "[0.3, 10.0]", "`points` is .* pairs"),
        ('precision = "float32"', 'precision = "float16"', "`precision` is 'float16'; accepted is one of"),
        ("seeds = [0]", "seeds = 3", "`seeds` is 3; accepted is a list of whole numbers"),
        ("seeds = [0]", "seeds = []", "`seeds` is .* at least one"),
        ("seeds = [0]", "seeds = [1, 1]", "`seeds` is .* each seed once"),
        ("seeds = [0]", "seeds = [0.5]", "`seeds` is .* whole numbers"),
        ("steps = 60", "steps = 0", "pretraining: `steps` is 0; accepted is a whole number, 1 or more"),
        ("steps = 12", "steps = 0", "finetuning: `steps` is 0"),
        ("short_steps = 4", "short_steps = 61", "`short_steps` is 61; accepted is at most `steps` = 60"),
        ("batch = 4", "batch = 0", "pretraining: `batch` is 0"),
        ("look_steps = 3", "look_steps = 0", "`look_steps` is 0"),
        ("learning_rate = 1e-3", "learning_rate = nan", "`learning_rate` is nan; a number"),
        ("[0.1, 1.0, 1.0]", "[0.1, 1.0]", r"`step_weights` is \(0\.1, 1\.0\); accepted is three numbers"),
        ("[0.1, 1.0, 1.0]", "[0.1, 1.0, -1]", "`step_weights` is .* three numbers"),
        ('output = "we"', "", "run 'CTC-A, we': `output` is 'sigmoid'; accepted is 'we' or 'ne3'"),
        (
            'objective = "em"',
            'output = "we"',
            "`output` is 'we'; accepted is 'sigmoid': 'sdtw' .* no blank",
        ),
        ('objective = "em"', "drop = 3.0", "run 'EM': `drop` is 3.0; .* 'sdtw' does not read it, drop do"),
        ('objective = "em"', "step_weights = [1.0]", "run 'EM': `step_weights` is .* three numbers"),
        ('objective = "em"', "errors = 3", "run 5 has no key `errors`"),
        ("drop = 40.0", "", "run 'drop': `drop` is 0.0; accepted is a number above 0"),
        ("prior_until = 0.5", "", "run 'prior': `prior_until` is 0.0; accepted is a share"),
        (
            "[[data.test]]",
            "[[errors]]\nwrong_notes = 1.5\n[[data.test]]",
            "`wrong_notes` is 1.5; accepted is a share",
        ),
        ("[[data.test]]", "[[errors]]\nnotes = 1\n[[data.test]]", "errors 1 has no key `notes`"),
        ("[[data.test]]", "[[errors]]\nmeasures = 1\n[[data.test]]", "`name` is ''; accepted is a name"),
        ("seeds = [0]", "seeds = [0]\nerrors = [3]", "`errors` is no list of tables"),
        ('objective = "em"', 'objective = "em"\ngamma = 5.0', "`gamma` is 5.0; .*'em' does not read it"),
        ("gamma = 0.1\n", "gamma = 0.1\nfactor = 0.2\n", "`factor` is 0.2; .*'constant' does not read it"),
        ("prior = 3.0", "", "`prior` is 0.0; accepted is a number above 0"),
        ("[0.7, 0.1]]", "[0.7, 0.0]]", "`points` is .* gammas above 0"),
        ("factor = 0.3", "factor = 1.5", "run 'poor, target-driven': `factor` is 1.5"),
        ("factor = 0.3", "least_gamma = 20.0", "`least_gamma` is 20.0; accepted is at most `gamma`"),
        ('name = "smoke"', "name = 1", "`name` is 1; a text in quotes"),
        ("seeds = [0]", "seeds = [0", "is not TOML"),
    ],
)
def test_a_configuration_that_is_wrong_says_where(tmp_path, write_study, old, new, says):
    path = write_study(tmp_path / "study.toml", replace=[(old, new)])
    with pytest.raises(StudyError, match=says):
        read_configuration(path)
    with pytest.raises(StudyError, match="those that come with the study lie in"):
        read_configuration(tmp_path / "none.toml")


def test_works_of_the_scaled_study_are_in_one_part_each(configurations):
    works = [
        work
        for sources in configurations["scaled"].data.values()
        for source in sources
        for work in source.options["works"]
    ]
    assert len(works) == len(set(works)) == 10
