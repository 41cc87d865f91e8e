"""Readers of datasets as they are published, on small ones that the tests write."""

import numpy as np
import pytest
from published_datasets import write_bpsd, write_maestro, write_midi, write_sound, write_table
from studies.mpe.configuration import Source
from studies.mpe.datasets import recordings_of
from studies.mpe.errors import StudyError
from studies.mpe.inputs.features import compute_features, read_features
from studies.mpe.inputs.frames import FPS

NOTES = [(0.5, 1.0, 60), (1.0, 1.5, 64), (1.5, 2.5, 67)]


def recordings(dataset, tmp_path, **options):
    return recordings_of(Source(dataset, options), tmp_path / "data")


def table_of(notes):
    return sorted(zip(notes.start.tolist(), notes.end.tolist(), notes.pitch.tolist(), strict=True))


def write_swd(root, *, version="HU33", header='"start";"end";"pitch";"pitchclass";"instrument"'):
    name = f"Schubert_D911-01_{version}"
    write_sound(root / "01_RawData" / "audio_wav" / f"{name}.wav", NOTES, 3.0)
    rows = [(a, b, p, p % 12, '"piano"') for a, b, p in NOTES]
    write_table(root / "02_Annotations" / "ann_audio_note" / f"{name}.csv", header.split(";"), rows)
    measures = root / "02_Annotations" / "ann_audio_measure" / f"{name}.csv"
    write_table(measures, ['"start"', '"measure"'], [(0.5, 1), (1.5, 2), (2.5, 2.999)])


def write_maps(root, *, instrument="ENSTDkCl", header=("OnsetTime", "OffsetTime", "MidiPitch")):
    folder, name = root / instrument / "MUS", f"MAPS_MUS-alb_se3_{instrument}"
    write_sound(folder / f"{name}.wav", NOTES, 3.0)
    write_table(folder / f"{name}.txt", header, NOTES, "\t")


def test_swd(tmp_path):
    write_swd(tmp_path)
    (recording,) = recordings("swd", tmp_path, folder=str(tmp_path), versions=("HU33",), songs=(1,))
    assert recording.work == "Schubert_D911-01"
    assert table_of(recording.notes()) == NOTES
    assert recording.measures().tolist() == [0.5, 1.5, 2.5]


def test_maps(tmp_path):
    write_maps(tmp_path)
    (recording,) = recordings("maps", tmp_path, folder=str(tmp_path), instruments=("ENSTDkCl",))
    assert recording.work == "alb_se3"
    assert table_of(recording.notes()) == NOTES
    assert recording.measures is None


def test_bpsd(tmp_path):
    write_bpsd(tmp_path, versions=("AS35", "WK64"), pieces=("Op002No1-01", "Op013-01"))
    result = recordings("bpsd", tmp_path, folder=str(tmp_path), versions=("AS35",))
    assert [each.work for each in result] == ["Beethoven_Op002No1-01", "Beethoven_Op013-01"]
    assert [each.id for each in result] == ["Beethoven_Op002No1-01_AS35", "Beethoven_Op013-01_AS35"]
    assert np.allclose(np.diff(result[0].measures()), 0.5)


def test_measures_that_do_not_rise_are_left_out(tmp_path):
    write_bpsd(tmp_path, versions=("WK64",))
    path = tmp_path / "2_Annotations" / "ann_audio_measure" / "Beethoven_Op002No1-01_WK64.csv"
    write_table(path, ["time", "measure"], [(1.0, 1), (2.0, 2), (4.0, 3), (3.5, 3.999)])
    (recording,) = recordings("bpsd", tmp_path, folder=str(tmp_path), versions=("WK64",))
    assert recording.measures().tolist() == [1.0, 2.0, 4.0]


def test_maestro_splits(tmp_path):
    write_maestro(tmp_path, count=3)
    ids = {
        split: [each.id for each in recordings("maestro", tmp_path, folder=str(tmp_path), split=split)]
        for split in ("train", "validation", "test")
    }
    assert ids == {
        "train": ["2018/performance-0", "2018/performance-1"],
        "validation": [],
        "test": ["2018/performance-2"],
    }
    (recording,) = recordings("maestro", tmp_path, folder=str(tmp_path), split="test")
    assert recording.work == "Alban Berg: Sonata, Op. 2"  # a comma within quotation marks


def test_the_pedal_holds_notes_until_it_is_up_or_they_are_struck_again(tmp_path):
    from studies.mpe.datasets.pedal import pedalled_notes

    path = tmp_path / "pedal.mid"
    notes = [(0.1, 0.2, 60), (0.5, 0.6, 60), (0.3, 0.4, 64), (1.2, 1.3, 67)]
    write_midi(path, notes, pedal=[(0.15, 127), (0.9, 0)])
    result = [(round(a, 3), round(b, 3), p) for a, b, p in table_of(pedalled_notes(path))]
    assert result == [(0.1, 0.5, 60), (0.3, 0.9, 64), (0.5, 0.9, 60), (1.2, 1.3, 67)]


