"""The schedule of gamma that a run asks for."""

from studies.mpe.configuration import Run
from warplens.torch import ConstantGamma, GammaSchedule, PiecewiseGamma, SoftDTWLoss
from warplens.training import Probes, TargetDrivenGamma


def schedule_of(run: Run, loss: SoftDTWLoss, *, steps: int, every: int, probes: Probes) -> GammaSchedule:
    """The schedule of a run of so many steps; a target-driven one looks at its probes every so many."""
    if run.schedule == "constant":
        return ConstantGamma(loss, run.gamma)
    if run.schedule == "piecewise":
        return PiecewiseGamma(loss, [(round(share * steps), gamma) for share, gamma in run.points])
    return TargetDrivenGamma(
        loss, probes, run.gamma, run.least_gamma, factor=run.factor, patience=run.patience, every=every
    )
