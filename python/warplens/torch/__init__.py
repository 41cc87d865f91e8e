"""Soft DTW for PyTorch: a loss that shows what it teaches."""

from warplens.torch.alignment import BatchAlignment
from warplens.torch.backends.openmp import share_team
from warplens.torch.barycenters import barycenter
from warplens.torch.diagonal_prior import DiagonalPrior
from warplens.torch.frame_synchronous.alignments import FrameAlignment, LabelAlignment
from warplens.torch.frame_synchronous.ctc import CTCLoss, align_ctc
from warplens.torch.frame_synchronous.drop_dtw import DropDTWLoss, align_drop_dtw
from warplens.torch.frame_synchronous.forward_sum import ForwardSumLoss, align_forward_sum
from warplens.torch.frame_synchronous.lens import CTCAlignment
from warplens.torch.frame_synchronous.multi_label import MultiLabelCTCLoss, align_multi_label_ctc
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
    "DropDTWLoss",
    "ExponentialGamma",
    "ForwardSumLoss",
    "FrameAlignment",
    "GammaSchedule",
    "LabelAlignment",
    "LinearGamma",
    "MultiLabelCTCLoss",
    "PiecewiseGamma",
    "PiecewisePriorWeight",
    "SoftDTWLoss",
    "align",
    "align_ctc",
    "align_drop_dtw",
    "align_forward_sum",
    "align_multi_label_ctc",
    "barycenter",
    "cdist",
    "soft_dtw_from_costs",
    "soft_dtw_loss",
]

share_team()
