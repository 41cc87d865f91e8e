"""The network: the convolutional stack of Onsets and Frames, and its frame-wise output."""

import math

import torch
from torch import Tensor, nn

from studies.mpe.configuration import Output
from studies.mpe.inputs.frames import N_MELS, N_PITCHES

CONTEXT_FRAMES = 3
"""Frames on either side that an output depends on: three convolutions over three frames each."""


SHAPES: dict[Output, tuple[int, ...]] = {
    "sigmoid": (N_PITCHES,),
    "we": (1 + N_PITCHES, 2),
    "ne3": (N_PITCHES, 3),
}
"""Shape of the output for a frame."""


class ConvStack(nn.Module):
    """Network from log-mel spectra to frame-wise pitch logits.

    Three 3 x 3 convolutions over (frames, bands), each with batch normalisation and ReLU, the last two
    followed by halving of the bands; then a linear layer for each frame and one to the pitches (Hawthorne et
    al., "Onsets and Frames", ISMIR 2018, the frame part without recurrent layers). At width 48 it has 4 334
    152 parameters.

    Args:
        width: channels of the first two convolutions; the third has twice, the linear layer 16 times as many.
        output: "sigmoid", a logit for each of the 88 pitches; or the scores of the categories of multi-label
            CTC: "we", an overall blank and the pitches, each off or on, (89,2); "ne3", the pitches, each
            blank, off or on, (88,3).
    """

    def __init__(self, width: int, output: Output = "sigmoid") -> None:
        super().__init__()
        self.width = width
        self.output: Output = output
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
            nn.Linear(16 * width, math.prod(SHAPES[output])),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """Return logits (B, N, 88), (B, N, 89, 2) or (B, N, 88, 3) of log-mel spectra (B, N, 229)."""
        x = mel.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x = self.convolutions(x)  # (B, 2 width, N, 57)
        logits: Tensor = self.frames(x.transpose(1, 2).flatten(-2))
        return logits.reshape(*logits.shape[:-1], *SHAPES[self.output])


def _convolution(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]


def with_output(network: ConvStack, output: Output) -> ConvStack:
    """Return a network with another output layer, whose probabilities of "on" are those of a network.

    All else begins at 0: under "we" the overall blank is as likely as not, under "ne3" blank and off share
    what is not on.
    """
    if network.output == output:
        return network
    made = ConvStack(network.width, output)
    state = network.state_dict()
    for name in ("weight", "bias"):
        given = state[f"frames.2.{name}"]
        scores = given.new_zeros(SHAPES[output] + given.shape[1:])
        scores[-N_PITCHES:, -1] = given
        if name == "bias":
            scores[-N_PITCHES:, -1] += math.log(SHAPES[output][-1] - 1)
        state[f"frames.2.{name}"] = scores.flatten(0, 1)
    made.load_state_dict(state)
    return made


def pitch_logits(outputs: Tensor, output: Output) -> Tensor:
    """Return the logits (..., 88) of the probabilities of "on" from what a network returns."""
    if output == "sigmoid":
        return outputs
    scores = outputs[..., -N_PITCHES:, :]
    return scores[..., -1] - scores[..., :-1].logsumexp(-1)


def parameter_count(width: int, output: Output = "sigmoid") -> int:
    """Count the trainable numbers of a network."""
    return sum(parameter.numel() for parameter in ConvStack(width, output).parameters())
