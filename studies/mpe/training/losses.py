"""Losses on weak targets by their names in the configuration."""

from typing import TypeAlias

import warplens as wl
from studies.mpe.configuration import Run
from warplens.torch import DiagonalPrior, DropDTWLoss, MultiLabelCTCLoss, SoftDTWLoss

COST = "bce_logits"

WeakLoss: TypeAlias = SoftDTWLoss | DropDTWLoss | MultiLabelCTCLoss
"""A loss on weak targets; all have a gamma and modified targets."""

_HARD = 1e-3
"""Gamma at which modified targets are the labels of one path, for the EM baseline."""


def loss_of(run: Run, step_weights: tuple[float, float, float]) -> WeakLoss | None:
    """Make the loss of a run; None where it trains on strong targets.

    That of the EM baseline has the labels of its first round as its modified targets; it is inspected, not
    trained with.

    Args:
        run: the run.
        step_weights: horizontal, vertical, diagonal, for runs that do not name theirs.
    """
    horizontal, vertical, diagonal = run.step_weights or step_weights
    weights = (horizontal, vertical, diagonal)
    match run.objective:
        case "strong":
            return None
        case "em":
            return SoftDTWLoss(COST, gamma=_HARD, step_weights=weights)
        case "sdtw":
            # The weight of a prior is set by its schedule.
            cost = DiagonalPrior(COST, run.prior) if run.prior else COST
            return SoftDTWLoss(cost, gamma=run.gamma, step_weights=weights)
        case "forward-sum":
            return SoftDTWLoss(COST, gamma=run.gamma, steps=[wl.Step(1, 0), wl.Step(1, 1)])
        case "subsequence":
            return SoftDTWLoss(
                COST,
                gamma=run.gamma,
                step_weights=weights,
                open_begin="both",
                open_end="both",
                skip_penalty=run.skip_penalty,
            )
        case "drop":
            return DropDTWLoss(run.drop, COST, gamma=run.gamma)
        case "multi-label-ctc":
            assert run.output != "sigmoid"
            return MultiLabelCTCLoss(
                run.output,
                gamma=run.gamma,
                blank_weight=2.0 if run.blank_rule == "B" else None,
                blank_penalty=float("inf") if run.blank_rule == "C" else 0.0,
                free_between=True,
            )
