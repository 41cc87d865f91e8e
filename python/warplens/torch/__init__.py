"""Soft DTW for PyTorch: a loss that shows what it teaches."""

from warplens.torch.alignment import BatchAlignment
from warplens.torch.family import barycenter, cdist
from warplens.torch.functional import align, soft_dtw_from_costs, soft_dtw_loss
from warplens.torch.loss import SoftDTWLoss

__all__ = [
    "BatchAlignment",
    "SoftDTWLoss",
    "align",
    "barycenter",
    "cdist",
    "soft_dtw_from_costs",
    "soft_dtw_loss",
]
