"""Soft-DTW losses for PyTorch on PyPI, brought to one convention.

All take (B,N,D) and (B,M,D), give (B,) values of D(N,M) with unit step weights, and charge |x-y|^2 without
the half unless given another cost: the convention of `sqeuclidean`, with the same gamma. None has step
weights or a BCE cost; where a workload has them, they run with unit weights and a cost given as a matrix
product, and are held against the truth for unit weights. Pairs of different sizes go one by one: in the
padded batch that pysdtw also takes they take longer.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..workloads import Workload
from .contender import Contender, Task, UnsuitedError
from .torch_task import TorchTask

CostMatrix = Callable[[Tensor, Tensor], Tensor]
"""(B,N,D), (B,M,D) -> (B,N,M)"""
SoftDTW = Callable[[Tensor, Tensor, float, CostMatrix | None], Tensor]
"""x, y, gamma and a cost matrix in place of the one that the peer ships; -> (B,)"""


def pysdtw(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Call pysdtw: Numba on float64, threads over pairs; its own cost is a matrix product."""
    from pysdtw import SoftDTW

    return SoftDTW(gamma, cost, use_cuda=False)(x, y)


def maghoumi(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Call Maghoumi's code: Numba, on the CPU in float64; its own cost is made in (B,N,M,D) entries."""
    return _dtw_loss_functions("mag", x, y, {"gamma": gamma, "use_cuda": x.is_cuda, "dist_func": cost})


def bgu(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Call BGU's code: Numba on float32, threads over pairs; its own cost is a matrix product."""
    if cost is None:
        return _dtw_loss_functions("ron", x, y, {"gamma": gamma})
    from dtw_loss_functions.soft_dtw_implementations.soft_dtw_cuda_ron.autograd import SoftDTWAutograd

    return SoftDTWAutograd.apply(cost(x, y), gamma, None)


def _dtw_loss_functions(implementation: str, x: Tensor, y: Tensor, settings: dict[str, object]) -> Tensor:
    from dtw_loss_functions.soft_dtw import soft_dtw

    return soft_dtw(implementation, settings)(x, y)


def tslearn(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Call tslearn: Numba on float32, threads over pairs; its own cost is made in (B,N,M,D) entries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional parts that are not installed
        from tslearn.metrics import SoftDTWLossPyTorch

    return SoftDTWLossPyTorch(gamma, dist_func=cost)(x, y)


def squared_distance_by_product(x: Tensor, y: Tensor) -> Tensor:
    """Return |x|^2 + |y|^2 - 2 x y^T."""
    return (x**2).sum(-1)[:, :, None] + (y**2).sum(-1)[:, None, :] - 2.0 * x @ y.mT


def bce_by_product(x: Tensor, y: Tensor) -> Tensor:
    """Return -log x y^T - log(1-x) (1-y)^T."""
    return -(x.log() @ y.mT) - torch.log1p(-x) @ (1.0 - y).mT


def bce_logits_by_product(x: Tensor, y: Tensor) -> Tensor:
    """Return softplus(x) - x y^T."""
    return torch.nn.functional.softplus(x).sum(-1)[:, :, None] - x @ y.mT


BY_PRODUCT = {
    "sqeuclidean": squared_distance_by_product,
    "bce": bce_by_product,
    "bce_logits": bce_logits_by_product,
}


def _prepare_as_shipped(peer: SoftDTW, workload: Workload) -> Task:
    if workload.cost != "sqeuclidean":
        raise UnsuitedError(f"ships no {workload.cost} cost; see the row with a matrix product")
    return TorchTask(workload, lambda x, y: peer(x, y, workload.gamma, None))


def _prepare_by_product(peer: SoftDTW, workload: Workload) -> Task:
    cost = BY_PRODUCT[workload.cost]
    return TorchTask(workload, lambda x, y: peer(x, y, workload.gamma, cost))


def _cells(workload: Workload) -> int:
    """Return how many of the (B,N,M) cells are in memory at once."""
    sizes = [n * m for n, m in workload.sizes]
    return max(sizes) if workload.is_ragged else sum(sizes)


def _matrices(workload: Workload) -> int:
    """Estimate the bytes of a few float64 matrices of the cells."""
    return 60 * _cells(workload)


def _entries(workload: Workload) -> int:
    """Estimate the bytes of (B,N,M,D) entries: the difference, its square, and their gradients."""
    return 4 * 4 * _cells(workload) * workload.features


def _prepare(peer: SoftDTW, workload: Workload) -> Task:
    """Prepare a peer whose own cost is a matrix product; other costs are given to it as one."""
    prepare = _prepare_as_shipped if workload.cost == "sqeuclidean" else _prepare_by_product
    return prepare(peer, workload)


def _both_ways(name: str, distribution: str, peer: SoftDTW) -> list[Contender]:
    """Return a peer with its own cost, made entry by entry, and with a cost given as a matrix product."""
    shipped, product = partial(_prepare_as_shipped, peer), partial(_prepare_by_product, peer)
    return [
        Contender(name, distribution, shipped, bytes_needed=_entries),
        Contender(f"{name}, cost by product", distribution, product, bytes_needed=_matrices),
    ]


PEERS = [
    Contender("pysdtw", "pysdtw", partial(_prepare, pysdtw), bytes_needed=_matrices),
    Contender("BGU", "dtw-loss-functions", partial(_prepare, bgu), bytes_needed=_matrices),
    *_both_ways("Maghoumi", "dtw-loss-functions", maghoumi),
    *_both_ways("tslearn", "tslearn", tslearn),
]

BY_COSTS: dict[str, SoftDTW] = {"pysdtw": pysdtw, "BGU": bgu, "Maghoumi": maghoumi, "tslearn": tslearn}
"""Peers that take a cost matrix."""
