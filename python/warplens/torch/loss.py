"""Soft DTW as a module."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from warplens._bands import Band
from warplens._step_weights import UNIT_WEIGHTS
from warplens.family.general import check_no_band, chosen_steps
from warplens.family.model import NO_PENALTIES, gamma_of
from warplens.family.steps import Step
from warplens.torch.alignment import BatchAlignment
from warplens.torch.dispatch import BackendName, check_backend
from warplens.torch.family.parameters import PenaltyTensors, as_buffer, brief, penalties_of, steps_of
from warplens.torch.family.settings import (
    Penalties,
    SkipPenalty,
    as_skip_penalties,
    check_no_divergence,
    is_plain,
)
from warplens.torch.functional import align, soft_dtw_loss
from warplens.torch.inputs.batches import Lengths
from warplens.torch.inputs.settings import (
    Cost,
    FeatureReduction,
    Normalize,
    Reduction,
    Weights,
    as_gamma,
    as_step_weights,
    as_weight_vector,
    bare_cost,
    check_names,
    check_reduction,
    check_symmetric,
)
from warplens.torch.inputs.torch_private import UncastModule, shown


class SoftDTWLoss(UncastModule):
    """Weighted soft dynamic time warping as a loss; `soft_dtw_loss` says what it computes.

    `gamma` and `step_weights` are float64 buffers: they are in the state_dict, and no cast of the module
    rounds them (0.1 stays 0.1 under `.half()`); a device move takes them along where the device has float64.
    Given as `nn.Parameter` they are registered as parameters, in the dtype they have, which no cast changes
    either. Change them in place: `loss.gamma.fill_(0.1)`. `feature_weights` and `pos_weight` are float64
    buffers likewise. Buffers may change between forward and backward, whose gradients are those of forward,
    under `torch.compile` too. Only where backward runs forward again, as under `torch.utils.checkpoint` or an
    `activation_memory_budget` of the compiler, must they be what they were.

    `load_state_dict` puts gamma and weights of a checkpoint in the place of the constructor's, without a
    word: to train on with others, set them afterwards. `reset_parameters` gives buffers the values of the
    constructor again, as `to_empty` does for a module that was built under `torch.device("meta")`.

    Args:
        cost: name of a cost, a callable, or a `DiagonalPrior` over one of them.
        gamma: softness, in the unit of the cost; 0 is hard DTW.
        step_weights: (w_h, w_v, w_d): horizontal, vertical, diagonal.
        reduction: "none", "mean" (plain mean over pairs) or "sum".
        normalize: divide each pair first by "x_length", "y_length" or "both"; "none" does not.
        band: `warplens.SakoeChiba(radius)` or `warplens.Itakura(max_slope)`.
        zero_infinity: count a pair without a path as 0 instead of +inf.
        debias: take the divergence, 0 where x = y.
        sharp: take <H,C>, the mean cost of the alignments without their entropy; no second derivatives.
        feature_weights: (D,) weight of each feature in the cost.
        pos_weight: (D,) weight of the positive part, for "bce" and "bce_logits".
        feature_reduction: "sum" over features, or "mean".
        backend: "core", "ops", "triton" or None, as in `soft_dtw_loss`.
        steps: `warplens.Step`s in place of the three steps and their weights, as in `soft_dtw_loss`. They
            become modules: `loss.steps[0].penalty` is a buffer, or the parameter that was given.
        step_penalties: (b_h, b_v, b_d): a buffer or parameter (3,), or if not three numbers a module with
            `horizontal`, `vertical` and `diagonal`.
        open_begin: "x", "y", "both" or None.
        open_end: the same at the end.
        skip_penalty: for each frame that is left out, a number or (begin, end): a buffer, or a parameter.
        minimum: "softmin", or "hardmin" for gamma = 0.

    Raises:
        TypeError: An argument is not of an accepted type.
        ValueError: An argument is out of range; the message names it.

    Example:
        >>> loss_fn = SoftDTWLoss("bce_logits", gamma=0.1, step_weights=(0.1, 1.0, 1.0))
        >>> loss = loss_fn(torch.randn(4, 90, 12, requires_grad=True), torch.rand(4, 20, 12))
        >>> loss.backward()
    """

    gamma: Tensor
    step_weights: Tensor
    """None beside `steps`."""
    steps: nn.ModuleList | None
    step_penalties: Tensor | PenaltyTensors | None
    skip_penalty: Tensor | None
    feature_weights: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        cost: Cost = "mse",
        gamma: float | Tensor = 1.0,
        step_weights: Weights = UNIT_WEIGHTS,
        *,
        reduction: Reduction = "mean",
        normalize: Normalize = "none",
        band: Band | None = None,
        zero_infinity: bool = False,
        debias: bool = False,
        sharp: bool = False,
        feature_weights: Weights | None = None,
        pos_weight: Weights | None = None,
        feature_reduction: FeatureReduction = "sum",
        backend: BackendName | None = None,
        steps: Sequence[Step] | None = None,
        step_penalties: Penalties = NO_PENALTIES,
        open_begin: str | None = None,
        open_end: str | None = None,
        skip_penalty: SkipPenalty = 0.0,
        minimum: str = "softmin",
    ) -> None:
        super().__init__()
        check_names(cost, feature_weights, pos_weight, feature_reduction, band)
        check_reduction(reduction, normalize)
        check_backend(backend)
        if debias:
            check_symmetric(cost)
        gamma_of(minimum, 0.0)
        as_skip_penalties(open_begin, open_end, skip_penalty)
        if not is_plain(steps, step_penalties, open_begin, open_end):
            check_no_band(band)
            check_no_divergence(debias=debias, sharp=sharp)
        self.cost = cost
        self.reduction = reduction
        self.normalize = normalize
        self.band = band
        self.zero_infinity = zero_infinity
        self.debias = debias
        self.sharp = sharp
        self.feature_reduction = feature_reduction
        self.backend = backend
        self.open_begin = open_begin
        self.open_end = open_end
        self.minimum = minimum
        self._register("gamma", gamma, as_gamma(gamma))
        if steps is None:
            self.steps = None
            self._register("step_weights", step_weights, as_step_weights(step_weights))
        else:
            self.steps = steps_of(chosen_steps(steps, cast(Any, step_weights), cast(Any, step_penalties)))
            self.register_buffer("step_weights", None)
        penalties = None if step_penalties is NO_PENALTIES else penalties_of(step_penalties)
        if isinstance(penalties, PenaltyTensors):
            self.step_penalties = penalties
        else:
            self._register("step_penalties", penalties, penalties)
        is_open = open_begin is not None or open_end is not None
        self._register("skip_penalty", skip_penalty, as_buffer(skip_penalty) if is_open else None)
        for name, given in (("feature_weights", feature_weights), ("pos_weight", pos_weight)):
            checked = as_weight_vector(name, given)
            self.register_buffer(name, None if checked is None else checked.clone())
        self.keep_settings(
            gamma=gamma,
            step_weights=step_weights,
            step_penalties=step_penalties,
            skip_penalty=skip_penalty,
            feature_weights=feature_weights,
            pos_weight=pos_weight,
        )

    def forward(
        self, x: Tensor, y: Tensor, x_lengths: Lengths | None = None, y_lengths: Lengths | None = None
    ) -> Tensor:
        """Return the loss of a batch or of one pair; `soft_dtw_loss` says more of shapes and dtypes.

        Args:
            x: (B,N,D) predictions, or (N,D).
            y: (B,M,D) targets, or (M,D).
            x_lengths: (B,) ints, the prediction frames of each pair, as tensor or sequence; None: all N. What
                lies behind is never read.
            y_lengths: (B,) ints, and the target frames; None: all M.

        Returns:
            () or, with reduction "none", (B,), in the dtype of x and y, promoted.

        Raises:
            TypeError: An argument is not of an accepted type.
            ValueError: Shapes do not fit, or on the CPU a length is out of range.
        """
        return soft_dtw_loss(
            x,
            y,
            x_lengths,
            y_lengths,
            reduction=self.reduction,
            normalize=self.normalize,
            zero_infinity=self.zero_infinity,
            debias=self.debias,
            sharp=self.sharp,
            **self._settings_of_alignment(),
        )

    def align(
        self, x: Tensor, y: Tensor, x_lengths: Lengths | None = None, y_lengths: Lengths | None = None
    ) -> BatchAlignment:
        """Return what the loss teaches under its settings; `warplens.torch.align` says what that is.

        Reduction, normalization, `debias` and `sharp` play no part in it.

        Args:
            x: (B,N,D) predictions, or (N,D), as all others as the loss takes them.
            y: (B,M,D) targets, or (M,D).
            x_lengths: (B,) ints or None.
            y_lengths: (B,) ints or None.
        """
        return align(x, y, x_lengths, y_lengths, **self._settings_of_alignment())

    def _settings_of_alignment(self) -> dict[str, Any]:
        return {
            "cost": self.cost,
            "gamma": self.gamma,
            "step_weights": UNIT_WEIGHTS if self.steps is not None else self.step_weights,
            "band": self.band,
            "feature_weights": self.feature_weights,
            "pos_weight": self.pos_weight,
            "feature_reduction": self.feature_reduction,
            "backend": self.backend,
            "steps": self.steps,
            "step_penalties": NO_PENALTIES if self.step_penalties is None else self.step_penalties,
            "open_begin": self.open_begin,
            "open_end": self.open_end,
            "skip_penalty": 0.0 if self.skip_penalty is None else self.skip_penalty,
            "minimum": self.minimum,
        }

    def reset_parameters(self) -> None:
        """Give the settings that are buffers the values that the constructor was given."""
        super().reset_parameters()
        for kept in (*(self.steps or ()), self.step_penalties):
            if isinstance(kept, UncastModule):
                kept.reset_parameters()

    def extra_repr(self) -> str:
        """Return the settings, as the constructor takes them."""
        cost = bare_cost(self.cost)
        settings = [
            f"cost={cost if isinstance(cost, str) else getattr(cost, '__name__', repr(cost))!r}",
            f"gamma={shown(self.gamma)}",
            *([] if self.steps is not None else [f"step_weights={shown(self.step_weights)}"]),
            f"reduction={self.reduction!r}",
            f"normalize={self.normalize!r}",
        ]
        if self.band is not None:
            settings.append(f"band={self.band!r}")
        if isinstance(self.step_penalties, Tensor):
            settings.append(f"step_penalties={brief(self.step_penalties)}")
        ends = (("open_begin", self.open_begin), ("open_end", self.open_end))
        settings += [f"{name}={side!r}" for name, side in ends if side is not None]
        if self.skip_penalty is not None:
            settings.append(f"skip_penalty={shown(self.skip_penalty)}")
        if self.minimum != "softmin":
            settings.append(f"minimum={self.minimum!r}")
        settings += [f"{name}=True" for name in ("debias", "sharp") if getattr(self, name)]
        return ", ".join(settings)

    def _register(self, name: str, given: object, checked: Tensor | None) -> None:
        if isinstance(given, nn.Parameter):
            self.register_parameter(name, given)
        else:
            self.register_buffer(name, None if checked is None else as_buffer(checked))
