"""Folders and files of the study."""

from dataclasses import dataclass
from pathlib import Path

from studies.mpe.configuration import Configuration, Run
from studies.mpe.record import read_result

HERE = Path(__file__).parent
DATA = HERE / "data"
"""Default folder of rendered datasets, features and results; never committed."""


@dataclass(frozen=True)
class Places:
    """Files of a study in a folder of data.

    Attributes:
        data: the folder.
        configuration: configuration of the study.
    """

    data: Path
    configuration: Configuration

    @property
    def results(self) -> Path:
        """Folder of the study's table and figures, and of the lock that one process holds."""
        return self.data / "results" / self.configuration.name

    def pretraining(self, seed: int) -> Path:
        """Return the folder of a pre-training, which studies of the same settings share."""
        return self.data / "pretraining" / self.configuration.digest() / f"seed-{seed}"

    def start(self, run: Run, seed: int) -> Path:
        """Return the checkpoint that a run starts from."""
        return self.pretraining(seed) / ("checkpoint.pt" if run.start == "full" else "short.pt")

    def run(self, run: Run, seed: int) -> Path:
        """Return the folder of a run, which studies that ask for the same share."""
        words = "".join(c if c.isalnum() or c == "." else " " for c in run.name).split()
        return self.data / "runs" / f"{'-'.join(words)}-{self.configuration.digest(run)}" / f"seed-{seed}"

    def during(self, run: Run, seed: int, step: int) -> Path:
        """Return the checkpoint that is kept after a step of a run."""
        return self.run(run, seed) / f"step-{step}.pt"

    def is_done(self, run: Run | None, seed: int) -> bool:
        """Return True if the result of a pre-training (None) or of a run is there."""
        folder = self.pretraining(seed) if run is None else self.run(run, seed)
        return read_result(folder, digest=self.configuration.digest(run)) is not None
