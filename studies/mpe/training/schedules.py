"""Schedules of gamma and of a prior's weight by their names in the configuration."""

from studies.mpe.configuration import Run
from studies.mpe.training.losses import WeakLoss
from warplens.torch import ConstantGamma, DiagonalPrior, GammaSchedule, PiecewiseGamma, PiecewisePriorWeight
from warplens.training import Probes, TargetDrivenGamma


def schedule_of(run: Run, loss: WeakLoss, *, steps: int, every: int, probes: Probes) -> GammaSchedule:
    """Make the schedule of a run; a target-driven one inspects its probes every `every` steps."""
    if run.schedule == "constant":
        return ConstantGamma(loss, run.gamma)
    if run.schedule == "piecewise":
        return PiecewiseGamma(loss, [(round(share * steps), gamma) for share, gamma in run.points])
    return TargetDrivenGamma(loss, probes, run.gamma, run.least_gamma, factor=run.factor, every=every)


def prior_schedule_of(run: Run, loss: WeakLoss, *, steps: int) -> PiecewisePriorWeight | None:
    """Make the schedule of a diagonal prior, linear from its weight to 0; None where there is no prior."""
    prior = getattr(loss, "cost", None)
    if not isinstance(prior, DiagonalPrior):
        return None
    return PiecewisePriorWeight(prior, [(0, run.prior), (max(1, round(run.prior_until * steps)), 0.0)])


def set_prior(run: Run, loss: WeakLoss, *, step: int, steps: int) -> None:
    """Set the weight of a run's diagonal prior, where it has one, to that of a step."""
    schedule = prior_schedule_of(run, loss, steps=steps)
    if schedule is not None:
        for _ in range(step):
            schedule.step()
