"""Probes: items on which training is inspected, always the same, without disturbing it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from warplens._numbers import check_unmasked
from warplens.analysis import Events, find_events


@dataclass(frozen=True, eq=False)
class Probe:
    """One item to inspect; its targets are copies of those given. A probe equals itself alone.

    Attributes:
        id: a name for it.
        inputs: input of the network, without a batch axis.
        weak: weak target, (M,D); None where targets are labels.
        strong: strongly aligned target, where known: (N,D), or of labels the class of each frame, (N,).
        fps: prediction frames a second, where known; needed for sound.
        lowest_pitch: MIDI number of feature 0 where the features are semitones; needed for sound, unless they
            are 12 chroma features.
        labels: (L,) classes in the place of `weak`, as a `CTCLoss` takes them; for a `ForwardSumLoss` one
            a column.
        label_names: names of all classes, (K,), where known; pictures show them.
        events: the events of the weak target, or the labels.

    Raises:
        ValueError: neither weak targets nor labels are given, or both; a target has the wrong number of
            dimensions, is empty, or they differ in features.
    """

    id: str
    inputs: Any
    weak: NDArray[Any] | None = None
    strong: NDArray[Any] | None = None
    fps: float | None = None
    lowest_pitch: int | None = None
    labels: NDArray[np.int64] | None = None
    label_names: Sequence[str] | None = None
    events: Events = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if (self.weak is None) == (self.labels is None):
            raise ValueError(f"probe {self.id!r}: give either weak targets or labels")
        if self.weak is None:
            self._check_labels()
            return
        for name in ("weak", "strong"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _roll(f"probe {self.id!r}: {name}", getattr(self, name)))
        if self.strong is not None and self.strong.shape[1] != self.weak.shape[1]:
            raise ValueError(
                f"probe {self.id!r}: weak has shape {self.weak.shape}, strong {self.strong.shape}; both must "
                "have the same number of features"
            )
        object.__setattr__(self, "events", find_events(self.weak))

    def _check_labels(self) -> None:
        assert self.labels is not None
        labels = _classes(f"probe {self.id!r}: labels", self.labels)
        object.__setattr__(self, "labels", labels)
        if self.strong is not None:
            object.__setattr__(self, "strong", _classes(f"probe {self.id!r}: strong", self.strong))
        if self.label_names is not None:
            object.__setattr__(self, "label_names", tuple(self.label_names))
        places = np.arange(len(labels))
        object.__setattr__(self, "events", Events(labels, places, places + 1))


class Probes:
    """A network and the items on which it is inspected.

    Inspection changes nothing: it runs without gradients, in eval mode, with the random numbers of torch put
    back, and every module in the mode it was in afterwards.

    Args:
        model: the network that is trained.
        items: at least one, with ids of their own.
        predict: inputs of a probe -> predictions (N,D) or (1,N,D), as the loss takes them (logits for
            "bce_logits"); of labels also (N,1,K), as CTC has it. None: `model(inputs[None])`, inputs moved to
            the device of the model and, where they are floating-point, cast to the dtype of its largest
            parameter. A `DistributedDataParallel` is asked as the network it wraps, so one rank may inspect
            alone.

    Raises:
        ValueError: no items, or an id occurs twice.
    """

    def __init__(
        self,
        model: nn.Module,
        items: Sequence[Probe],
        *,
        predict: Callable[[Any], Tensor] | None = None,
    ) -> None:
        ids = [item.id for item in items]
        if not ids:
            raise ValueError("items: empty, at least one probe is needed")
        if len(set(ids)) < len(ids):
            raise ValueError(f"items: the ids {ids} are not all different")
        self.model = model
        self.items = tuple(items)
        self._predict = predict or self._by_model

    def predictions(self) -> list[Tensor]:
        """Return what the network predicts for each item now, (N,D) each.

        Raises:
            ValueError: predictions of another shape, or that do not fit the strong target.
        """
        with undisturbed(self.model):
            return [_checked(item, self._predict(item.inputs)) for item in self.items]

    def _by_model(self, inputs: Any) -> Tensor:
        if not isinstance(inputs, Tensor):
            raise TypeError(
                f"inputs: is a {type(inputs).__name__}; without `predict` a tensor is accepted, one item "
                "without batch axis"
            )
        model = self.model
        if isinstance(model, DistributedDataParallel):
            model = model.module
        dtype = _dtype(model) if inputs.is_floating_point() else None
        predictions = model(inputs[None].to(_device(model), dtype))
        if not isinstance(predictions, Tensor):
            raise TypeError(
                f"model: returned a {type(predictions).__name__}; give `predict`, inputs -> predictions "
                "(N, D)"
            )
        return predictions


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Run a block in eval mode without gradients; afterwards modes and random numbers are as they were."""
    modes = [(module, module.training) for module in model.modules()]
    device = _device(model)
    others = [device] if device.type in ("cuda", "xpu") else []
    device_type = device.type if others else "cuda"
    with torch.no_grad(), torch.random.fork_rng(others, device_type=device_type):
        try:
            model.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training


def _device(model: nn.Module) -> torch.device:
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


def _dtype(model: nn.Module) -> torch.dtype | None:
    """Return the dtype of the largest parameter: a gamma that is learned in another does not count."""
    parameters = [each for each in model.parameters() if each.is_floating_point()]
    return max(parameters, key=Tensor.numel).dtype if parameters else None


def _checked(item: Probe, predictions: Tensor) -> Tensor:
    if predictions.ndim in (3, 4) and len(predictions) == 1:
        predictions = predictions[0]
    if item.weak is None and predictions.ndim == 3 and predictions.shape[1] == 1:
        predictions = predictions[:, 0]
    if not predictions.numel() or not _fits(item, predictions):
        if item.weak is None:
            accepted = "(N, K), (N, 1, K) or (1, N, K)"
        else:
            features = item.weak.shape[1]
            accepted = f"(N, {features}) or (1, N, {features})"
        raise ValueError(
            f"probe {item.id!r}: predictions have shape {tuple(predictions.shape)}; {accepted} is accepted, "
            "(N, A, C) of multi-label CTC"
        )
    if item.strong is not None and len(item.strong) != len(predictions):
        raise ValueError(
            f"probe {item.id!r}: {len(predictions)} frames are predicted, but its strong target has "
            f"{len(item.strong)}"
        )
    return predictions.detach()


def _fits(item: Probe, predictions: Tensor) -> bool:
    if item.weak is None:
        return predictions.ndim == 2
    features = item.weak.shape[1]
    if predictions.ndim == 3:  # categories of multi-label CTC, with or without an overall blank
        return predictions.shape[1] in (features, features + 1)
    return predictions.ndim == 2 and predictions.shape[1] == features


def _classes(name: str, given: ArrayLike) -> NDArray[np.int64]:
    check_unmasked(name, given)
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; whole numbers of shape (length,) are "
            "accepted"
        )
    return np.array(array, np.int64)


def _roll(name: str, given: ArrayLike) -> NDArray[Any]:
    check_unmasked(name, given)
    array = np.asarray(given)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; numbers of shape (frames, features) "
            "are accepted"
        )
    return np.array(array, array.dtype if array.dtype in (np.float32, np.float64) else np.float32)
