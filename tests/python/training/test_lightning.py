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
def test_it_inspects_at_optimizer_steps(accumulate, tmp_path):
    task, writer = Task(), RecordingWriter()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), writer, every=2, pictures_every=None)
    fit(task, tmp_path, TargetInspectorCallback(inspector), accumulate_grad_batches=accumulate)
    steps = [step for tag, _, step in writer.scalars if tag == "targets/gamma"]
    assert steps == list(range(0, 8 // accumulate + 1, 2))
    assert task.model.training


def test_it_writes_to_the_logger_of_each_trainer(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    task = Task()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), every=16, pictures_every=None)
    for name in ("first", "second"):  # 8 steps each: step 0 alone is inspected
        logger = lightning.loggers.TensorBoardLogger(str(tmp_path), name=name)
        fit(task, tmp_path, TargetInspectorCallback(inspector), logger=logger)
        assert inspector.writer is None
        logger.experiment.flush()
        events = EventAccumulator(logger.log_dir)
        events.Reload()
        assert [each.step for each in events.Scalars("targets/gamma")] == [0]
    assert inspector.last is not None


def test_a_trainer_that_fails_lets_go_of_its_logger(tmp_path):
    pytest.importorskip("tensorboard")
    seen = []

    class Failing(Task):
        def training_step(self, batch, index):
            seen.append(inspector.writer)
            raise RuntimeError("as any network may")

    task = Failing()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]), pictures_every=None)
    logger = lightning.loggers.TensorBoardLogger(str(tmp_path))
    with pytest.raises(RuntimeError, match="as any network may"):
        fit(task, tmp_path, TargetInspectorCallback(inspector), logger=logger)
    assert seen == [logger.experiment]
    assert inspector.writer is None


def test_a_logger_found_late_without_matplotlib_gives_the_remedy(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.setattr("warplens.training.inspector.find_spec", lambda name: None)
    task = Task()
    inspector = TargetInspector(task.loss, Probes(task.model, [ITEM]))
    logger = lightning.loggers.TensorBoardLogger(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match=r"warplens\[display\]"):
        fit(task, tmp_path, TargetInspectorCallback(inspector), logger=logger)


def test_a_network_in_half_precision_is_inspected(tmp_path):
    class Linear(Task):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 6)

        def forward(self, frames):
            return self.linear(self.model(frames))

    task = Linear()
    inspector = TargetInspector(task.loss, Probes(task, [ITEM]), every=4)
    fit(task, tmp_path, TargetInspectorCallback(inspector), precision="bf16-true")
    assert inspector.last.left_out == ()
    assert inspector.last.targets[0].y_mod.shape == ITEM.strong.shape


def test_without_a_board_it_writes_nothing(tmp_path):
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


def test_a_schedule_goes_on_under_a_second_trainer(tmp_path):
    task = Task()
    schedule = wlt.LinearGamma(task.loss, 30.0, 10.0, 20)
    for steps in (8, 16):
        fit(task, tmp_path, GammaScheduleCallback(schedule))
        assert schedule.last_step == steps
        assert task.loss.gamma.item() == 30.0 - steps


def test_a_schedule_that_comes_late_begins_at_its_beginning(tmp_path):
    trainer = fit(Task(), tmp_path, max_epochs=1, enable_checkpointing=True)
    task = Task()
    schedule = wlt.LinearGamma(task.loss, 30.0, 10.0, 20)
    path = trainer.checkpoint_callback.best_model_path
    fit(task, tmp_path, GammaScheduleCallback(schedule), resume=path)
    assert schedule.last_step == 4


def test_schedules_of_gamma_and_of_a_prior_share_a_checkpoint(tmp_path):
    def task_and_callbacks():
        task = Task()
        prior = wlt.DiagonalPrior("bce_logits", 3.0)
        task.loss = wlt.SoftDTWLoss(prior)
        schedules = (
            wlt.LinearGamma(task.loss, 30.0, 10.0, 20),
            wlt.PiecewisePriorWeight(prior, [(0, 3.0), (6, 0.0)]),
        )
        return task, prior, [GammaScheduleCallback(each) for each in schedules]

    task, prior, callbacks = task_and_callbacks()
    trainer = fit(task, tmp_path, *callbacks, max_epochs=1, enable_checkpointing=True)
    assert (task.loss.gamma.item(), prior.weight.item()) == (26.0, 1.0)
    task, prior, callbacks = task_and_callbacks()
    fit(task, tmp_path, *callbacks, resume=trainer.checkpoint_callback.best_model_path)
    assert (task.loss.gamma.item(), prior.weight.item()) == (22.0, 0.0)
    gamma = callbacks[0].schedule
    assert GammaScheduleCallback(gamma, name="one").state_key != GammaScheduleCallback(gamma).state_key
