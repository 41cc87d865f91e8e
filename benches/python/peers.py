"""Soft-DTW losses for PyTorch on PyPI, brought to one convention.

All take (B,N,D) and (B,M,D), give (B,) values of D(N,M) with unit step weights, and charge |x-y|^2 without
the half unless given another cost: the convention of `sqeuclidean`, with the same gamma. None has step
weights or a BCE cost; where a workload has them, they run with unit weights and a cost given as a matrix
product, and are held against the truth for unit weights.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from .contenders import Contender, Result, Task, UnsuitedError
from .torch_task import TorchTask
from .workloads import Workload

CostMatrix = Callable[[Tensor, Tensor], Tensor]
"""(B,N,D), (B,M,D) -> (B,N,M)"""
SoftDTW = Callable[[Tensor, Tensor, float, CostMatrix | None], Tensor]
"""x, y, gamma and a cost matrix in place of the one that the peer ships; -> (B,)"""


def pysdtw(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Numba on float64, threads over pairs; its own cost is a matrix product."""
    from pysdtw import SoftDTW

    return SoftDTW(gamma, cost, use_cuda=False)(x, y)


def maghoumi(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Numba on float64, threads over pairs; its own cost is made in (B,N,M,D) entries."""
    return _dtw_loss_functions("mag", x, y, {"gamma": gamma, "use_cuda": False, "dist_func": cost})


def bgu(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Numba on float32, threads over pairs; its own cost is a matrix product."""
    if cost is None:
        return _dtw_loss_functions("ron", x, y, {"gamma": gamma})
    from dtw_loss_functions.soft_dtw_implementations.soft_dtw_cuda_ron.autograd import SoftDTWAutograd

    return SoftDTWAutograd.apply(cost(x, y), gamma, None)


def _dtw_loss_functions(implementation: str, x: Tensor, y: Tensor, settings: dict[str, object]) -> Tensor:
    from dtw_loss_functions.soft_dtw import soft_dtw

    return soft_dtw(implementation, settings)(x, y)


def tslearn(x: Tensor, y: Tensor, gamma: float, cost: CostMatrix | None) -> Tensor:
    """Numba on float32, threads over pairs; its own cost is made in (B,N,M,D) entries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional parts that are not installed
        from tslearn.metrics import SoftDTWLossPyTorch

    return SoftDTWLossPyTorch(gamma, dist_func=cost)(x, y)


def squared_distance_by_product(x: Tensor, y: Tensor) -> Tensor:
    """|x|^2 + |y|^2 - 2 x y^T."""
    return (x**2).sum(-1)[:, :, None] + (y**2).sum(-1)[:, None, :] - 2.0 * x @ y.mT


def bce_by_product(x: Tensor, y: Tensor) -> Tensor:
    """-log x y^T - log(1-x) (1-y)^T."""
    return -(x.log() @ y.mT) - torch.log1p(-x) @ (1.0 - y).mT


_BY_PRODUCT = {"sqeuclidean": squared_distance_by_product, "bce": bce_by_product}


def _prepare(peer: SoftDTW, by_product: bool, workload: Workload) -> Task:
    if by_product:
        cost = _BY_PRODUCT[workload.cost]
    elif workload.cost == "sqeuclidean":
        cost = None
    else:
        raise UnsuitedError(f"ships no {workload.cost} cost; see the row with a matrix product")
    return TorchTask(workload, lambda x, y: peer(x, y, workload.gamma, cost))


class _Packed:
    """Pairs of different sizes in one batch, as `pysdtw` takes them."""

    def __init__(self, workload: Workload) -> None:
        xs, ys = workload.data
        self._xs = [torch.from_numpy(x).requires_grad_() for x in xs]
        self._ys = pack_sequence([torch.from_numpy(y) for y in ys], enforce_sorted=False)
        self._gamma = workload.gamma
        self._values = torch.empty(0)

    def call(self) -> None:
        for x in self._xs:
            x.grad = None
        packed = pack_sequence(self._xs, enforce_sorted=False)
        values = pysdtw(packed, self._ys, self._gamma, None)  # type: ignore[arg-type]
        values.sum().backward()
        self._values = values.detach()

    def result(self) -> Result:
        return Result(self._values.double().numpy(), [x.grad.numpy() for x in self._xs])


def _prepare_pysdtw(workload: Workload) -> Task:
    if workload.is_ragged:
        return _Packed(workload)
    return _prepare(pysdtw, workload.cost != "sqeuclidean", workload)


def _prepare_bgu(workload: Workload) -> Task:
    return _prepare(bgu, workload.cost != "sqeuclidean", workload)


def _cells_at_once(workload: Workload) -> int:
    if not workload.is_ragged:
        return workload.cells
    return max(n * m for n, m in workload.sizes)


def _cells(workload: Workload) -> int:
    padded = [max(sizes) for sizes in zip(*workload.sizes, strict=True)]
    return 60 * len(workload.sizes) * padded[0] * padded[1]


def _entries(workload: Workload) -> int:
    """(B,N,M,D): the difference, its square, and their gradients."""
    return 4 * 4 * _cells_at_once(workload) * workload.features


def _peer(name: str, distribution: str, peer: SoftDTW) -> list[Contender]:
    """A peer with its own cost, made entry by entry, and with a cost given as a matrix product."""
    return [
        Contender(name, distribution, partial(_prepare, peer, False), bytes_needed=_entries),
        Contender(
            f"{name}, cost by product", distribution, partial(_prepare, peer, True), bytes_needed=_cells
        ),
    ]


PEERS = [
    Contender("pysdtw", "pysdtw", _prepare_pysdtw, bytes_needed=_cells),
    Contender("BGU", "dtw-loss-functions", _prepare_bgu, bytes_needed=_cells),
    *_peer("Maghoumi", "dtw-loss-functions", maghoumi),
    *_peer("tslearn", "tslearn", tslearn),
]

BY_COSTS: dict[str, SoftDTW] = {"pysdtw": pysdtw, "BGU": bgu, "Maghoumi": maghoumi, "tslearn": tslearn}
"""Those that take a cost matrix."""
