"""Soft DTW for PyTorch: a loss that shows what it teaches."""

from warplens.torch.alignment import BatchAlignment
from warplens.torch.barycenters import barycenter
from warplens.torch.diagonal_prior import DiagonalPrior
from warplens.torch.functional import align, soft_dtw_from_costs, soft_dtw_loss
from warplens.torch.loss import SoftDTWLoss
from warplens.torch.pairwise import cdist
from warplens.torch.schedules import (
    ConstantGamma,
    ExponentialGamma,
    GammaSchedule,
    LinearGamma,
    PiecewiseGamma,
    PiecewisePriorWeight,
)

__all__ = [
    "BatchAlignment",
    "ConstantGamma",
    "DiagonalPrior",
    "ExponentialGamma",
    "GammaSchedule",
    "LinearGamma",
    "PiecewiseGamma",
    "PiecewisePriorWeight",
    "SoftDTWLoss",
    "align",
    "barycenter",
    "cdist",
    "soft_dtw_from_costs",
    "soft_dtw_loss",
]
