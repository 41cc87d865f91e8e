"""The alignments of a batch under frame-synchronous losses whose items come first."""

from torch import Tensor

from warplens._core import LEAST_ROW_SUM
from warplens.torch.alignment import BatchAlignment


class FrameAlignment(BatchAlignment):
    """Soft alignments of a batch under a loss whose every step advances one frame."""

    @property
    def H_tilde(self) -> Tensor:
        """(B,N,columns) H~ = H / sum of its row; 0 where that is below 1e-20."""
        total = self.H.sum(-1, keepdim=True)
        return self.H / total.masked_fill(total < LEAST_ROW_SUM, float("inf"))

    @property
    def visits(self) -> Tensor:
        """(B,columns) expected number of frames on each column, the column sums of E."""
        return self._get("visits")

    @property
    def step_posteriors(self) -> Tensor:
        """Not there.

        Raises:
            ValueError: always; E tells where paths are.
        """
        raise _not_there("step_posteriors")

    @property
    def begin(self) -> Tensor:
        """Not there.

        Raises:
            ValueError: always; E tells where paths are.
        """
        raise _not_there("begin")

    @property
    def end(self) -> Tensor:
        """Not there.

        Raises:
            ValueError: always; E tells where paths are.
        """
        raise _not_there("end")


class LabelAlignment(FrameAlignment):
    """Soft alignments of frames with sequences of classes, or of tokens without a blank.

    Columns of `H`, `E` and `visits` are the expanded targets blank, target 1, blank, ..., target M, blank;
    without a blank they are the targets. `y_mod` is over classes, the blank first where there is one.
    """

    @property
    def expanded(self) -> Tensor:
        """Classes (B,columns) or targets that columns stand for, padded by the rule of the loss."""
        return self._get("expanded")

    @property
    def blank_share(self) -> Tensor:
        """(B,) expected share of frames that lie on a blank.

        Raises:
            ValueError: there is no blank.
        """
        if "blank_share" not in self._results:
            raise ValueError("blank_share: the loss has no blank")
        return self._get("blank_share")


def _not_there(name: str) -> ValueError:
    return ValueError(f"{name}: is not computed for this loss; see H, E and visits")
