"""Callbacks for Lightning over the inspector and the schedules; needs the extra `lightning`."""

from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"warplens.training.lightning needs '{error.name}', which is not installed: "
        "pip install warplens[lightning]",
        name=error.name,
    ) from error

from warplens.torch.schedules import Schedule
from warplens.training.inspector import TargetInspector

__all__ = ["GammaScheduleCallback", "TargetInspectorCallback"]


class TargetInspectorCallback(Callback):
    """Callback that asks an inspector before the first and after each optimizer step, on rank 0.

    Without a writer of its own the inspector writes to the first logger of the trainer that has the methods
    of a TensorBoard `SummaryWriter` (`TensorBoardLogger`), as long as this one trains; without one it
    writes nothing.

    Args:
        inspector: over the network that is trained.
    """

    def __init__(self, inspector: TargetInspector) -> None:
        self.inspector = inspector
        self._lent = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the writer, inspect what would be taught first."""
        if not trainer.is_global_zero:
            return
        if self.inspector.writer is None:
            self.inspector.writer = _writer_of(trainer)
            self._lent = True
        self.inspector.step(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Inspect if it is due at the optimizer steps done so far."""
        if trainer.is_global_zero:
            self.inspector.step(trainer.global_step)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Return the logger to its trainer."""
        self._return_writer()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Return the logger to its trainer: another trainer has its own."""
        self._return_writer()

    def _return_writer(self) -> None:
        if self._lent:
            self.inspector.writer = None
            self._lent = False


class GammaScheduleCallback(Callback):
    """Callback that steps a schedule after each optimizer step and keeps its state in the checkpoints.

    Steps are counted from where the schedule stands when training begins: a schedule that comes late, or goes
    on under a second trainer, neither jumps nor waits.

    Args:
        schedule: schedule of gamma for the loss that trains the network, or of the weight of its prior.
        name: name of its state in the checkpoint; needed where two schedules move numbers of one name.
            None is the name of the number, "gamma" or "weight".
    """

    def __init__(self, schedule: Schedule, *, name: str | None = None) -> None:
        self.schedule = schedule
        self.name = schedule.moves if name is None else name
        self._begun = 0

    @property
    def state_key(self) -> str:
        """Key of this callback in a checkpoint."""
        return self._generate_state_key(name=self.name)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember at which optimizer step the schedule was at its step 0."""
        self._begun = trainer.global_step - self.schedule.last_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Catch up with the optimizer steps done so far: none while gradients are accumulated."""
        while self.schedule.last_step < trainer.global_step - self._begun:
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule."""
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
