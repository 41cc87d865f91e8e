"""Calls of the compiled module for checked pairs, and the errors of those that fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from ._settings import AlignmentSettings


def compute(
    settings: AlignmentSettings,
    *,
    xs: list[NDArray[Any]] | None,
    ys: list[NDArray[Any]] | None,
    costs: list[NDArray[Any]] | None,
    outputs: list[str],
    threads: int | None,
) -> list[Any]:
    """Run checked pairs, from their cost matrices where given, else from sequences; errors stand in place."""
    if costs is not None:
        return _core.costs_ragged(costs, **settings.recursion_arguments(), outputs=outputs, threads=threads)
    assert xs is not None
    assert ys is not None
    if not xs:
        return []
    results = _core.align_ragged(
        xs,
        ys,
        **settings.cost_arguments(xs[0].shape[1]),
        **settings.recursion_arguments(),
        outputs=outputs,
        threads=threads,
    )
    return [costs_overflow(settings) if is_overflow(result) else result for result in results]


def compute_one(
    settings: AlignmentSettings,
    *,
    x: NDArray[Any] | None,
    y: NDArray[Any] | None,
    costs: NDArray[Any] | None,
    outputs: list[str],
    threads: int | None,
) -> dict[str, Any]:
    """Run one checked pair and raise the error if it fails."""
    (result,) = compute(
        settings,
        xs=None if x is None else [x],
        ys=None if y is None else [y],
        costs=None if costs is None else [costs],
        outputs=outputs,
        threads=threads,
    )
    if isinstance(result, Exception):
        raise result
    results: dict[str, Any] = result
    return results


def no_modified_targets(settings: AlignmentSettings) -> ValueError:
    """Return the error for a cost that is asked for modified targets and has none."""
    name = settings.cost if isinstance(settings.cost, str) else "a callable"
    return ValueError(
        f"y_mod: cost {name} is not affine in the target, so no modified targets give its gradient; "
        'use "mse", "bce" or another cost of that form'
    )


def is_overflow(result: Any) -> bool:
    """Tell whether a result, or the error in its place, comes of costs beyond float64."""
    # The sequences are finite, so costs that are not, or their sum, left the range of float64.
    if isinstance(result, _core.NoPathError):
        return not str(result).startswith("band")
    return not isinstance(result, Exception) and bool(np.isnan(result["value"]))


def costs_overflow(settings: AlignmentSettings, dtype: DTypeLike = np.float64) -> ValueError:
    """Return the error for sequences whose costs leave the range of their precision."""
    if settings.cost == "ce_logits":
        return ValueError(
            "x, y: no path has a finite cost under 'ce_logits': the targets ask for classes whose logits are "
            f"-inf, or costs overflow {np.dtype(dtype)}"
        )
    return ValueError(
        f"x, y: their costs {settings.cost!r} overflow {np.dtype(dtype)}; "
        "sequences of smaller magnitude are accepted"
    )
