"""A penalty on cells far from the diagonal, which keeps the alignments of an untrained network in place."""

import math

import torch
from torch import Tensor

from warplens._costs import CostFunction, check_cost
from warplens.torch.inputs.prior import CostWithPrior, PriorTerm, diagonal_penalties
from warplens.torch.inputs.torch_private import shown


class DiagonalPrior(CostWithPrior):
    r"""A cost with a diagonal prior, for `SoftDTWLoss`, `soft_dtw_loss` and `align`.

    .. math::
        C'(n,m) = C(n,m) + \mathrm{weight}\; P(n,m),\qquad P(n,m) = 1 - e^{-d(n,m)^2 / 2\nu}

    .. math::
        d(n,m) = \max(s(m) - n,\; n - s(m+1),\; 0),\qquad s(m) = \lceil m N / M \rceil

    with n and m from 0. d is the distance in prediction frames from the stretch [s(m), s(m+1)] that target
    frame m takes where all targets last equally long. N and M are the lengths of each pair, so padding
    changes nothing. P depends on neither x nor y: modified targets are those of the cost.

    The weight is a float64 buffer that no cast rounds: in the state_dict of the loss, changed in place
    (`prior.weight.fill_(0)`) or by `PiecewisePriorWeight`. Once it has come to 0, the plain cost does the
    same in less time: a cost with a prior goes through cost matrices. Not for devices without float64 (MPS).

    Args:
        cost: name of a cost, or a callable (x (B,N,D), y (B,M,D)) -> C (B,N,M).
        weight: the most that P adds to a cell, in the unit of the cost.
        nu: width, in frames squared: a cell sqrt(2 nu) frames away pays 63 % of the weight.

    Raises:
        ValueError: weight is negative, nu is not above 0, or the cost is unknown.

    Source: J. Zeitler, S. Deniffel, M. Krause and M. Mueller, "Stabilizing Training with Soft Dynamic Time
    Warping", ISMIR 2023, and its code, where nu = 1000 and the weight goes from 3 to 0.

    Example:
        >>> prior = DiagonalPrior("bce_logits", weight=3.0)
        >>> loss_fn = SoftDTWLoss(prior, gamma=0.1)
        >>> schedule = PiecewisePriorWeight.published(prior, steps_per_epoch=200)
    """

    weight: Tensor

    def __init__(self, cost: str | CostFunction, weight: float, *, nu: float = 1000.0) -> None:
        super().__init__()
        if isinstance(cost, DiagonalPrior):
            raise TypeError("cost: is a DiagonalPrior already; the name of a cost or a callable is accepted")
        check_cost(cost)
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"weight: is {weight}; a finite number is accepted, 0 or more")
        if not (math.isfinite(nu) and nu > 0):
            raise ValueError(f"nu: is {nu}; a finite number above 0 is accepted (frames squared)")
        self.cost = cost
        self.nu = float(nu)
        self.register_buffer("weight", torch.tensor(float(weight), dtype=torch.float64))
        self.keep_settings(weight=weight)

    @property
    def term(self) -> PriorTerm:
        """The term that is added to the costs, with the weight itself, not a copy."""
        return PriorTerm(self.weight, self.nu)

    def forward(self, n_frames: int, n_targets: int) -> Tensor:
        """Return P (N,M) of one pair, without the weight, as float64.

        Args:
            n_frames: N, prediction frames.
            n_targets: M, target frames.
        """
        N, M = torch.tensor(n_frames), torch.tensor(n_targets)
        return diagonal_penalties(N.view(1, 1, 1), M.view(1, 1, 1), n_frames, n_targets, self.nu)[0]

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        return f"{self.cost!r}, weight={shown(self.weight)}, nu={self.nu:g}"
