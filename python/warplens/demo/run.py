"""The demo: two items of its own, analysed as any corpus is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.sonify import most_voices, sonify, stereo, write_wav
from warplens.corpus import Progress, Run, Settings, analyze, item_path, read_analysis
from warplens.demo.figure2 import figure_2
from warplens.demo.piece import Articulation, compose
from warplens.demo.piece_item import KeptNotes, kept_notes, piece_item
from warplens.demo.synthesis import SAMPLE_RATE, synthesize
from warplens.io import Item


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
    analysis = read_analysis(item_path(out, "piece"))
    return Demo(
        run,
        recording,
        _write_target_sounds(out, samples, item, analysis),
        len(samples) / SAMPLE_RATE,
        analysis,
        read_analysis(item_path(out, "figure-2")),
        kept_notes(piece, analysis),
    )


def _write_target_sounds(
    out: Path, samples: NDArray[np.float32], item: Item, analysis: ItemAnalysis
) -> list[Path]:
    assert item.fps is not None
    paths = []
    for gamma, y_mod in zip(analysis.gammas, analysis.y_mod, strict=True):
        notes = sonify(y_mod, item.fps, item.lowest_pitch, SAMPLE_RATE, voices=most_voices(item.weak))
        paths.append(out / f"piece.gamma{gamma:g}.wav")
        write_wav(paths[-1], stereo(samples, notes), SAMPLE_RATE)
    return paths


def _save_item(path: Path, item: Item) -> None:
    known: dict[str, Any] = {key: value for key, value in vars(item).items() if value is not None}
    np.savez(path, allow_pickle=False, **known)
