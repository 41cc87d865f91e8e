"""The checked model: steps, beginnings, ends and the minimum over paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warplens._settings import check_gamma
from warplens.family.ends import Ends, as_ends
from warplens.family.parameters import as_weight
from warplens.family.steps import CheckedStep, Step, check_steps

if TYPE_CHECKING:
    from warplens._core import ModelArgument

SDTW_SIZES = ((1, 0), (0, 1), (1, 1))
"""The horizontal, vertical and diagonal step, in the order of their weights."""

NO_PENALTIES = (0.0, 0.0, 0.0)
"""The penalties of plain soft DTW."""


@dataclass(frozen=True)
class Model:
    """The settings of an alignment, all but the costs; make it with `Model.of`.

    D(n,m) = min_g{ e(n,m) + w_0(n,m) C(n,m),  w_s(n,m) C(n,m) + b_s(n,m) + D(n-i_s, m-j_s) for every s }
    value  = min_g over all cells { D(n,m) + w_x(n,m) C(n,m) + x(n,m) }
    """

    gamma: float
    steps: tuple[CheckedStep, ...]
    entry: Ends
    exit: Ends
    entry_weight: NDArray[np.float64] | None
    exit_weight: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        *,
        gamma: float,
        steps: Sequence[Step],
        entry: Ends = None,
        exit: Ends = None,
        entry_weight: ArrayLike | None = None,
        exit_weight: ArrayLike = 0.0,
    ) -> Model:
        """Check every setting against (N,M); borders of `entry` and `exit` are taken as they are."""
        return cls(
            gamma=check_gamma(gamma),
            steps=check_steps(steps, shape),
            entry=entry if isinstance(entry, tuple) else as_ends("entry", entry, shape),
            exit=exit if isinstance(exit, tuple) else as_ends("exit", exit, shape),
            entry_weight=None if entry_weight is None else as_weight("entry_weight", entry_weight, shape),
            exit_weight=as_weight("exit_weight", exit_weight, shape),
        )

    def argument(self) -> ModelArgument:
        """Return the model as the compiled module takes it."""
        return {
            "gamma": self.gamma,
            "steps": list(self.steps),
            "entry": self.entry,
            "exit": self.exit,
            "entry_weight": self.entry_weight,
            "exit_weight": self.exit_weight,
        }


def sdtw_steps(
    step_weights: Sequence[float], step_penalties: Sequence[ArrayLike] = NO_PENALTIES
) -> list[Step]:
    """Return the horizontal, vertical and diagonal step with these weights and penalties."""
    try:
        penalties = list(step_penalties)
    except TypeError:
        raise TypeError(f"step_penalties: is {step_penalties!r}; three penalties are accepted") from None
    if len(penalties) != 3:
        raise ValueError(
            f"step_penalties: has {len(penalties)} entries; "
            "three are accepted (horizontal, vertical, diagonal)"
        )
    parts = zip(SDTW_SIZES, step_weights, penalties, strict=True)
    return [Step(n, m, weight, penalty) for (n, m), weight, penalty in parts]


def gamma_of(minimum: str, gamma: float) -> float:
    """Check the name of the minimum; the hard one is that of gamma 0."""
    if minimum == "smoothmin":
        raise ValueError(
            "minimum: smoothmin, the mean under the weights of the softmin, has gradients below 0: "
            'H and h would be negative and no modified targets exist; "softmin" and "hardmin" are accepted'
        )
    if minimum not in ("softmin", "hardmin"):
        raise ValueError(f'minimum: is {minimum!r}; "softmin" and "hardmin" are accepted')
    return check_gamma(gamma) if minimum == "softmin" else 0.0
