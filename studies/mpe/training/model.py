"""The network: the convolutional stack of Onsets and Frames, and its frame-wise output."""

import torch
from torch import Tensor, nn

from studies.mpe.inputs.frames import N_MELS, N_PITCHES

CONTEXT_FRAMES = 3
"""Frames on either side that an output depends on: three convolutions over three frames each."""


class ConvStack(nn.Module):
    """Network from log-mel spectra to frame-wise pitch logits.

    Three 3 x 3 convolutions over (frames, bands), each with batch normalisation and ReLU, the last two
    followed by halving of the bands; then a linear layer for each frame and one to the pitches (Hawthorne et
    al., "Onsets and Frames", ISMIR 2018, the frame part without recurrent layers). At width 48 it has 4 334
    152 parameters.

    Args:
        width: channels of the first two convolutions; the third has twice, the linear layer 16 times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.convolutions = nn.Sequential(
            *_convolution(1, width),
            *_convolution(width, width),
            nn.MaxPool2d((1, 2)),
            nn.Dropout(0.25),
            *_convolution(width, 2 * width),
            nn.MaxPool2d((1, 2)),
            nn.Dropout(0.25),
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frames = nn.Sequential(
            nn.Linear(2 * width * (N_MELS // 4), 16 * width),
            nn.Dropout(0.5),
            nn.Linear(16 * width, N_PITCHES),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """Return logits (B, N, 88) of log-mel spectra (B, N, 229)."""
        x = mel.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x = self.convolutions(x)  # (B, 2 width, N, 57)
        logits: Tensor = self.frames(x.transpose(1, 2).flatten(-2))
        return logits


def _convolution(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]


def parameter_count(width: int) -> int:
    """Count the trainable numbers of a network."""
    return sum(parameter.numel() for parameter in ConvStack(width).parameters())
