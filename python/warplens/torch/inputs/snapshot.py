"""Settings as they are now, for what is computed later."""

from dataclasses import replace

from torch import Tensor

from warplens.torch.inputs.settings import LocalCost, RecursionSettings


def snapshot(cost: LocalCost, settings: RecursionSettings) -> tuple[LocalCost, RecursionSettings]:
    """Copies that a change in place of gamma or of a weight does not reach; gradients go through them."""
    prior = cost.prior
    if prior is not None:
        prior = prior._replace(weight=prior.weight.clone())
    kept = replace(
        cost,
        feature_weights=_copied(cost.feature_weights),
        pos_weight=_copied(cost.pos_weight),
        prior=prior,
    )
    return kept, replace(settings, gamma=settings.gamma.clone(), step_weights=settings.step_weights.clone())


def _copied(vector: Tensor | None) -> Tensor | None:
    return None if vector is None else vector.clone()