def test_keys_alone_takes_pedal_and_percussion_away_and_leaves_times(tmp_path):
    import mido
    from studies.mpe.datasets.recording import listed_notes
    from studies.mpe.datasets.rendered import keys_alone

    write_midi(tmp_path / "given.mid", NOTES, pedal=[(0.7, 127), (1.2, 0)])
    given = mido.MidiFile(tmp_path / "given.mid")
    given.tracks[0].insert(0, mido.Message("note_on", channel=9, note=38, velocity=90))
    given.save(tmp_path / "given.mid")
    keys_alone(tmp_path / "given.mid", tmp_path / "keys.mid", program=0)
    assert {message.type for message in mido.MidiFile(tmp_path / "keys.mid") if not message.is_meta} == {
        "note_on",
        "note_off",
        "program_change",
    }
    result = [(round(a, 3), round(b, 3), p) for a, b, p in table_of(listed_notes(tmp_path / "keys.mid"))]
    assert result == NOTES


def test_features_have_the_notes_where_they_sound(tmp_path):
    write_maps(tmp_path)
    source = Source("maps", {"folder": str(tmp_path), "instruments": ("ENSTDkCl",)})
    compute_features(source, tmp_path / "data")
    (features,) = read_features([source], tmp_path / "data")
    assert features.mel.shape == (len(features.roll), 229)
    assert len(features) == int(3.0 * FPS) + 1
    for start, end, pitch in NOTES:
        frames = np.flatnonzero(features.roll[:, pitch - 21])
        assert abs(frames[0] / FPS - start) <= 1 / FPS
        assert abs((frames[-1] + 1) / FPS - end) <= 1 / FPS
    sounding = features.roll.any(axis=1)
    loud = features.mel.max(axis=1)
    assert loud[sounding].min() > loud[: round(0.4 * FPS)].max() + 3


@pytest.mark.parametrize(
    ("dataset", "options", "says"),
    [
        ("maestro", {"split": "train"}, "MAESTRO v3 is not at .* Get it from https://"),
        ("maestro", {"split": "dev"}, "no split 'dev'; set one of train, validation, test"),
        ("bpsd", {"versions": ("WK64",)}, "is not at .* set `folder`"),
        ("swd", {"versions": ("HU33",)}, "is not at .* set `folder`"),
        ("maps", {}, "MAPS is not at .* set `folder`"),
        ("musicnet", {}, "no dataset 'musicnet'; set one of maestro, bpsd, swd, maps, rendered"),
        ("maps", {"instrument": "ENSTDkCl"}, "Options of dataset 'maps': .*instrument"),
    ],
)
def test_a_missing_dataset_says_what_to_do(tmp_path, dataset, options, says):
    with pytest.raises(StudyError, match=says):
        recordings(dataset, tmp_path, folder=str(tmp_path / "nothing"), **options)


def test_a_missing_version_names_those_there(tmp_path):
    write_bpsd(tmp_path, versions=("AS35",))
    with pytest.raises(StudyError, match=r"no recording of version 'WK64' \(versions there: AS35\)"):
        recordings("bpsd", tmp_path, folder=str(tmp_path), versions=("WK64",))


def test_a_wrong_column_is_named(tmp_path):
    write_swd(tmp_path / "swd", header="start;end;note_name;pitchclass;instrument")
    (recording,) = recordings("swd", tmp_path, folder=str(tmp_path / "swd"), versions=("HU33",), songs=(1,))
    with pytest.raises(StudyError, match=r"Schubert_D911-01_HU33.csv: no column 'pitch'.*as published"):
        recording.notes()

    write_maestro(tmp_path / "maestro")
    path = tmp_path / "maestro" / "maestro-v3.0.0.csv"
    path.write_text(path.read_text().replace("audio_filename", "audio"))
    with pytest.raises(StudyError, match=r"has no column 'audio_filename' \(its columns: canonical_composer"):
        recordings("maestro", tmp_path, folder=str(tmp_path / "maestro"), split="train")

    write_bpsd(tmp_path / "bpsd")
    measures = tmp_path / "bpsd" / "2_Annotations" / "ann_audio_measure"
    write_table(measures / "Beethoven_Op002No1-01_AS35.csv", ["seconds", "measure"], [(0, 1)])
    (recording,) = recordings("bpsd", tmp_path, folder=str(tmp_path / "bpsd"), versions=("AS35",))
    with pytest.raises(StudyError, match="has no column 'time'"):
        recording.measures()


def test_a_missing_soundfont_and_a_missing_fluidsynth_say_what_to_install(tmp_path, monkeypatch):
    from studies.mpe.datasets.rendered import render

    options = {"soundfont": str(tmp_path / "none.sf2")}
    (recording,) = recordings("rendered", tmp_path, works=("Maestro_1",), **options)
    with pytest.raises(StudyError, match=r"none.sf2 does not exist. Install one .*apt-get install"):
        render(recording, data=tmp_path / "data", **options)
    (tmp_path / "none.sf2").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="apt-get install fluidsynth"):
        render(recording, data=tmp_path / "data", **options)
    with pytest.raises(StudyError, match="no performance 'Maestro_11'"):
        recordings("rendered", tmp_path, works=("Maestro_11",), **options)
