"""Callbacks for Lightning over the inspector and the schedules; needs the extra `lightning`."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from warplens.torch import GammaSchedule
from warplens.training.inspector import TargetInspector


class TargetInspectorCallback(Callback):
    """Lets an inspector look before the first and after each optimizer step, on the process of rank 0.

    Without a writer of its own the inspector writes to the first logger of the trainer that has the methods
    of a TensorBoard `SummaryWriter` (`TensorBoardLogger`); without one it only looks.

    Args:
        inspector: over the network that is trained.
    """

    def __init__(self, inspector: TargetInspector) -> None:
        self.inspector = inspector

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the writer, look at what would be taught first."""
        if not trainer.is_global_zero:
            return
        if self.inspector.writer is None:
            self.inspector.writer = _writer_of(trainer)
        self.inspector.step(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look if a look is due at the optimizer steps done so far."""
        if trainer.is_global_zero:
            self.inspector.step(trainer.global_step)


class GammaScheduleCallback(Callback):
    """Steps a schedule of gamma after each optimizer step and keeps its state in the checkpoints.

    Args:
        schedule: of the loss of the network that is trained.
    """

    def __init__(self, schedule: GammaSchedule) -> None:
        self.schedule = schedule

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Catch up with the optimizer steps done so far: none while gradients are accumulated."""
        while self.schedule.last_step < trainer.global_step:
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of the schedule."""
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume the schedule."""
        self.schedule.load_state_dict(state_dict)


def _writer_of(trainer: Trainer) -> Any:
    for logger in trainer.loggers:
        experiment = getattr(logger, "experiment", None)
        if all(hasattr(experiment, name) for name in ("add_scalar", "add_figure", "add_audio")):
            return experiment
    return None
