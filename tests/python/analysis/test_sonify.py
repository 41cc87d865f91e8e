"""Sound is measured: spectra, amplitudes and lengths, never a stored recording."""

import io
import wave

import numpy as np
import pytest

from warplens.analysis.sonify import (
    SAMPLE_RATE,
    like_loud,
    loudness,
    most_voices,
    read_recording,
    sonify,
    stereo,
    tones,
    write_wav,
)

FPS = 43.06640625


def steady(level, pitch, n_frames=90, n_features=88, lowest_pitch=21):
    levels = np.zeros((n_frames, n_features))
    levels[:, pitch - lowest_pitch] = level
    return levels


def spectrum(samples, sample_rate=SAMPLE_RATE):
    """Hz and amplitudes of the sines in the middle of a sound."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    window = np.hanning(len(middle))
    return np.fft.rfftfreq(len(middle), 1 / sample_rate), np.abs(
        np.fft.rfft(middle * window)
    ) * 2 / window.sum()


def plain_sum(levels, fps, frequencies, strengths, n_samples, sample_rate):
    """The definition, one tone after the other: interpolated amplitude times sine, phases left out."""
    times = np.arange(n_samples) / sample_rate
    knots = np.arange(len(levels) + 1) / fps
    amplitude = np.interp(times, knots, np.append(levels, 0))
    phases = np.arange(len(frequencies)) * (np.sqrt(5) - 1) / 2
    sines = np.sin(2 * np.pi * (np.multiply.outer(frequencies, times) + phases[:, None]))
    return amplitude * (np.asarray(strengths) @ sines)


@pytest.mark.parametrize("n_frames", [1, 7, 300])
@pytest.mark.parametrize(("fps", "sample_rate"), [(FPS, 22050), (24.61, 22050), (2.0, 8000), (8000.0, 8000)])
def test_samples_are_the_interpolated_sines(n_frames, fps, sample_rate):
    n_frames = min(n_frames, round(fps * 10))
    levels = np.random.default_rng(0).random((n_frames, 1))
    result = sonify(levels, fps, 57, sample_rate, voices=4)
    n_samples = round(n_frames * sample_rate / fps)
    assert (result.shape, result.dtype) == ((n_samples,), np.float32)
    gain = 0.8 / (2 * sum(tones.PARTIALS))
    truth = gain * plain_sum(
        levels[:, 0], fps, 220.0 * np.arange(1, 5), tones.PARTIALS, n_samples, sample_rate
    )
    fade = round(tones.FADE_IN * sample_rate)
    np.testing.assert_allclose(result[fade:], truth[fade:], atol=2e-5)


@pytest.mark.parametrize("pitch", [21, 60, 69, 108])
def test_the_spectrum_peaks_at_the_pitch(pitch):
    hertz, amplitude = spectrum(sonify(steady(1.0, pitch, 200), FPS, 21))
    assert abs(hertz[amplitude.argmax()] - 440 * 2 ** ((pitch - 69) / 12)) < 0.6


def test_chroma_sounds_in_every_octave():
    levels = np.zeros((200, 12))
    levels[:, 9] = 1
    hertz, amplitude = spectrum(sonify(levels, FPS))
    loud = hertz[amplitude > amplitude.max() / 3]
    octaves = np.log2(loud / 440)
    np.testing.assert_allclose(octaves, np.round(octaves), atol=0.02)
    assert len(set(np.round(octaves))) >= 3


@pytest.mark.parametrize(("exponent", "factor"), [(1.0, 2.0), (1 / 0.6, 2 ** (1 / 0.6))])
def test_twice_the_level_is_so_much_more_amplitude_in_files_of_their_own(exponent, factor):
    soft, loud = (sonify(steady(level, 60), FPS, 21, exponent=exponent) for level in (0.2, 0.4))
    np.testing.assert_allclose(loud, factor * soft, atol=1e-6)
    assert np.abs(soft).max() > 0.01


def test_level_one_of_the_named_voices_fills_the_range():
    levels = steady(1.0, 60)
    assert 0.3 < np.abs(sonify(levels, FPS, 21, voices=most_voices(levels))).max() <= 0.8


def test_silence_is_silent_and_so_are_negative_levels():
    for levels in (np.zeros((50, 88)), np.full((50, 88), -0.3)):
        samples = sonify(levels, FPS, 21)
        assert samples.shape == (round(50 * SAMPLE_RATE / FPS),)
        assert not samples.any()


def test_nothing_exceeds_one():
    samples = sonify(np.full((60, 88), 5.0), FPS, 21, voices=1)
    assert 0.9 < np.abs(samples).max() <= 1


def test_no_clicks_where_levels_jump():
    levels = steady(0.0, 60, 40)
    levels[10:20, 60 - 21] = levels[30:, 60 - 21] = 1
    levels[0, 60 - 21] = 1
    samples = sonify(levels, FPS, 21, voices=1).astype(float)
    steepest = np.abs(np.diff(samples, prepend=0.0, append=0.0)).max()
    # That of the tone itself: sum over partials of amplitude times 2 pi k f / rate.
    f0 = 440 * 2 ** ((60 - 69) / 12)
    slope = 0.8 / sum(tones.PARTIALS) * sum(a * (k + 1) for k, a in enumerate(tones.PARTIALS))
    assert steepest <= 1.02 * slope * 2 * np.pi * f0 / SAMPLE_RATE


@pytest.mark.parametrize("hops", [1, 7, 10_000])
def test_blocks_do_not_show(monkeypatch, hops):
    levels = np.random.default_rng(1).random((64, 12))
    whole = sonify(levels, 24.61, 60)
    monkeypatch.setattr(tones, "_HOPS_AT_A_TIME", hops)
    np.testing.assert_allclose(sonify(levels, 24.61, 60), whole, atol=1e-6)


def test_partials_above_the_nyquist_frequency_are_left_out():
    samples = sonify(steady(1.0, 127, lowest_pitch=60), FPS, 60, 8000)  # 12.5 kHz
    assert not samples.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": np.zeros(3)}, r"levels: shape \(3,\)"),
        ({"levels": np.array([[0.0, np.nan]])}, "levels: nan at frame 0, feature 1"),
        ({"fps": 0.0}, "fps: is 0.0, it must be positive"),
        ({"fps": 1e6}, "fps: is 1e"),
        ({"lowest_pitch": None}, "lowest_pitch: is None, but levels have 2 features"),
        ({"voices": 0}, "voices: is 0"),
        ({"exponent": np.nan}, "exponent: is nan"),
        ({"sample_rate": -1}, "sample_rate: is -1"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"levels": np.zeros((3, 2)), "fps": 10.0, "lowest_pitch": 60, **change}
    with pytest.raises(ValueError, match=message):
        sonify(**arguments)


def test_voices_of_a_target():
    assert most_voices(np.array([[1, 1, 0], [1, 1, 1], [-5, 0, 1]])) == 3
    assert most_voices(np.zeros((2, 3))) == 1
    assert most_voices(np.zeros((0, 3))) == 1


def test_stereo_has_the_recording_on_the_left():
    recording, notes = np.arange(6.0).reshape(3, 2), np.ones(5)
    both = stereo(recording, notes)
    np.testing.assert_array_equal(both.T, [[0.5, 2.5, 4.5, 0, 0], np.ones(5)])
    np.testing.assert_array_equal(stereo(notes, recording[:, 0]).T, [np.ones(5), [0, 2, 4, 0, 0]])
    with pytest.raises(ValueError, match="recording, sonification: shapes"):
        stereo(notes, recording)


@pytest.mark.parametrize("channels", [None, 2])
def test_a_written_file_is_read_back(tmp_path, channels):
    samples = np.random.default_rng(0).uniform(-1.2, 1.2, 1000 if channels is None else (1000, channels))
    path, file = tmp_path / "a.wav", io.BytesIO()
    write_wav(path, samples, 8000)
    write_wav(file, samples, 8000)
    assert path.read_bytes() == file.getvalue()
    with wave.open(str(path)) as opened:
        assert (opened.getnchannels(), opened.getframerate(), opened.getsampwidth()) == (
            channels or 1,
            8000,
            2,
        )
        result = np.frombuffer(opened.readframes(1000), "<i2").reshape(samples.shape) / 32767
    np.testing.assert_allclose(result, np.clip(samples, -1, 1), atol=0.51 / 32767)
    with pytest.raises(ValueError, match=r"samples: shape \(1, 1, 1\)"):
        write_wav(path, np.zeros((1, 1, 1)))


def test_a_recording_is_resampled(tmp_path):
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    write_wav(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), 44100)
    samples = read_recording(tmp_path / "tone.wav")
    assert (samples.shape, samples.dtype) == ((SAMPLE_RATE,), np.float32)
    hertz, amplitude = spectrum(samples)
    assert abs(hertz[amplitude.argmax()] - 1000) < 2
    assert abs(amplitude.max() - 0.5) < 0.01


def sine(frequency, seconds=3.0, sample_rate=SAMPLE_RATE, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sample_rate)) / sample_rate)


@pytest.mark.parametrize("sample_rate", [SAMPLE_RATE, 48000])
def test_loudness_is_calibrated_as_the_standard_says(sample_rate):
    """BS.1770-4: a sine of 997 Hz at full scale in one channel has -3.01 LKFS; gain adds its decibels."""
    assert loudness(sine(997, sample_rate=sample_rate), sample_rate) == pytest.approx(-3.01, abs=0.05)
    softer = sine(997, sample_rate=sample_rate, amplitude=0.1)
    assert loudness(softer, sample_rate) == pytest.approx(-23.01, abs=0.05)


def test_loudness_weighs_frequencies_and_passes_over_silence():
    middle, low, high = (loudness(sine(frequency)) for frequency in (997, 50, 4000))
    assert low < middle - 3
    assert high > middle + 2
    with_pauses = np.concatenate([sine(997), np.zeros(20 * SAMPLE_RATE)])
    assert loudness(with_pauses) == pytest.approx(middle, abs=0.3)
    assert loudness(np.zeros(SAMPLE_RATE)) == loudness(np.zeros(0)) == -np.inf
    with pytest.raises(ValueError, match=r"samples: shape \(3, 2\)"):
        loudness(np.zeros((3, 2)))


@pytest.mark.parametrize("amplitude", [0.003, 0.1, 1.0])
@pytest.mark.parametrize("louder", [0.4, 1.0])
def test_two_sounds_become_equally_loud_and_none_is_clipped(amplitude, louder):
    recording, sonification = sine(330, amplitude=amplitude), sine(4000, amplitude=louder)
    of_recording, of_sonification = like_loud(recording, sonification)
    heard = loudness(of_recording * recording), loudness(of_sonification * sonification)
    assert heard[0] == pytest.approx(heard[1], abs=0.01)
    # At full scale the low tone is the softer one: it cannot be raised, so the other is lowered.
    assert (of_sonification < 1) == (louder == 1)
    assert np.abs(of_recording * recording).max() <= 1 + 1e-9
    assert like_loud(recording, np.zeros(100)) == like_loud(np.zeros(100), recording) == (1.0, 1.0)
