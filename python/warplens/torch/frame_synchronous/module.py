"""Bases of the modules of frame-synchronous losses."""

import torch
from torch import Tensor, nn

from warplens.torch.frame_synchronous.batches import GraphSettings, TensorsOfBatch
from warplens.torch.frame_synchronous.values import FrameSynchronousBackend, backend_of, values
from warplens.torch.inputs.batches import as_dtype
from warplens.torch.inputs.reductions import pair_scale, reduced_values
from warplens.torch.inputs.settings import Normalize, Reduction, check_reduction
from warplens.torch.inputs.torch_private import UncastModule


class FrameSynchronousLoss(UncastModule):
    """A module whose numbers are buffers, or parameters where they were given as such."""

    gamma: Tensor

    def _register(self, name: str, given: object, checked: Tensor | None) -> None:
        if isinstance(given, nn.Parameter):
            self.register_parameter(name, given)
        else:
            self.register_buffer(name, None if checked is None else checked.detach().clone())


class BatchFirstLoss(FrameSynchronousLoss):
    """A loss of items (B,N,...) and (B,M,...), reduced and normalized as soft DTW is."""

    def __init__(
        self,
        reduction: Reduction,
        normalize: Normalize,
        zero_infinity: bool,
        backend: FrameSynchronousBackend | None,
    ) -> None:
        super().__init__()
        check_reduction(reduction, normalize)
        backend_of(backend, torch.device("cpu"))
        self.reduction = reduction
        self.normalize = normalize
        self.zero_infinity = zero_infinity
        self.backend = backend

    def _loss(
        self, tensors: TensorsOfBatch, settings: GraphSettings, *, unbatched: bool, dtype: torch.dtype
    ) -> Tensor:
        """Return the reduced loss of scores (B,T,K) in a dtype."""
        scores, _, x_lengths, y_lengths = tensors
        scale = self._scale(scores, x_lengths, y_lengths, unbatched)
        found = values(
            tensors,
            settings,
            backend_of(self.backend, scores.device),
            scale,
        )
        return self._reduced(found, unbatched, dtype)

    def _scale(self, x: Tensor, x_lengths: Tensor, y_lengths: Tensor, unbatched: bool) -> Tensor | None:
        return pair_scale(x, x, x_lengths, y_lengths, self.reduction, self.normalize, unbatched=unbatched)

    def _reduced(self, found: Tensor, unbatched: bool, dtype: torch.dtype) -> Tensor:
        loss = reduced_values(found, self.reduction, unbatched=unbatched, zero_infinity=self.zero_infinity)
        return as_dtype(loss, dtype)

    def _repr_of_reduction(self) -> list[str]:
        """Return settings for `extra_repr`."""
        settings = [f"reduction={self.reduction!r}", f"normalize={self.normalize!r}"]
        return [*settings, *(["zero_infinity=True"] if self.zero_infinity else [])]
