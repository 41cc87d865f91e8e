"""Soft DTW for PyTorch: a loss that shows what it teaches."""

from warplens.torch.alignment import BatchAlignment
from warplens.torch.backends.openmp import share_team
from warplens.torch.barycenters import barycenter
from warplens.torch.ctc.lens import CTCAlignment
from warplens.torch.ctc.loss import CTCLoss, align_ctc
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
    "CTCAlignment",
    "CTCLoss",
    "ConstantGamma",
    "DiagonalPrior",
    "ExponentialGamma",
    "GammaSchedule",
    "LinearGamma",
    "PiecewiseGamma",
    "PiecewisePriorWeight",
    "SoftDTWLoss",
    "align",
    "align_ctc",
    "barycenter",
    "cdist",
    "soft_dtw_from_costs",
    "soft_dtw_loss",
]

share_team()
