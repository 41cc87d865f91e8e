"""The alignments of a batch, as tensors."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from warplens.torch.backends.relative_alignment import relative_alignment, rows_of_one
from warplens.torch.inputs.torch_private import number_of_changes

Compute: TypeAlias = Callable[[Sequence[str]], dict[str, Tensor]]
"""names among h, y_mod, H, E, entropy, step_posteriors, begin, end, visits -> at least these, batched"""


class BatchAlignment:
    """Soft alignments of a batch of pairs, and the targets that they teach a network.

    Shapes are those of a batch of B pairs with N prediction frames, M target frames and D features, padded
    with zeros; an unbatched pair has no leading B. No tensor carries a gradient. `value`, `h`, `y_mod` and
    `entropy` are computed at once; the others when first read, from the tensors that were given (so these
    must not have been changed in place by then: a RuntimeError says so). Saved or copied, `H` and `E` are
    computed, and of the others those go along that were read.

    A pair without a path has value +inf and is 0 elsewhere; a pair with NaN in it is NaN.

    Attributes:
        x_lengths: (B,) int64, the prediction frames of each pair.
        y_lengths: (B,) int64, and the target frames.
    """

    x_lengths: Tensor
    y_lengths: Tensor

    def __init__(
        self,
        compute: Compute,
        inputs: Sequence[Tensor],
        x_lengths: Tensor,
        y_lengths: Tensor,
        *,
        describe: Callable[[], str],
        cost: str,
        has_modified_targets: bool,
        unbatched: bool,
        leaves_frames_out: bool = False,
    ) -> None:
        self.x_lengths = x_lengths[0] if unbatched else x_lengths
        self.y_lengths = y_lengths[0] if unbatched else y_lengths
        self._compute: Compute | None = compute
        self._inputs = [(tensor, number_of_changes(tensor)) for tensor in inputs]
        self._describe = describe
        self._cost = cost
        self._has_modified_targets = has_modified_targets
        self._unbatched = unbatched
        self._leaves_frames_out = leaves_frames_out
        self._results = compute(["h", "entropy", *(["y_mod"] if has_modified_targets else [])])

    @property
    def value(self) -> Tensor:
        """(B,) soft DTW, in the unit of the cost; +inf where there is no path."""
        return self._get("value")

    @property
    def h(self) -> Tensor:
        """(B,N) row sums of H: the weight that a prediction frame has in the gradient."""
        return self._get("h")

    @property
    def y_mod(self) -> Tensor:
        """(B,N,D) modified targets H~ Y (H~ Y/|Y| under cosine).

        Trained with an element-wise loss against them, weighted by h(n), a network gets the very update that
        soft DTW gives it (Zeitler & Mueller, ISMIR 2025, eq. 14 and 17).

        Raises:
            ValueError: under a cost whose gradient is not affine in the targets.
        """
        if not self._has_modified_targets:
            raise ValueError(
                f"y_mod: cost {self._cost!r} is not affine in the target, so no modified targets give its "
                'gradient; use "mse", "bce" or another cost of that form (H, h and E are there)'
            )
        return self._get("y_mod")

    @property
    def H(self) -> Tensor:
        """(B,N,M) soft alignment dSDTW/dC."""
        return self._get("H")

    @property
    def E(self) -> Tensor:
        """(B,N,M) probability that the random path visits a cell."""
        return self._get("E")

    @property
    def H_tilde(self) -> Tensor:
        """(B,N,M) H~ = H / h(n), by rows; where h(n) < 1e-20, E(n,.) / sum E(n,.).

        With other steps, penalties or ends than those of plain soft DTW it is 0 there, as paths may leave
        frames out.
        """
        return rows_of_one(self.H) if self._leaves_frames_out else relative_alignment(self.H, self.E)

    @property
    def entropy(self) -> Tensor:
        """(B,) entropy of the distribution of paths in nats, -dSDTW/dgamma."""
        return self._get("entropy")

    @property
    def step_posteriors(self) -> Tensor:
        """(B,S,N,M) probability that the path arrives at a cell by each step; E = sum_s of them + begin."""
        return self._get("step_posteriors")

    @property
    def begin(self) -> Tensor:
        """(B,N,M) probability that the path begins at a cell."""
        return self._get("begin")

    @property
    def end(self) -> Tensor:
        """(B,N,M) probability that the path ends at a cell."""
        return self._get("end")

    @property
    def visits(self) -> Tensor:
        """(B,M) column sums of E: the expected number of frames at each target."""
        return self._get("visits")

    def __getstate__(self) -> dict[str, Any]:
        """Return all tensors, computed: what computes them cannot be saved."""
        for name in ("H", "E"):
            self._get(name)
        state = {**self.__dict__, "_compute": None, "_inputs": [], "_describe": self._describe()}
        return {**state, "_results": dict(self._results)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        description = state.pop("_describe")
        self.__dict__.update(state, _describe=lambda: description)

    def __repr__(self) -> str:
        return f"<BatchAlignment {self._describe()}>"

    def _get(self, name: str) -> Tensor:
        if name not in self._results:
            if any(number_of_changes(tensor) != changes for tensor, changes in self._inputs):
                raise RuntimeError(
                    f"{name}: is computed when first read, but x or y was changed in place since align(); "
                    "read it before, or give align() a clone"
                )
            if self._compute is None:
                raise RuntimeError(f"{name}: was not read before the alignment was saved or copied")
            self._results.update(self._compute(["H", "E"] if name in ("H", "E") else [name]))
        result = self._results[name]
        return result[0] if self._unbatched else result
