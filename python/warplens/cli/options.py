"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Any

import click

from warplens.analysis.events import THRESHOLD
from warplens.cli.sizes import Size
from warplens.io import DEFAULT_SIZE_LIMIT


class GivenPath(click.Path):
    """A path that is not empty, as that of a shell variable that is not set: it would be this folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if value == "":
            self.fail("is empty; the current folder is called '.'", param, ctx)
        return super().convert(value, param, ctx)


inputs = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=GivenPath())
out = click.option("-o", "--out", required=True, type=GivenPath(), help="Folder for the results.")
step_weights = click.option(
    "--step-weights",
    nargs=3,
    type=float,
    metavar="H V D",
    help="Weights of the horizontal, vertical and diagonal step.  [default: the item's, else 1 1 1]",
)
cost = click.option("--cost", help="Local cost, overrides that of the items: mse, bce, ce, ...")
threshold = click.option(
    "--threshold",
    type=float,
    default=THRESHOLD,
    show_default=True,
    help="Events that stay under it are lost.",
)
fps = click.option(
    "--fps",
    type=float,
    help="Prediction frames a second, overrides that of the items; lists of notes are read by it.",
)
processes = click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Items in work at a time, each in a process of its own.  [default: all cores]",
)
scheduler = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Let a Dask scheduler run the items; its workers must see inputs and OUT under the same paths.",
)
item_timeout = click.option(
    "--item-timeout",
    type=float,
    metavar="SECONDS",
    help="Items that are not done after so long fail, as where a file system hangs; not with --scheduler.  "
    "[default: none]",
)
size_limit = click.option(
    "--size-limit",
    type=Size(),
    default=DEFAULT_SIZE_LIMIT,
    metavar="SIZE",
    help="Items whose arrays take more bytes than this fail before they are read, in npz, npy sets, HDF5, "
    "zarr, safetensors and behind manifests; those whose alignments do, N x M numbers, before they are "
    f"aligned.  [default: {DEFAULT_SIZE_LIMIT >> 30}G]",
)
shard = click.option(
    "--shard",
    metavar="I/N",
    help="Do the I-th of N parts of the items, and only their files. Shards of one OUT may run at once, on "
    "several machines; when all are done, the same command without --shard sums them up.",
)
