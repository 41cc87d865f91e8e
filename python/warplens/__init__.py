"""Soft dynamic time warping as a training loss that shows what it teaches.

In short::

    import warplens as wl
    a = wl.align(predictions, weak_targets, cost="bce", gamma=1.0, step_weights=(0.1, 1, 1))
    a.value, a.h, a.y_mod     # the loss, the weight of each frame, the targets that would teach the same

Every function takes predictions x (N,D) and targets y (M,D). Importing this package needs NumPy alone;
`wl.torch`, `wl.analysis`, `wl.corpus`, `wl.io` and `wl.training` are imported when they are first named, and
need extras, as the command `warplens` does.
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING as _TYPE_CHECKING

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

_EXTRAS = {
    "analysis": "analysis",
    "corpus": "corpus",
    "io": "io",
    "torch": "torch",
    "training": "torch,analysis",
}
"""Packages that are imported when first named, and the extra of each."""

# Modules without which a package cannot be imported.
_NEEDS: dict[str, tuple[str, ...]] = {
    "analysis": (),
    "corpus": ("xxhash",),
    "io": (),
    "torch": ("torch",),
    "training": ("torch", "PIL"),
}

if _TYPE_CHECKING:
    from . import analysis as analysis
    from . import corpus as corpus
    from . import io as io
    from . import torch as torch
    from . import training as training
else:

    def __getattr__(name: str) -> object:
        if name not in _EXTRAS:
            raise AttributeError(f"module 'warplens' has no attribute {name!r}")
        try:
            return _import_module(f"warplens.{name}")
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in ("", "warplens"):
                raise
            raise ModuleNotFoundError(
                f"warplens.{name} needs '{missing}', which is not installed: "
                f"pip install 'warplens[{_EXTRAS[name]}]'",
                name=error.name,
            ) from error


def __dir__() -> list[str]:
    present = [name for name in _EXTRAS if all(_find_spec(needed) for needed in _NEEDS[name])]
    return sorted({*globals(), *present})
