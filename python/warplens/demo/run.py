"""The demo: two items of its own, analysed as any corpus is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.report import ReportItem, Sound, write_report
from warplens.analysis.sonify import like_loud, most_voices, sonify, stereo, write_wav
from warplens.corpus import Progress, Run, Settings, analyze, item_path, read_analysis
from warplens.demo.figure2 import figure_2
from warplens.demo.piece import Articulation, compose
from warplens.demo.piece_item import KeptNotes, kept_notes, piece_item
from warplens.demo.synthesis import SAMPLE_RATE, synthesize
from warplens.io import Item

_CHANNELS = "left the piece, right Y_mod"


@dataclass(frozen=True)
class Demo:
    """Files and results of the demo.

    Attributes:
        run: the run over both items.
        recording: the sound of the piece.
        target_sounds: at each gamma, the piece on the left and Y_mod as sound on the right.
        seconds: duration of the piece.
        piece: analysis of the piece.
        figure_2: analysis of the paper's Figure 2, its events a, b, c in order.
        kept: at each gamma, how many staccato and sustained notes of the piece stay.
    """

    run: Run
    recording: Path
    target_sounds: list[Path]
    seconds: float
    piece: ItemAnalysis
    figure_2: ItemAnalysis
    kept: list[dict[Articulation, KeptNotes]]


def run_demo(out: Path, *, progress: Progress | None = None) -> Demo:
    """Make the items in OUT/input and the sound in OUT/piece.wav, analyse them into OUT, let Y_mod be heard.

    The report plays the piece on the left and Y_mod on the right, equally loud where nothing has faded.

    Raises:
        OSError: something cannot be written.
    """
    inputs = out / "input"
    inputs.mkdir(parents=True, exist_ok=True)
    piece = compose()
    samples = synthesize(piece)
    recording = out / "piece.wav"
    item = piece_item(piece, samples)
    write_wav(recording, samples, SAMPLE_RATE)
    _save_item(inputs / "piece.npz", item)
    _save_item(inputs / "figure-2.npz", figure_2())
    run = analyze([inputs], out, Settings(gammas=(0.1, 1.0, 10.0)), progress=progress)
    analysis, of_figure_2 = (read_analysis(item_path(out, name)) for name in ("piece", "figure-2"))
    sounds = _write_target_sounds(out, samples, item, analysis)
    gammas = analysis.gammas.tolist()
    heard = tuple(Sound(path.name, gamma, _CHANNELS) for path, gamma in zip(sounds, gammas, strict=True))
    entries = {
        "piece": ReportItem("piece", item, analysis, sounds=heard),
        "figure-2": ReportItem("figure-2", figure_2(), of_figure_2),
    }
    # Again, now that there are sounds of what the analysis found.
    write_report(out, [row for each in run.outcomes for row in each.rows], entries.__getitem__)
    return Demo(
        run,
        recording,
        sounds,
        len(samples) / SAMPLE_RATE,
        analysis,
        of_figure_2,
        kept_notes(piece, analysis),
    )


def _write_target_sounds(
    out: Path, samples: NDArray[np.float32], item: Item, analysis: ItemAnalysis
) -> list[Path]:
    assert item.fps is not None
    paths = []
    gains: tuple[float, float] | None = None
    for gamma, y_mod in zip(analysis.gammas, analysis.y_mod, strict=True):
        notes = sonify(y_mod, item.fps, item.lowest_pitch, SAMPLE_RATE, voices=most_voices(item.weak))
        gains = gains or like_loud(samples, notes, SAMPLE_RATE)
        paths.append(out / f"piece.gamma{gamma:g}.wav")
        write_wav(paths[-1], stereo(gains[0] * samples, gains[1] * notes), SAMPLE_RATE)
    return paths


def _save_item(path: Path, item: Item) -> None:
    known: dict[str, Any] = {key: value for key, value in vars(item).items() if value is not None}
    np.savez(path, allow_pickle=False, **known)
