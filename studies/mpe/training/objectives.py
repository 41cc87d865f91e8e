"""Objectives: a loss on weak targets, binary cross entropy on strong or hard-aligned ones."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from studies.mpe.inputs.segments import Batch, Segment
from studies.mpe.training.losses import WeakLoss
from studies.mpe.training.model import ConvStack
from studies.mpe.training.prediction import segment_outputs
from warplens.torch import GammaSchedule, MultiLabelCTCLoss, PiecewisePriorWeight
from warplens.training import TargetInspector, hard_targets


class WithoutGamma:
    """Objective that is no loss of the family."""

    def gamma(self) -> float:
        """Return NaN: there is no gamma."""
        return float("nan")


class StrongTargets(WithoutGamma):
    """Mean binary cross entropy against the strong targets, over the frames that there are."""

    def before_step(self, step: int, network: ConvStack) -> None:
        """Do nothing."""

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of a batch's logits (B,N,88)."""
        return frame_loss(outputs, batch.strong, batch.lengths)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class WeakTargets:
    """A loss of the family on weak targets, with schedules of gamma and of a prior, and an inspector.

    Args:
        loss: the loss; a `MultiLabelCTCLoss` reads log-probabilities, the others logits of pitches.
        schedule: schedule of gamma.
        inspector: inspector of the modified targets of probes.
        prior_schedule: schedule of the weight of a diagonal prior, where there is one.
    """

    def __init__(
        self,
        loss: WeakLoss,
        schedule: GammaSchedule,
        inspector: TargetInspector,
        prior_schedule: PiecewisePriorWeight | None = None,
    ) -> None:
        self.loss = loss
        self.schedule = schedule
        self.inspector = inspector
        self.prior_schedule = prior_schedule
        self.seconds_before = 0.0

    def before_step(self, step: int, network: ConvStack) -> None:
        """Move gamma and the prior, except before the first step, and inspect if it is due."""
        if step:
            self.schedule.step()
            if self.prior_schedule is not None:
                self.prior_schedule.step()
        self.inspector.step(step)

    @property
    def inspection_seconds(self) -> float:
        """Time spent inspecting, in all."""
        return self.seconds_before + self.inspector.seconds

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Compute the mean over pairs of the loss."""
        weak = batch.weak.to(outputs.device)
        value: Tensor = self.loss(scores_for(self.loss, outputs), weak, batch.lengths, batch.weak_lengths)
        return value

    def gamma(self) -> float:
        """Return the present gamma of the loss."""
        return self.schedule.get_last_gamma()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedules and the time spent inspecting."""
        prior = None if self.prior_schedule is None else self.prior_schedule.state_dict()
        return {
            "schedule": self.schedule.state_dict(),
            "prior": prior,
            "inspection_seconds": self.inspection_seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the schedules and the time spent inspecting."""
        self.schedule.load_state_dict(state["schedule"])
        if self.prior_schedule is not None:
            self.prior_schedule.load_state_dict(state["prior"])
        self.seconds_before = state["inspection_seconds"]


def scores_for(loss: WeakLoss, outputs: Tensor) -> Tensor:
    """Return what a loss reads of the outputs of a network."""
    return outputs.log_softmax(-1) if isinstance(loss, MultiLabelCTCLoss) else outputs


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
                for logits, segment in zip(
                    segment_outputs(network, self.segments), self.segments, strict=True
                )
            ]

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of a batch's logits against the labels of its segments."""
        targets = torch.zeros(outputs.shape)
        for b, i in enumerate(batch.indices):
            targets[b, : batch.lengths[b]] = self.labels[i].float()
        return frame_loss(outputs, targets, batch.lengths)

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
