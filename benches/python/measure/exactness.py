"""Errors of float32: distances from float64 results of the same float32 numbers."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import warplens as wl

from ..contenders.contender import Contender, UnsuitedError
from ..contenders.peers import BY_COSTS, SoftDTW
from ..workloads import UNIT, Array, Workload
from .race import check

GAMMAS = (0.01, 0.1, 1.0, 10.0, 100.0)


def gradient_errors(
    contenders: Iterable[Contender], shrink: int, progress: Callable[[str], None]
) -> dict[str, dict[str, float | None]]:
    """Return |dX - dX64| / |dX64|, squared Euclidean, N(0,1), 512 x 512 x 64: by case, then by contender.

    The last case has an offset of 10 common to both sequences and noise of 0.1: there
    |x|^2 + |y|^2 - 2 x y cancels.
    """
    plain = Workload("dX", ((512 // shrink, 512 // shrink),), 64, seed=8)
    cases = {f"gamma {gamma:g}": replace(plain, gamma=gamma) for gamma in GAMMAS[:4]}
    cases["offset 10, noise .1, gamma .1"] = replace(plain, gamma=0.1, offset=10.0, scale=0.1)
    errors: dict[str, dict[str, float | None]] = {}
    soft_dtw = [contender for contender in contenders if contender.is_soft_dtw]
    for case, workload in cases.items():
        errors[case] = {}
        for contender in soft_dtw:
            progress(f"exactness: {case}: {contender.name}")
            try:
                row, _ = check(contender, workload)
            except UnsuitedError:
                continue
            if row.distance is not None:
                errors[case][contender.name] = row.distance.gradient
    return errors


def alignment_errors(shrink: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return |E(1,1) - 1| and the largest |H - H64| from a float32 cost matrix; gamma .01 to 100.

    Peers give E as the gradient of their value in the cost matrix, with unit weights; their |E(1,1) - 1|
    stands beside ours.
    """
    rows = []
    for n, m, features in [(512, 512, 64), (1000, 200, 80), (1000, 1000, 80)]:
        costs = squared_distances(n // shrink, m // shrink, features)
        for gamma in GAMMAS:
            for step_weights in [UNIT, (0.1, 1.0, 1.0)]:
                progress(f"exactness: H of {n}x{m}, gamma {gamma:g}, weights {step_weights}")
                got = wl.align_costs(costs, gamma=gamma, step_weights=step_weights)
                exact = wl.align_costs(costs.astype(np.float64), gamma=gamma, step_weights=step_weights)
                row = {
                    "costs": f"{n // shrink}x{m // shrink}",
                    "gamma": gamma,
                    "step_weights": list(step_weights),
                    "first_visit": abs(float(got.E[0, 0]) - 1.0),
                    "soft_alignment": float(np.abs(got.H - exact.H).max()),
                    "peers_first_visit": {},
                }
                if step_weights == UNIT:
                    visits = {name: _first_visit(peer, costs, gamma) for name, peer in BY_COSTS.items()}
                    row["peers_first_visit"] = {
                        name: abs(visit - 1.0) for name, visit in visits.items() if visit is not None
                    }
                rows.append(row)
    return rows


def squared_distances(n: int, m: int, features: int) -> Array:
    """Return squared distances of N(0,1) sequences, computed in float64, rounded to float32."""
    random = np.random.default_rng(9)
    x, y = random.standard_normal((n, features)), random.standard_normal((m, features))
    squares = np.square(x).sum(1)[:, None] + np.square(y).sum(1)[None, :] - 2.0 * x @ y.T
    return squares.astype(np.float32)


def _first_visit(peer: SoftDTW, costs: Array, gamma: float) -> float | None:
    """Return E(1,1) of a peer, None where it is not installed."""
    C = torch.from_numpy(costs)[None].clone().requires_grad_()
    n, m = costs.shape
    try:
        value = peer(torch.zeros(1, n, 1), torch.zeros(1, m, 1), gamma, lambda x, y: C * 1.0)
    except ImportError:
        return None
    value.sum().backward()
    return float(C.grad[0, 0, 0]) if C.grad is not None else float("nan")


def offset_error(shrink: int) -> float:
    """Return the relative change of the float32 MSE value when both sequences are moved by 1000."""
    workload = Workload("offset", ((512 // shrink, 512 // shrink),), 64, "mse", seed=8)
    (x,), (y,) = workload.data
    far = np.float32(1000.0)
    value, moved = wl.soft_dtw(x, y), wl.soft_dtw(x + far, y + far)
    return abs(moved - value) / abs(value)
