"""The callbacks, in a real trainer."""

import pytest
import torch
from probe_items import Confidence, RecordingWriter, probe
from torch.utils.data import DataLoader, Dataset

import warplens.torch as wlt
from warplens.training import Probes, TargetInspector

lightning = pytest.importorskip("lightning.pytorch")

from warplens.training.lightning import GammaScheduleCallback, TargetInspectorCallback  # noqa: E402

# What Lightning warns of (workers, logging intervals, its own imports) is not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

ITEM = probe(0)


class Pairs(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return ITEM.inputs, torch.from_numpy(ITEM.weak)


class Task(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Confidence()
        self.loss = wlt.SoftDTWLoss("bce_logits", 10.0)

    def training_step(self, batch, index):
        return self.loss(self.model(batch[0]), batch[1], None, None)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def fit(task, path, *callbacks, **options):
    resume = options.pop("resume", None)
    trainer = lightning.Trainer(
        default_root_dir=path,
        max_epochs=options.pop("max_epochs", 2),
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **{"logger": False, "enable_checkpointing": False, **options},
    )
    trainer.fit(task, DataLoader(Pairs(), batch_size=2), ckpt_path=resume)
    return trainer


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_looks_at_optimizer_steps(accumulate, tmp_path):
    task, writer = Task(), RecordingWriter()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), writer, every=2, pictures_every=None)
    fit(task, tmp_path, TargetInspectorCallback(inspector), accumulate_grad_batches=accumulate)
    steps = [step for tag, _, step in writer.scalars if tag == "targets/gamma"]
    assert steps == list(range(0, 8 // accumulate + 1, 2))
    assert task.model.training


def test_it_writes_to_the_logger_of_the_trainer(tmp_path):
    pytest.importorskip("tensorboard")
    task = Task()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), every=4, pictures_every=None)
    logger = lightning.loggers.TensorBoardLogger(str(tmp_path))
    fit(task, tmp_path, TargetInspectorCallback(inspector), logger=logger)
    assert inspector.writer is logger.experiment
    assert inspector.last is not None


def test_without_a_board_it_only_looks(tmp_path):
    task = Task()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), every=4)
    fit(task, tmp_path, TargetInspectorCallback(inspector))
    assert inspector.writer is None
    assert inspector.last is not None


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_schedule_steps_with_the_optimizer_and_is_in_the_checkpoint(accumulate, tmp_path):
    task = Task()
    schedule = wlt.LinearGamma(task.loss, 10.0, 1.0, 9)
    trainer = fit(
        task,
        tmp_path,
        GammaScheduleCallback(schedule),
        max_epochs=1,
        enable_checkpointing=True,
        accumulate_grad_batches=accumulate,
    )
    assert schedule.last_step == trainer.global_step == 4 // accumulate
    again = Task()
    resumed = wlt.LinearGamma(again.loss, 10.0, 1.0, 9)
    fit(
        again,
        tmp_path,
        GammaScheduleCallback(resumed),
        resume=trainer.checkpoint_callback.best_model_path,
        accumulate_grad_batches=accumulate,
    )
    assert resumed.last_step == 8 // accumulate
    assert again.loss.gamma.item() == pytest.approx(10.0 - resumed.last_step)
