"""Predictions after a network has learnt its modified targets, round after round, without training it.

Modified targets depend on the predictions: once a network has learnt them, the loss teaches others. What
training leads to shows better where this settles than in the targets of the first step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import warplens as wl
from warplens._numbers import as_count, as_number
from warplens.torch import CTCLoss, DropDTWLoss, ForwardSumLoss, MultiLabelCTCLoss, SoftDTWLoss
from warplens.torch.inputs.settings import bare_cost
from warplens.training.loss_lenses import InspectedLoss, check_loss, check_probe, shown_on
from warplens.training.probes import Probes

_LEAST = 1e-4
"""Probabilities are kept this far from 0 and 1, so that their logarithms are finite."""


def settle_predictions(
    loss: InspectedLoss,
    probes: Probes,
    *,
    rounds: int = 3,
    rate: float = 1.0,
    predictions: Sequence[Tensor] | None = None,
    gamma: float | None = None,
) -> list[Tensor]:
    r"""Return predictions of probes as if their modified targets had been learnt, several times over.

    In each round the levels p(n) of the predictions (probabilities where they are logits) become

    .. math::
        p(n) + \mathrm{rate} \cdot \min(q(n), 1) \, \bigl(Y_{mod}(n) - p(n)\bigr),

    q(n) the probability that frame n is taught: what a loss leaves out stays as it is. `inspect_targets`
    with as many `rounds` measures the result: which events the loss itself keeps and how right predictions
    get, however well the network learns.

    Args:
        loss: a loss of the family that can be inspected; a `ForwardSumLoss` with a blank cannot.
        probes: network and items.
        rounds: number of rounds; 0 returns the predictions.
        rate: share of the way to the modified targets in a round, above 0, at most 1.
        predictions: predictions of each probe, (N,D), as the loss takes them; None asks the network.
        gamma: another gamma than that of the loss; None takes that of the loss.

    Returns:
        For each probe what the loss takes, in the shape of its predictions; where there is no path, or
        predictions are not finite, the predictions.

    Raises:
        TypeError: an argument is not a number, or the loss is none that can be inspected.
        ValueError: a number is out of range, probes have not the targets that the loss needs, or predictions
            do not fit.

    Example:
        >>> network, weak = torch.nn.Linear(8, 3), torch.eye(3)
        >>> probes = Probes(network, [Probe("scale", torch.randn(20, 8), weak.numpy())])
        >>> loss = SoftDTWLoss("bce_logits", gamma=0.1)
        >>> settled = settle_predictions(loss, probes)
        >>> inspect_targets(loss, probes, predictions=settled).measures["kept"]
        1.0
    """
    check_loss(loss)
    for probe in probes.items:
        check_probe(loss, probe)
    check_rounds(loss, rounds)
    rate = as_number("rate", rate, above_zero=True)
    if rate > 1:
        raise ValueError(f"rate: is {rate}; a share of the way, above 0 and at most 1, is accepted")
    given = probes.predictions() if predictions is None else predictions
    used = float(loss.gamma.detach()) if gamma is None else gamma
    to_levels, to_predictions = _scale_of(loss)
    results = []
    for probe, x in zip(probes.items, given, strict=True):
        for _ in range(rounds):
            try:
                shown = shown_on(loss, probe, x, used)
            except wl.NoPathError:
                break
            p, y_mod = to_levels(x), shown.y_mod
            taught = _taught_share(loss, shown).to(p)
            x = to_predictions(p + rate * taught * (y_mod.to(p) - p))
        results.append(x)
    return results


def check_rounds(loss: InspectedLoss, rounds: int) -> None:
    """Raise unless rounds is a count, and 0 for a loss whose predictions cannot learn their targets.

    Raises:
        TypeError: rounds is not a whole number.
        ValueError: it is negative, or above 0 for a `ForwardSumLoss` with a blank.
    """
    as_count("rounds", rounds, least=0)
    if rounds and isinstance(loss, ForwardSumLoss) and loss.blank_logprob is not None:
        raise ValueError(
            "rounds: a ForwardSumLoss with blank_logprob normalises its scores with the blank, so its "
            "targets are not those of the predictions; give 0, or a loss without it"
        )


def _taught_share(loss: InspectedLoss, shown: Any) -> Tensor:
    """Return the probability that a frame is taught, over the axes of the modified targets."""
    share = shown.E.sum(-1) if isinstance(loss, SoftDTWLoss) else shown.h
    return torch.as_tensor(share).clamp(max=1.0).unsqueeze(-1)


Scale = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


def _scale_of(loss: InspectedLoss) -> Scale:
    """Return the functions from predictions to the levels of targets and back."""
    if isinstance(loss, CTCLoss) and loss.from_logits:
        return _of_classes, _logarithm
    if isinstance(loss, CTCLoss | MultiLabelCTCLoss | ForwardSumLoss):
        return torch.exp, _logarithm
    assert isinstance(loss, SoftDTWLoss | DropDTWLoss)
    return _SCALES.get(str(bare_cost(loss.cost)), (_same, _same))


def _same(x: Tensor) -> Tensor:
    return x


def _of_classes(x: Tensor) -> Tensor:
    return x.softmax(-1)


def _logarithm(p: Tensor) -> Tensor:
    return p.clamp(min=_LEAST).log()


def _probabilities(p: Tensor) -> Tensor:
    return p.clamp(_LEAST, 1 - _LEAST)


def _logit(p: Tensor) -> Tensor:
    return torch.logit(p, eps=_LEAST)


_SCALES: dict[str, Scale] = {
    "bce": (_same, _probabilities),
    "ce": (_same, lambda p: p.clamp(min=_LEAST)),
    "bce_logits": (torch.sigmoid, _logit),
    "ce_logits": (_of_classes, _logarithm),
    "poisson": (_same, lambda p: p.clamp(min=_LEAST)),
    "poisson_log": (torch.exp, _logarithm),
}
"""By the name of the cost; predictions of the others are on the scale of their targets."""
