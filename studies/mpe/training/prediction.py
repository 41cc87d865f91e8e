"""Predictions of a network for whole recordings and for segments."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from studies.mpe.inputs.features import Features
from studies.mpe.inputs.segments import Segment
from studies.mpe.training.model import CONTEXT_FRAMES, ConvStack
from warplens.analysis.level_colors import predicted_levels
from warplens.training.probes import undisturbed

_CHUNK_FRAMES = 500
_SEGMENTS_AT_ONCE = 8


def recording_outputs(network: ConvStack, features: Features) -> NDArray[np.float32]:
    """Return the outputs (N,...) for a recording; chunks overlap by the context of a frame: no seams."""
    device = next(network.parameters()).device
    parts = []
    with undisturbed(network):
        for first in range(0, len(features), _CHUNK_FRAMES):
            start, stop = max(0, first - CONTEXT_FRAMES), first + _CHUNK_FRAMES + CONTEXT_FRAMES
            mel = torch.from_numpy(np.array(features.mel[start:stop]))
            outputs = network(mel[None].to(device))[0].float().cpu().numpy()
            parts.append(outputs[first - start :][:_CHUNK_FRAMES])
    return np.concatenate(parts)


def segment_outputs(network: ConvStack, segments: Sequence[Segment]) -> list[NDArray[np.float32]]:
    """Return the outputs (N,...) for each segment without what surrounds it."""
    device = next(network.parameters()).device
    results: list[NDArray[np.float32] | None] = [None] * len(segments)
    lengths = [segment.stop - segment.first for segment in segments]
    by_length = sorted(range(len(segments)), key=lambda i: lengths[i])
    at = 0
    with undisturbed(network):
        while at < len(by_length):
            # Segments of one length go together: what lies behind the end of a shorter one would be seen.
            length = lengths[by_length[at]]
            group = [i for i in by_length[at : at + _SEGMENTS_AT_ONCE] if lengths[i] == length]
            mel = torch.from_numpy(np.stack([segments[i].mel for i in group]))
            for i, outputs in zip(group, network(mel.to(device)).float().cpu().numpy(), strict=True):
                results[i] = outputs
            at += len(group)
    return [outputs for outputs in results if outputs is not None]


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of active pitches."""
    return np.asarray(predicted_levels(logits, "bce_logits"), np.float32)
