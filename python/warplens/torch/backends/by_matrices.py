"""Alignments of sequences by way of their cost matrices, on any backend."""

from collections.abc import Sequence

from torch import Tensor

from warplens.torch.backends.costs import cost_matrices, mapped_targets
from warplens.torch.backends.protocol import Backend
from warplens.torch.backends.relative_alignment import relative_alignment
from warplens.torch.inputs.batches import Pairs
from warplens.torch.inputs.settings import LocalCost, RecursionSettings


def results_by_matrices(
    backend: Backend, pairs: Pairs, cost: LocalCost, settings: RecursionSettings, names: Sequence[str]
) -> dict[str, Tensor]:
    """Return the results of `Backend.results_of_pairs`, for any cost."""
    names_of_costs = [name for name in names if name != "y_mod"]
    if "y_mod" in names:
        names_of_costs = list(dict.fromkeys([*names_of_costs, "H", "E"]))
    results = backend.results_of_costs(cost_matrices(pairs, cost), settings, names_of_costs)
    if "y_mod" in names:
        targets = mapped_targets(pairs, cost)
        results["y_mod"] = relative_alignment(results["H"], results["E"]).to(targets.dtype) @ targets
    return results
