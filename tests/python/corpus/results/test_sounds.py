"""Sounds of a corpus: where they lie, what they hold, and when they are made again."""

import wave

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_item
from corpus.test_analyze import content

from warplens.analysis.sonify import loudness, write_wav
from warplens.corpus import Settings, analyze


def sound_of(path):
    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        return samples.reshape(-1, sound.getnchannels())


@pytest.fixture
def folder(tmp_path):
    save_item(tmp_path / "in" / "deep" / "a.npz", sample_item())
    return tmp_path / "in"


def test_every_gamma_is_heard_and_the_report_plays_it(tmp_path, folder):
    out = tmp_path / "out"
    run = analyze([folder], out, Settings((0.5, 10.0), sonify=True))
    sounds = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.wav"))
    assert sounds == ["items/deep/a.gamma0.5.wav", "items/deep/a.gamma10.wav"]
    assert run.report.read_text().count("<audio") == 2
    assert sound_of(out / sounds[0]).any()
    silent = analyze([folder], tmp_path / "silent", Settings((0.5, 10.0)))
    assert "<audio" not in silent.report.read_text()
    assert not list((tmp_path / "silent").rglob("*.wav"))


def test_sounds_are_the_same_bytes_and_made_again_when_they_are_missing(tmp_path, folder):
    settings = Settings((1.0,), sonify=True)
    analyze([folder], tmp_path / "one", settings)
    out = tmp_path / "two"
    analyze([folder], out, Settings((1.0,)))
    assert not analyze([folder], out, settings).outcomes[0].reused
    before = content(out)
    assert before == content(tmp_path / "one")
    (out / "items" / "deep" / "a.gamma1.wav").unlink()
    assert analyze([folder], out, settings).outcomes[0].reused
    assert content(out) == before
    # Another frame rate is another sound, though the analysis is the same.
    save_item(folder / "deep" / "a.npz", sample_item(fps=20.0))
    analyze([folder], out, settings)
    assert len(sound_of(out / "items" / "deep" / "a.gamma1.wav")) * 2 == pytest.approx(
        len(sound_of(tmp_path / "one" / "items" / "deep" / "a.gamma1.wav")), abs=2
    )


def test_an_item_without_frame_rate_is_analysed_and_says_why_it_is_silent(tmp_path, folder):
    out = tmp_path / "out"
    analyze([folder], out, Settings((1.0,), sonify=True))
    save_item(folder / "deep" / "a.npz", sample_item(fps=None))
    for _ in range(2):
        outcome = analyze([folder], out, Settings((1.0,), sonify=True)).outcomes[0]
        assert outcome.error is None
        assert outcome.warning.startswith("no sound: the frames a second are not known")
        assert not list(out.rglob("*.wav"))


def test_a_frame_rate_that_cannot_be_meant_costs_the_sound_alone(tmp_path, folder):
    save_item(folder / "deep" / "a.npz", sample_item(fps=1e-5))
    outcome = analyze([folder], tmp_path / "out", Settings((1.0,), sonify=True)).outcomes[0]
    assert outcome.error is None
    assert "hours long (key 'fps')" in outcome.warning


def test_gammas_that_are_close_are_heard_apart(tmp_path, folder):
    analyze([folder], tmp_path / "out", Settings((1.0, 1.0000001), sonify=True))
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 2


def test_an_item_that_fails_leaves_no_older_sounds(tmp_path, folder):
    settings = Settings((1.0,), sonify=True)
    analyze([folder], tmp_path / "out", settings)
    (folder / "deep" / "a.npz").write_bytes(b"no archive")
    assert analyze([folder], tmp_path / "out", settings).failed
    assert not list((tmp_path / "out").rglob("*.wav"))


def test_recordings_are_heard_on_the_left(tmp_path, folder):
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    recordings = tmp_path / "recordings"
    (recordings / "deep").mkdir(parents=True)
    write_wav(recordings / "deep" / "a.wav", np.full(22050, 0.25))
    out = tmp_path / "out"
    run = analyze([folder], out, Settings((1.0,), sonify=True, recordings=recordings))
    analyze([folder], tmp_path / "alone", Settings((1.0,), sonify=True))
    left, right = sound_of(out / "items" / "deep" / "a.gamma1.wav").T
    alone = sound_of(tmp_path / "alone" / "items" / "deep" / "a.gamma1.wav")[:, 0]
    np.testing.assert_array_equal(right[: len(alone)], alone)
    assert abs(left[10000] / 32767 - 0.25) < 1e-3
    assert "left the recording" in run.report.read_text()
    tone = 0.01 * np.sin(np.arange(30000) / 10)
    write_wav(recordings / "deep" / "a.wav", tone)
    analyze([folder], out, Settings((0.5, 10.0), sonify=True, recordings=recordings))
    least, most = (
        sound_of(out / "items" / "deep" / f"a.gamma{gamma}.wav").T / 32767 for gamma in ("0.5", "10")
    )
    np.testing.assert_array_equal(least[0], most[0])
    assert loudness(least[0][: len(tone)]) == pytest.approx(loudness(least[1][: len(alone)]), abs=0.1)
    (recordings / "deep" / "a.wav").write_bytes(b"no sound")
    outcome = analyze([folder], out, Settings((1.0,), sonify=True, recordings=recordings)).outcomes[0]
    assert outcome.warning.startswith("no sound: its recording cannot be read")


@pytest.mark.parametrize(
    ("told", "message"),
    [({"sonify": False}, "needs sonify"), ({"sonify": True}, "nowhere is no folder")],
)
def test_recordings_that_cannot_be_played_are_refused(tmp_path, told, message):
    with pytest.raises(ValueError, match=message):
        Settings(recordings=tmp_path / "nowhere", **told)
