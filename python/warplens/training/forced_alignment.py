"""Classes of frames by the best path of CTC, the baseline of its soft targets."""

import warnings

import torch
from torch import Tensor

import warplens as wl
from warplens.torch import CTCLoss
from warplens.torch.inputs.batches import Lengths


@torch.no_grad()
def forced_alignment(
    loss: CTCLoss, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
) -> Tensor:
    """Return the class of each frame by the most probable path, under the settings of a loss.

    What `hard_targets` is to soft DTW: labels for an element-wise loss, as in training that alternates
    alignment and frame-wise steps. Gamma does not matter to the best path.

    Args:
        loss: a `CTCLoss`, whose blank, blank costs, priors and `from_logits` count.
        log_probs: (T,B,K) as the loss takes them, or (T,K).
        targets: (B,S), or (S,); labels one after the other (sum of lengths,) are accepted too.
        input_lengths: (B,) ints, frames of each item.
        target_lengths: (B,) ints, labels of each item.

    Returns:
        (T,B) or (T,) int64, on the device of `log_probs`; the blank behind the lengths.

    Raises:
        ValueError: shapes that do not fit, or as `warplens.ctc`, with the index of the item.
    """
    if log_probs.ndim == 2:
        batched = forced_alignment(loss, log_probs[:, None], targets[None], input_lengths, target_lengths)
        return batched[:, 0]
    frames, labels = (
        torch.as_tensor(lengths).reshape(-1).tolist() for lengths in (input_lengths, target_lengths)
    )
    if log_probs.ndim != 3 or not len(frames) == len(labels) == log_probs.shape[1]:
        raise ValueError(
            f"log_probs: has shape {tuple(log_probs.shape)} with {len(frames)} input_lengths and "
            f"{len(labels)} target_lengths; (T, B, K) with B of each, or (T, K), is accepted"
        )
    scores = log_probs.log_softmax(2) if loss.from_logits else log_probs
    rows = torch.split(targets, labels) if targets.ndim == 1 else targets.unbind()
    classes = torch.full(log_probs.shape[:2], loss.blank, dtype=torch.int64, device=log_probs.device)
    for b, (n, m) in enumerate(zip(frames, labels, strict=True)):
        try:
            with warnings.catch_warnings():
                # The best path does not depend on what rows sum to.
                warnings.filterwarnings("ignore", message="log_probs: row", category=UserWarning)
                aligned = wl.ctc(
                    scores[:n, b].double().cpu().numpy(),
                    rows[b][:m].cpu().numpy(),
                    blank=loss.blank,
                    gamma=0.0,
                    blank_penalty=float(loss.blank_penalty),
                    blank_weight=loss.blank_weight,
                    free_between=loss.free_between,
                    log_priors=None if loss.log_priors is None else loss.log_priors.cpu().numpy(),
                    prior_scale=loss.prior_scale,
                )
        except ValueError as error:
            raise ValueError(f"item {b}: {error}") from error
        columns = aligned.path().indices[:, 1]
        classes[:n, b] = torch.from_numpy(aligned.expanded[columns]).to(classes.device)
    return classes
