"""Arguments and options that several commands take."""

from collections.abc import Callable
from typing import Any

import click

from warplens.cli.param_types import GammaGrid, NonEmptyPath, NumbersOption, Size
from warplens.corpus import Settings
from warplens.io import DEFAULT_SIZE_LIMIT

inputs = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=NonEmptyPath())
out = click.option("-o", "--out", required=True, type=NonEmptyPath(), help="Folder for the results.")


def gammas(default: str) -> Callable[[Any], Any]:
    """Return the option `--gamma`, also called `--gammas`, with its default in words."""
    return click.option(
        "--gamma",
        "--gammas",
        "gammas",
        cls=NumbersOption,
        type=GammaGrid(),
        metavar="FROM:TO:COUNT | G...",
        help="Softness: one gamma or more, with blanks or commas, or a geometric grid; 0 is the best path "
        f"alone.  [default: {default}]",
    )


quiet = click.option("-q", "--quiet", is_flag=True, help="Print warnings and errors alone.")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print a line of JSON an item on stdout, and nothing else there."
)
step_weights = click.option(
    "--step-weights",
    nargs=3,
    type=float,
    metavar="H V D",
    help="Weights of the horizontal, vertical and diagonal step.  [default: the item's, else 1 1 1]",
)
cost = click.option("--cost", help="Local cost: mse, bce, ce, ...; overrides that of the items.")
threshold = click.option(
    "--threshold",
    type=float,
    default=Settings.threshold,
    show_default=True,
    help="Level under which an event is lost.",
)
fps = click.option(
    "--fps",
    type=float,
    help="Prediction frames a second; overrides that of the items, for lists of notes too.",
)
pitch_classes = click.option(
    "--pitch-classes",
    is_flag=True,
    help="Fold lists of notes into the twelve pitch classes, the first that of lowest_pitch, else C.",
)
allow_external = click.option(
    "--allow-external",
    is_flag=True,
    help="Read what links in folders and files of HDF5 or zarr refer to outside them, which may be any file "
    "that you can read; without it such items fail and name it.",
)
processes = click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Worker processes, each for one item at a time.  [default: all cores]",
)
scheduler = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Run the items on a Dask scheduler, whose workers must see inputs and OUT under the same paths.",
)
item_timeout = click.option(
    "--item-timeout",
    type=float,
    metavar="SECONDS",
    help="Time limit of an item, which fails after it, as where a file system hangs; not with --scheduler.  "
    "[default: none]",
)
size_limit = click.option(
    "--size-limit",
    type=Size(),
    default=DEFAULT_SIZE_LIMIT,
    metavar="SIZE",
    help="Most bytes that the arrays of an item may take: in npz, npy sets, HDF5, zarr, safetensors and "
    "behind manifests a larger one fails before it is read; one whose alignments, N x M numbers, are larger, "
    f"before it is aligned.  [default: {DEFAULT_SIZE_LIMIT >> 30}G]",
)
shard = click.option(
    "--shard",
    metavar="I/N",
    help="Do the I-th of N parts of the items and write only their files. Shards of one OUT may run at "
    "once, on several machines; afterwards the same command without --shard writes table and report.",
)
