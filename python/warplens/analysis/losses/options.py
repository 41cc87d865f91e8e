"""The losses of the family by name, with the options that each of them knows."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from warplens.family.ends import SIDES
from warplens.family.multi_label import ENCODINGS
from warplens.io import ItemKind

PRIORS = ("none", "item", "beta-binomial")
"""Priors of the forward sum."""


class KnownLoss(NamedTuple):
    """Properties of a loss: the kind of its items, and the options that it knows."""

    kind: ItemKind
    options: tuple[str, ...]
    gammas: tuple[float, ...] = (1.0,)
    """Default gammas of an analysis."""


_BLANK = ("blank_penalty", "blank_weight", "free_between")

KNOWN_LOSSES: dict[str, KnownLoss] = {
    "sdtw": KnownLoss("features", ("cost", "step_weights"), (0.1, 1.0, 10.0)),
    "ctc": KnownLoss(
        "labels", ("step_weights", "blank", *_BLANK, "log_priors", "prior_scale", "from_logits")
    ),
    "multi-label-ctc": KnownLoss("multi-hot", ("step_weights", "encoding", *_BLANK, "from_logits")),
    "forward-sum": KnownLoss(
        "tokens", ("prior", "prior_scaling", "prior_trials", "blank_logprob", "from_logits")
    ),
    "subsequence": KnownLoss(
        "features", ("cost", "step_weights", "open_begin", "open_end", "skip_penalty"), (0.1, 1.0, 10.0)
    ),
    "drop": KnownLoss("features", ("cost", "drop", "contiguous", "many_to_one"), (0.1, 1.0, 10.0)),
}
"""Losses by name. `cost` and `step_weights` are settings of a run, all others fields of `Loss`."""


@dataclass(frozen=True)
class Loss:
    """A loss of the family and its options; None is the default of the loss, and all that others may have.

    Attributes:
        name: "sdtw", "ctc", "multi-label-ctc", "forward-sum", "subsequence" or "drop".
        blank: class of the blank, 0 by default.
        blank_penalty: see `warplens.ctc`, as the next two.
        blank_weight: factor on the cost of blanks.
        free_between: whether blanks between equal labels are not made dearer.
        log_priors: "item" for those of each item, or (K,) logarithms of class priors.
        prior_scale: their factor.
        from_logits: whether the scores are logits, of which the log-softmax is taken.
        encoding: of multi-hot targets: "we", "ne3" or "ne2".
        prior: of the forward sum: "none", "item" for that of each item, or "beta-binomial".
        prior_scaling: scaling of the beta-binomial prior.
        prior_trials: its trials.
        blank_logprob: score of a blank of the forward sum.
        open_begin: "x", "y", "both" or "none": of which sequence frames may be left out at the beginning;
            "y" by default.
        open_end: the same at the end.
        skip_penalty: cost of each frame that is left out, at the beginning and at the end.
        drop: cost to drop a frame, which Drop-DTW needs.
        contiguous: whether no frame is dropped within a target.
        many_to_one: whether a frame may be matched to several targets.

    Raises:
        ValueError: the loss is not known, does not know an option, or an option is out of range.
    """

    name: str = "sdtw"
    blank: int | None = None
    blank_penalty: float | None = None
    blank_weight: float | None = None
    free_between: bool | None = None
    log_priors: Literal["item"] | tuple[float, ...] | None = None
    prior_scale: float | None = None
    from_logits: bool | None = None
    encoding: str | None = None
    prior: str | None = None
    prior_scaling: float | None = None
    prior_trials: int | None = None
    blank_logprob: float | None = None
    open_begin: str | None = None
    open_end: str | None = None
    skip_penalty: tuple[float, float] | None = None
    drop: float | None = None
    contiguous: bool | None = None
    many_to_one: bool | None = None

    def __post_init__(self) -> None:
        if self.name not in KNOWN_LOSSES:
            raise ValueError(f"loss: is {self.name!r}; {', '.join(KNOWN_LOSSES)} are accepted")
        self.check_known(self.given)
        if isinstance(self.log_priors, str) and self.log_priors != "item":
            raise ValueError(f'log_priors: is {self.log_priors!r}; "item" or one number a class is accepted')
        if self.prior_scale is not None and self.log_priors is None:
            raise ValueError("prior_scale: belongs to log_priors, which are not given (--log-priors)")
        if self.prior not in (None, *PRIORS):
            raise ValueError(f"prior: is {self.prior!r}; {', '.join(PRIORS)} are accepted")
        for name in ("prior_scaling", "prior_trials"):
            if getattr(self, name) is not None and self.prior != "beta-binomial":
                raise ValueError(f"{name}: belongs to the beta-binomial prior (--prior beta-binomial)")
        for name in ("open_begin", "open_end"):
            if getattr(self, name) not in (None, "none", *SIDES):
                raise ValueError(f"{name}: is {getattr(self, name)!r}; x, y, both and none are accepted")
        if self.encoding not in (None, *ENCODINGS):
            raise ValueError(f"encoding: is {self.encoding!r}; {', '.join(ENCODINGS)} are accepted")
        if self.name == "drop" and self.drop is None:
            raise ValueError(
                "drop: is not given; Drop-DTW needs the cost to drop a frame, in units of the cost (--drop)"
            )
        for name in ("blank_weight", "prior_scale", "prior_scaling", "blank_logprob"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name}: is {value}; a finite number is accepted")
        for name in ("blank_penalty", "drop"):
            value = getattr(self, name)
            if value is not None and not value > -math.inf:
                raise ValueError(f"{name}: is {value}; a number above -inf is accepted")

    @property
    def kind(self) -> ItemKind:
        """Kind of the items that it needs."""
        return KNOWN_LOSSES[self.name].kind

    @property
    def given(self) -> dict[str, Any]:
        """The options that are given, by name."""
        fields = (field.name for field in dataclasses.fields(self) if field.name != "name")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}

    @property
    def target_word(self) -> str:
        """Word for an event in measures and pages: "label" where targets are classes, else "event"."""
        return "label" if self.kind in ("labels", "tokens") else "event"

    @property
    def has_blank(self) -> bool:
        """True where frames may lie on a blank."""
        return self.kind in ("labels", "multi-hot") or self.blank_logprob is not None

    @property
    def token_offset(self) -> int:
        """Class of token 0: 1 where a forward sum has a blank before its tokens, else 0, as for labels."""
        return int(self.kind == "tokens" and self.has_blank)

    def check_known(self, options: Mapping[str, Any] | Sequence[str]) -> None:
        """Raise ValueError for the first option that the loss does not know."""
        known = KNOWN_LOSSES[self.name].options
        for name in options:
            if name not in known:
                knowing = [other for other, loss in KNOWN_LOSSES.items() if name in loss.options]
                raise ValueError(
                    f"{name}: unknown to the loss {self.name}, which knows {', '.join(known)}; "
                    f"it belongs to {', '.join(knowing)}"
                )

    def describe(self) -> list[str]:
        """Return the loss and its options in words, for pages."""
        options = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in self.given.items()]
        return [f"loss {self.name}", *options]


SDTW = Loss()
"""Soft DTW, the loss unless another is given."""


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " / ".join(format(each, "g") for each in value) if len(value) <= 3 else "of a file"
    return format(value, "g") if isinstance(value, float) else str(value)
