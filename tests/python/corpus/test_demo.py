"""The demo's piece, and what it is there to show: staccato notes fade at large gamma, sustained ones stay."""

import wave
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from analysis.report.chromium import careful_tab, keep, running_chromium

import warplens as wl
from warplens.analysis.sonify import loudness
from warplens.demo.piece import compose, performed_frames, score_frames
from warplens.demo.piece_item import PITCHES, event_of_each_note
from warplens.demo.run import run_demo
from warplens.demo.salience import FRAMES_PER_SECOND, pitch_salience
from warplens.demo.summary import describe
from warplens.demo.synthesis import SAMPLE_RATE, frequency
from warplens.io import read_npz


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"))


def test_staccato_fades_and_sustained_stays(demo):
    assert demo.run.failed == []
    assert demo.piece.gammas.tolist() == [0.1, 1.0, 10.0]
    assert (demo.piece.cost, demo.piece.step_weights) == ("bce", (0.1, 1.0, 1.0))
    share = [{kind: kept.kept / kept.total for kind, kept in at_gamma.items()} for at_gamma in demo.kept]
    assert share[0]["staccato"] >= 0.95
    assert share[2]["staccato"] <= 0.2
    assert share[2]["sustained"] >= 0.8


def test_each_note_is_an_event_of_its_own(demo):
    events = event_of_each_note(compose(), demo.piece)
    assert sorted(events) == list(range(len(demo.piece.events)))
    kept = demo.kept[0]
    assert kept["staccato"].total + kept["sustained"].total == len(compose().notes)


def test_figure_2_in_the_demo(demo):
    assert demo.figure_2.shape == (17, 6, 12)
    assert demo.figure_2.step_weights == (1.0, 1.0, 1.0)
    np.testing.assert_allclose(demo.figure_2.levels.peak[1], [0.519, 0.408, 0.977], atol=1e-3)


def test_the_summary_has_the_kept_notes_and_the_path_of_the_report(demo):
    words = describe(demo)
    kept = demo.kept[2]
    assert f"10      {kept['staccato'].kept} of 48" in words
    assert str(demo.run.report) in words
    assert max(map(len, words.splitlines()[:-2])) <= 100
    with wave.open(str(demo.recording), "rb") as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(demo.seconds, abs=1e-3)


def test_weak_target_is_the_score_and_nothing_of_its_timing(demo):
    item = read_npz(demo.run.report.parent / "input" / "piece.npz")
    # Played, the same frames follow each other, each for a while; silence may be added at the end.
    played = wl.collapse_repeats(item.strong).y
    assert not played[-1].any()
    np.testing.assert_array_equal(played[: len(item.weak)], item.weak)
    assert len(played) == len(item.weak) + 1


def test_notes_of_one_pitch_never_touch():
    piece = compose()
    for pitch in {note.pitch for note in piece.notes}:
        for before, after in pairwise(note for note in piece.notes if note.pitch == pitch):
            assert before.onset + before.length < after.onset
    assert all(note.pitch in PITCHES for note in piece.notes)


def test_tempo_map_is_the_integral_of_its_tempi():
    piece = compose()
    seconds = piece.seconds(np.linspace(0, piece.beats, 300))
    assert (np.diff(seconds) > 0).all()
    # 112 beats a minute until beat 8, then linearly down to 72 at beat 12.
    assert piece.seconds(8.0) == pytest.approx(8 * 60 / 112, rel=1e-6)
    assert piece.seconds(12.0) - piece.seconds(8.0) == pytest.approx(60 * 4 / 40 * np.log(112 / 72), rel=1e-4)


def test_performed_notes_mark_the_frames_they_sound_in():
    piece = compose()
    times = np.arange(1300) / FRAMES_PER_SECOND
    frames = performed_frames(piece, PITCHES, times)
    note = next(note for note in piece.notes if note.articulation == "sustained")
    start, stop = piece.seconds(np.array([note.onset, note.onset + note.length]))
    sounding = np.flatnonzero((times >= start) & (times < stop))
    column = frames[:, note.pitch - PITCHES.start]
    assert column[sounding[1:-1]].all()
    assert not column[sounding[-1] + 2]
    assert score_frames(piece, PITCHES).sum(axis=1).max() == frames.sum(axis=1).max() == 5


@pytest.mark.parametrize("pitch", [40, 57, 69, 83])
def test_front_end_hears_a_tone_where_it_is(pitch):
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * k * frequency(pitch) * t) / k**1.3 for k in range(1, 7))
    salience = pitch_salience((0.2 * tone).astype(np.float32), PITCHES)
    assert salience.shape == (1 + SAMPLE_RATE // 512, len(PITCHES))
    middle = salience[10:-10]
    assert (middle.argmax(axis=1) == pitch - PITCHES.start).all()
    assert (middle.max(axis=1) > 0.5).all()
    assert ((middle > 0.5).sum(axis=1) == 1).all()


def test_silence_is_heard_as_nothing():
    salience = pitch_salience(np.zeros(4096, np.float32), PITCHES)
    assert (salience < 0.01).all()


def read_wav(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, SAMPLE_RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels()) / 32767


def test_what_is_taught_is_heard_beside_the_piece(demo):
    """The staccato opening is softer the more it fades; the piece itself is the same in each file."""
    left = read_wav(demo.recording)[:, 0]
    opening, played = [], []
    for path in demo.target_sounds:
        both = read_wav(path)
        played.append(both[: len(left), 0])
        np.testing.assert_array_equal(played[0], played[-1])
        np.testing.assert_allclose(played[-1], left * (played[-1] @ left) / (left @ left), atol=1e-4)
        opening.append(np.sqrt(np.mean(both[: 5 * SAMPLE_RATE, 1] ** 2)))
    assert [path.name for path in demo.target_sounds] == [
        "piece.gamma0.1.wav",
        "piece.gamma1.wav",
        "piece.gamma10.wav",
    ]
    assert opening[2] < 0.6 * opening[0]
    least_faded = read_wav(demo.target_sounds[0])
    assert loudness(least_faded[:, 0]) == pytest.approx(loudness(least_faded[:, 1]), abs=0.1)


def test_the_report_plays_it(demo):
    page = demo.run.report.read_text()
    assert [page.count(f'data-short="γ = {gamma}"') for gamma in ("0.1", "1", "10")] == [1, 1, 1]
    assert page.count('src="data:audio/wav;base64,') == 3


def test_the_first_screen_shows_the_staccato_notes_fading(demo, tmp_path):
    """All rolls of the piece, from the smallest gamma to the largest, before any table; lost notes marked."""
    with running_chromium() as browser, careful_tab(browser) as tab:
        tab.goto(demo.run.report.as_uri())
        keep(tab, tmp_path, "demo")
        assert tab.locator("section.item h2").first.inner_text() == "piece"
        rolls = tab.locator("#item-piece .lesson .roll")
        assert rolls.count() == 3
        for roll in rolls.all():
            box = roll.bounding_box()
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 900
        for table in tab.locator("table:visible").all():
            assert table.bounding_box()["y"] > 900
        lost = rolls.nth(2).locator("path.lost").get_attribute("d").count("M")
        assert lost == sum(notes.total - notes.kept for notes in demo.kept[2].values())
        assert rolls.first.locator("path.lost").count() == 0
        rolls.first.hover()
        assert "level" in tab.locator(".tip").inner_text()
