"""A set of series of any lengths, as one padded tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from warplens.torch.inputs.batches import (
    Lengths,
    as_lengths,
    check_range_of,
    check_tensor,
    replace_padding,
    values_are_readable,
)


@dataclass(frozen=True)
class Series:
    """Series in one padded tensor, of the dtype in which they were given."""

    name: str
    frames: Tensor  # (I,L,D)
    lengths: Tensor | None  # (I,) int64; None where nothing is padded

    def check_fit(self, other: "Series") -> None:
        """Raise ValueError where no pair can be made of one of these and one of the others."""
        mine, theirs = self.frames, other.frames
        if mine.shape[2] != theirs.shape[2]:
            raise ValueError(
                f"{other.name}: has D = {theirs.shape[2]} features, but {self.name} has {mine.shape[2]}; "
                "both need the same"
            )
        if mine.device != theirs.device:
            raise ValueError(
                f"{other.name}: is on {theirs.device}, {self.name} on {mine.device}; one device is accepted"
            )

    def without_padding(self) -> Tensor:
        """Return (I,L,D) with the first frame of each series in place of its padding."""
        return replace_padding(self.frames, self.lengths)


def as_series(
    name: str, given: Tensor | Sequence[Tensor], lengths: Lengths | None, cost: object, side: int
) -> Series:
    """Check series (L_i,D), or a padded tensor of them (I,L,D), in the place of x (side 0) or y (1)."""
    accepted = "tensors (frames, features), or one tensor (series, frames, features), are accepted"
    if isinstance(given, Tensor):
        check_tensor(name, given, accepted, dimensions=(3,))
        if 0 in given.shape:
            raise ValueError(f"{name}: has shape {tuple(given.shape)}; at least one of each is needed")
        frames = given
    else:
        if not isinstance(given, Sequence):
            raise TypeError(f"{name}: is a {type(given).__name__}; {accepted}")
        if lengths is not None:
            raise ValueError(f"{name}: is a list, whose series know their lengths; a tensor takes lengths")
        _check_each(name, given)
        frames = pad_sequence(list(given), batch_first=True)
        own = [len(series) for series in given]
        lengths = own if min(own) != max(own) else None
    checked = as_lengths(f"lengths of {name}", lengths, frames, unbatched=False)
    if isinstance(cost, str) and values_are_readable(frames):
        check_range_of(name, frames, checked, cost, side)
    return Series(name, frames, checked)


def check_finite(series: Series) -> None:
    """Raise ValueError for NaN and infinities outside the padding; reads values from the device."""
    refused = ~series.without_padding().isfinite()
    if bool(refused.any()):
        one, *index = refused.nonzero()[0].tolist()
        raise ValueError(
            f"{series.name}[{one}]: is {series.frames[one, *index].item()} at index {tuple(index)}; "
            "finite numbers are accepted"
        )


def _check_each(name: str, given: Sequence[Tensor]) -> None:
    if not given:
        raise ValueError(f"{name}: is empty; at least one series is needed")
    for index, series in enumerate(given):
        one = f"{name}[{index}]"
        check_tensor(one, series, "(frames, features) is accepted", dimensions=(2,))
        if 0 in series.shape:
            raise ValueError(
                f"{one}: has shape {tuple(series.shape)}; at least one frame and feature are needed"
            )
        if series.shape[1] != given[0].shape[1]:
            raise ValueError(
                f"{one}: has D = {series.shape[1]}, but {name}[0] has {given[0].shape[1]}; all need the same"
            )
        if (series.device, series.dtype) != (given[0].device, given[0].dtype):
            raise ValueError(
                f"{one}: is {series.dtype} on {series.device}, {name}[0] {given[0].dtype} on "
                f"{given[0].device}; all need the same"
            )
