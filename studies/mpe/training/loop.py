"""The training loop: steps, and a state from which a killed run resumes exactly."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from studies.mpe.errors import StudyError
from studies.mpe.inputs.segments import Batch
from studies.mpe.training.checkpoint import check_width, load_checkpoint, save_checkpoint
from studies.mpe.training.model import ConvStack

SAVE_EVERY_SECONDS = 60.0

_LOSS_STEPS = 20


class Objective(Protocol):
    """Objective that training minimises."""

    def before_step(self, step: int, network: ConvStack) -> None:
        """Prepare a step, for example by relabelling."""

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of what the network returns for a batch, (B,N,...)."""

    def gamma(self) -> float:
        """Return gamma of the loss; NaN where it has none."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next steps depend on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a state."""


class Training:
    """Steps of Adam on a network, resumable: on the CPU to the bit, on CUDA as far as its kernels repeat.

    Batches depend on the step alone; all else (network, Adam, learning rate, objective, random numbers of
    dropout on the device, history of loss and gamma) is in the checkpoint.

    Args:
        network: is changed in place.
        objective: what is minimised, see `Objective`.
        batches: the batch of a step.
        learning_rate: learning rate of Adam at first.
        decay: factor on it every `decay_steps`.
        decay_steps: steps between two decays of the learning rate.
        clip_norm: to which the norm of the gradient is clipped; 0 does not.
        seed: seed of dropout.
        digest: hash of all settings; a checkpoint with another is not resumed.
        path: file of the checkpoint.
        precision: precision of the network's products.
    """

    def __init__(
        self,
        network: ConvStack,
        objective: Objective,
        batches: Callable[[int], Batch],
        *,
        learning_rate: float,
        decay: float = 1.0,
        decay_steps: int = 1,
        clip_norm: float = 0.0,
        seed: int,
        digest: str,
        path: Path,
        precision: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.network = network.to(device)
        self.objective = objective
        self.batches = batches
        self.clip_norm = clip_norm
        self.digest = digest
        self.path = path
        self.precision = precision
        self.device = device
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []
        self.gammas: list[float] = []
        self.optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
        self.rates = torch.optim.lr_scheduler.StepLR(self.optimizer, max(decay_steps, 1), decay)
        torch.manual_seed(seed)
        if path.exists():
            self._resume(load_checkpoint(path))

    def until(
        self,
        steps: int,
        *,
        keep: dict[int, Path] | None = None,
        progress: Callable[[str], None] = lambda _: None,
        save_every: float = SAVE_EVERY_SECONDS,
    ) -> None:
        """Train up to a step, writing the checkpoint every `save_every` seconds and at the end.

        Args:
            steps: in all.
            keep: further files of the state, by the number of steps after which each is written.
            progress: called with a line every ten seconds.
            save_every: seconds between two writings.
        """
        before, began, saved, reported = self.seconds, time.perf_counter(), time.perf_counter(), 0.0
        while self.step < steps:
            self._take_step()
            now = time.perf_counter()
            self.seconds = before + now - began
            if keep and self.step in keep:
                save_checkpoint(keep[self.step], self.state())
            if now - saved > save_every:
                save_checkpoint(self.path, self.state())
                saved = now
            if now - reported > 10 or self.step == steps:
                recent = self.losses[-50:]
                progress(
                    f"step {self.step}/{steps}  loss {sum(recent) / len(recent):.4f}  "
                    f"gamma {self.gammas[-1]:g}  {self.seconds / self.step:.3f} s a step"
                )
                reported = now
        save_checkpoint(self.path, self.state())

    def _take_step(self) -> None:
        self.objective.before_step(self.step, self.network)
        batch = self.batches(self.step)
        self.network.train()
        self.optimizer.zero_grad()
        with self._autocast():
            outputs = self.network(batch.mel.to(self.device))
        loss = self.objective(outputs.float(), batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        self.optimizer.step()
        self.rates.step()
        self.losses.append(float(loss.detach()))
        self.gammas.append(self.objective.gamma())
        self.step += 1

    @property
    def _is_cuda(self) -> bool:
        return torch.device(self.device).type == "cuda"

    def _autocast(self) -> Any:
        if self.precision == "bfloat16":
            return torch.autocast(self.device, torch.bfloat16)
        return nullcontext()

    def write_history(self) -> None:
        """Write loss and gamma of every step to `history.csv` beside the checkpoint."""
        rows = enumerate(zip(self.losses, self.gammas, strict=True))
        lines = [f"{step},{loss:.6g},{gamma:g}" for step, (loss, gamma) in rows]
        self.path.with_name("history.csv").write_text("\n".join(["step,loss,gamma", *lines]) + "\n", "utf-8")

    def state(self) -> dict[str, Any]:
        """Return the content of the checkpoint."""
        return {
            "width": self.network.width,
            "output": self.network.output,
            "digest": self.digest,
            "seed": self.seed,
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rates": self.rates.state_dict(),
            "objective": self.objective.state_dict(),
            "random": torch.get_rng_state(),
            "random_of_device": torch.cuda.get_rng_state(self.device) if self._is_cuda else None,
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "gammas": torch.tensor(self.gammas, dtype=torch.float64),
        }

    def _resume(self, state: dict[str, Any]) -> None:
        check_width(state, self.path, width=self.network.width)
        if (state["digest"], state["seed"]) != (self.digest, self.seed):
            raise StudyError(
                f"The checkpoint {self.path} was made with other settings; remove its folder to train anew, "
                "or give "
                "the study another `name`."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rates.load_state_dict(state["rates"])
        self.objective.load_state_dict(state["objective"])
        torch.set_rng_state(state["random"])
        # None or missing where the checkpoint is of another device or older: dropout then begins anew.
        if self._is_cuda and state.get("random_of_device") is not None:
            torch.cuda.set_rng_state(state["random_of_device"], self.device)
        self.step, self.seconds = state["step"], state["seconds"]
        self.losses, self.gammas = state["losses"].tolist(), state["gammas"].tolist()


def losses_at_ends(losses: Sequence[float]) -> dict[str, float]:
    """Average the loss of the first and of the last 20 steps, of fewer where there are fewer than 40."""
    count = max(1, min(_LOSS_STEPS, len(losses) // 2))
    return {"first_loss": sum(losses[:count]) / count, "last_loss": sum(losses[-count:]) / count}
