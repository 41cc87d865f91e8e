"""Schedules of gamma by their names in the configuration."""

from studies.mpe.configuration import Run
from warplens.torch import ConstantGamma, GammaSchedule, PiecewiseGamma, SoftDTWLoss
from warplens.training import Probes, TargetDrivenGamma


def schedule_of(run: Run, loss: SoftDTWLoss, *, steps: int, every: int, probes: Probes) -> GammaSchedule:
    """Make the schedule of a run; a target-driven one inspects its probes every `every` steps."""
    if run.schedule == "constant":
        return ConstantGamma(loss, run.gamma)
    if run.schedule == "piecewise":
        return PiecewiseGamma(loss, [(round(share * steps), gamma) for share, gamma in run.points])
    return TargetDrivenGamma(
        loss, probes, run.gamma, run.least_gamma, factor=run.factor, patience=run.patience, every=every
    )
