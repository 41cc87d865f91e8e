"""Soft dynamic time warping as a training loss that shows what it teaches.

In short::

    import warplens as wl
    a = wl.align(predictions, weak_targets, cost="bce", gamma=1.0, step_weights=(0.1, 1, 1))
    a.value, a.h, a.y_mod     # the loss, the weight of each frame, the targets that would teach the same

Every function takes predictions x (N,D) and targets y (M,D). Importing this package needs NumPy alone;
`warplens.torch`, `warplens.analysis`, `warplens.corpus` and the command `warplens` are extras.
"""

from ._align import align, align_costs, align_many, hard_dtw, soft_dtw
from ._alignment import Alignment, Path
from ._bands import Itakura, SakoeChiba
from ._barycenter import barycenter
from ._cdist import cdist
from ._core import NoPathError, __version__
from ._cost_matrix import cost_matrix
from ._divergence import divergence
from ._step_weights import StepWeights
from ._targets import WeakTargets, collapse_repeats, expand
from ._threads import get_num_threads, set_num_threads
from .family.ctc import ctc, forward_sum
from .family.dropping import drop_dtw
from .family.multi_label import multi_label_ctc
from .family.prior import beta_binomial_prior
from .family.steps import Step

__all__ = [
    "Alignment",
    "Itakura",
    "NoPathError",
    "Path",
    "SakoeChiba",
    "Step",
    "StepWeights",
    "WeakTargets",
    "__version__",
    "align",
    "align_costs",
    "align_many",
    "barycenter",
    "beta_binomial_prior",
    "cdist",
    "collapse_repeats",
    "cost_matrix",
    "ctc",
    "divergence",
    "drop_dtw",
    "expand",
    "forward_sum",
    "get_num_threads",
    "hard_dtw",
    "multi_label_ctc",
    "set_num_threads",
    "soft_dtw",
]
