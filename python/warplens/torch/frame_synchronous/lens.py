"""The lens of CTC: modified targets, occupancy, durations and entropy of a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from warplens.torch.inputs.torch_private import number_of_changes


@dataclass(frozen=True)
class CTCAlignment:
    """Soft alignments of a batch under CTC, and the targets that they teach a network.

    Frames come first, as in the log-probabilities; results of one item have no batch axis. Columns are those
    of the expanded targets, blank, label, blank, ..., label, blank: 2S+1 of them where S is the greatest
    number of labels. What lies past the frames or the columns of an item is 0; an item without a path has the
    value +inf and is 0 elsewhere, one with NaN in it is NaN. No tensor carries a gradient.

    Attributes:
        value: (B,) the loss of each item, undivided.
        h: (T,B) weight of each frame, dvalue/dC summed over columns: 1 unless blanks have a weight.
        y_mod: (T,B,K) modified targets: with them, h(n) (softmax - y_mod) is the gradient in the logits.
        visits: (B,2S+1) expected number of frames on each column.
        entropy: (B,) of the distribution of paths, in nats; -dvalue/dgamma.
        expanded: (B,2S+1) int64, the class of each column; -1 past the last.
        input_lengths: (B,) int64.
        target_lengths: (B,) int64.
    """

    value: Tensor
    h: Tensor
    y_mod: Tensor
    visits: Tensor
    entropy: Tensor
    expanded: Tensor
    input_lengths: Tensor
    target_lengths: Tensor
    _of_cells: Callable[[], dict[str, Tensor]]

    @property
    def H(self) -> Tensor:
        """Soft alignment (T,B,2S+1): the gradient of the value in the cost of each column at each frame."""
        return self._of_cells()["H"]

    @property
    def E(self) -> Tensor:
        """Occupancy (T,B,2S+1): the probability that a path is on each column at each frame."""
        return self._of_cells()["E"]

    @property
    def blank_share(self) -> Tensor:
        """Expected share of frames that lie on a blank, (B,); 0 without frames."""
        on_blanks = self.visits[..., ::2].sum(-1)
        return on_blanks / self.input_lengths.clamp(min=1)


def once(
    compute: Callable[[Sequence[str]], dict[str, Tensor]], inputs: Sequence[Tensor]
) -> Callable[[], dict[str, Tensor]]:
    """Return a function that computes H and E when first called; inputs must not have changed by then."""
    changes = [number_of_changes(tensor) for tensor in inputs]
    kept: dict[str, Tensor] = {}

    def of_cells() -> dict[str, Tensor]:
        if not kept:
            if [number_of_changes(tensor) for tensor in inputs] != changes:
                raise RuntimeError("log_probs or targets were changed in place before H or E was first read")
            with torch.no_grad():
                kept.update(compute(["H", "E"]))
        return kept

    return of_cells
