"""The options of losses of the family, the same for every command that takes a loss."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from warplens.analysis.losses.options import KNOWN_LOSSES, PRIORS, Loss
from warplens.family.multi_label import ENCODINGS
from warplens.io.arrays.npy import decode_npy
from warplens.io.errors import ItemError

Command = TypeVar("Command", bound=Callable[..., Any])

_SIDES = click.Choice(["x", "y", "both", "none"])

_OPTIONS = (
    click.option(
        "--loss",
        "loss_name",
        type=click.Choice(list(KNOWN_LOSSES)),
        default="sdtw",
        show_default=True,
        help="The loss. ctc: items have log_probs (N,K) and labels (L,); multi-label-ctc: log_probs (N,A,C) "
        "and weak (M,D) of 0 and 1; forward-sum: log_probs (N,M); the others: predictions and weak.",
    ),
    click.option("--blank", type=int, help="ctc: class of the blank.  [default: 0]"),
    click.option(
        "--blank-penalty",
        type=float,
        help="ctc, multi-label-ctc: cost of each frame on a blank, besides, in nats; inf leaves the needed "
        "ones.  [default: 0]",
    ),
    click.option(
        "--blank-weight", type=float, help="ctc, multi-label-ctc: factor on the cost of blanks.  [default: 1]"
    ),
    click.option(
        "--free-between",
        is_flag=True,
        default=None,
        help="ctc, multi-label-ctc: blanks between equal labels, which are needed, are not made dearer.",
    ),
    click.option(
        "--log-priors",
        metavar="item | FILE.npy",
        help="ctc: logarithms of class priors (K,), subtracted from log_probs: of each item, or of one file.",
    ),
    click.option("--prior-scale", type=float, help="ctc: factor on the log priors.  [default: 1]"),
    click.option(
        "--from-logits",
        is_flag=True,
        default=None,
        help="ctc, multi-label-ctc, forward-sum: log_probs are logits; take their log-softmax.",
    ),
    click.option(
        "--encoding",
        type=click.Choice(list(ENCODINGS)),
        help="multi-label-ctc: what the C values of a category stand for.  [default: we]",
    ),
    click.option(
        "--prior",
        type=click.Choice(PRIORS),
        help="forward-sum: log prior (N,M) that is added: of each item, or beta-binomial.  [default: none]",
    ),
    click.option(
        "--prior-scaling", type=float, help="forward-sum: scaling of the beta-binomial prior.  [default: 1]"
    ),
    click.option(
        "--prior-trials", type=int, help="forward-sum: trials of the beta-binomial prior.  [default: M]"
    ),
    click.option(
        "--blank-logprob",
        type=float,
        help="forward-sum: score of a blank beside the tokens, rows normalised again (NeMo: -1).  "
        "[default: no blank]",
    ),
    click.option(
        "--open-begin",
        type=_SIDES,
        help="subsequence: frames of which sequence may be left out at the beginning: predictions x, weak "
        "target y, either.  [default: y]",
    ),
    click.option("--open-end", type=_SIDES, help="subsequence: the same at the end.  [default: y]"),
    click.option(
        "--skip-penalty",
        nargs=2,
        type=float,
        metavar="BEGIN END",
        help="subsequence: cost of each frame that is left out.  [default: 0 0]",
    ),
    click.option(
        "--drop", type=float, help="drop: cost to drop a frame, in units of the local cost; needed."
    ),
    click.option(
        "--contiguous/--not-contiguous",
        default=None,
        help="drop: whether no frame is dropped between those of one target.  [default: contiguous]",
    ),
    click.option(
        "--many-to-one",
        is_flag=True,
        default=None,
        help="drop: a frame may be matched to several targets.",
    ),
)


def loss_options(command: Command) -> Command:
    """Add `--loss` and the options of all losses to a command, which takes them as `**of_loss`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def loss_of(of_loss: Mapping[str, Any]) -> Loss:
    """Return the loss that the options of `loss_options` describe.

    Raises:
        ValueError: the loss does not know an option, one is out of range, or the file of priors is unusable.
    """
    options = {name: value for name, value in of_loss.items() if name != "loss_name" and value is not None}
    name = of_loss["loss_name"]
    if "log_priors" in options and options["log_priors"] != "item":
        options["log_priors"] = _read_priors(Path(options["log_priors"]))
    return Loss(name, **options)


def _read_priors(path: Path) -> tuple[float, ...]:
    try:
        priors = decode_npy(path.read_bytes())
    except (OSError, ItemError) as error:
        raise ValueError(f"log_priors: {path} cannot be read: {error}") from error
    if priors.ndim != 1 or priors.dtype.kind not in "iuf" or not np.isfinite(priors).all():
        raise ValueError(
            f"log_priors: {path} has shape {priors.shape} and dtype {priors.dtype}; finite numbers (K,) are "
            "accepted"
        )
    return tuple(float(each) for each in priors)
