"""Objectives: soft DTW on weak targets, binary cross entropy on strong or hard-aligned ones."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from studies.mpe.inputs.segments import Batch, Segment
from studies.mpe.training.model import ConvStack
from studies.mpe.training.prediction import segment_logits
from warplens.torch import GammaSchedule, SoftDTWLoss
from warplens.training import TargetInspector, hard_targets


class WithoutGamma:
    """Objective other than soft DTW."""

    def gamma(self) -> float:
        """Return NaN: there is no gamma."""
        return float("nan")


class StrongTargets(WithoutGamma):
    """Mean binary cross entropy against the strong targets, over the frames that there are."""

    def before_step(self, step: int, network: ConvStack) -> None:
        """Do nothing."""

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of a batch's logits (B,N,88)."""
        return frame_loss(logits, batch.strong, batch.lengths)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class WeakTargets:
    """Weighted soft DTW under binary cross entropy, with a schedule of gamma and an inspector."""

    def __init__(self, loss: SoftDTWLoss, schedule: GammaSchedule, inspector: TargetInspector) -> None:
        self.loss = loss
        self.schedule = schedule
        self.inspector = inspector
        self.seconds_before = 0.0

    def before_step(self, step: int, network: ConvStack) -> None:
        """Move gamma, except before the first step, and inspect the modified targets if it is due."""
        if step:
            self.schedule.step()
        self.inspector.step(step)

    @property
    def inspection_seconds(self) -> float:
        """Time spent inspecting, in all."""
        return self.seconds_before + self.inspector.seconds

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Compute the mean over pairs of soft DTW."""
        device = logits.device
        value: Tensor = self.loss(logits, batch.weak.to(device), batch.lengths, batch.weak_lengths)
        return value

    def gamma(self) -> float:
        """Return the present gamma of the loss."""
        return self.schedule.get_last_gamma()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule and the time spent inspecting."""
        return {"schedule": self.schedule.state_dict(), "inspection_seconds": self.inspection_seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the schedule and the time spent inspecting."""
        self.schedule.load_state_dict(state["schedule"])
        self.seconds_before = state["inspection_seconds"]


class HardAlignedTargets(WithoutGamma):
    """Hard-aligned targets in the manner of expectation-maximisation (Maman & Bermano, ICML 2022).

    Every so many steps the weak target of each segment is aligned by hard DTW to what the network predicts;
    the frames so labelled are the targets of binary cross entropy until the next round.

    Args:
        segments: all that are trained on.
        step_weights: step weights of DTW.
        every: steps between two rounds.
    """

    def __init__(
        self, segments: Sequence[Segment], step_weights: tuple[float, float, float], every: int
    ) -> None:
        self.segments = segments
        self.step_weights = step_weights
        self.every = max(every, 1)
        self.labels: list[Tensor] = []

    def before_step(self, step: int, network: ConvStack) -> None:
        """Align again when a round is over."""
        if step % self.every == 0 or not self.labels:
            self.labels = [
                hard_targets(
                    torch.from_numpy(logits),
                    torch.from_numpy(segment.weak().y),
                    cost="bce_logits",
                    step_weights=self.step_weights,
                ).bool()
                for logits, segment in zip(segment_logits(network, self.segments), self.segments, strict=True)
            ]

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of a batch's logits against the labels of its segments."""
        targets = torch.zeros(logits.shape)
        for b, i in enumerate(batch.indices):
            targets[b, : batch.lengths[b]] = self.labels[i].float()
        return frame_loss(logits, targets, batch.lengths)

    def state_dict(self) -> dict[str, Any]:
        """Return the labels, which later steps depend on."""
        return {"labels": self.labels}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the labels."""
        self.labels = state["labels"]


def frame_loss(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Compute the mean binary cross entropy over all cells that are not padding."""
    inside = torch.arange(logits.shape[1]) < lengths[:, None]  # (B,N)
    cells = F.binary_cross_entropy_with_logits(logits, targets.to(logits.device), reduction="none")
    return cells[inside.to(logits.device)].mean()
