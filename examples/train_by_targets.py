"""Training from weak targets while gamma falls as the modified targets ask.

Twelve classes come one after the other and last 12, 1 and 6 frames in turn. The network sees them under noise
and is told their order alone. `python examples/train_by_targets.py` prints why gamma fell in the first of ten
starts, and the mean F-measure of the predictions over all of them, beside those for a constant gamma.
"""

import torch

from warplens.torch import ConstantGamma, SoftDTWLoss
from warplens.training import Probe, Probes, TargetDrivenGamma, inspect_targets

STARTS = 10
STEPS = 300


def train(seed: int, constant: float | None = None) -> dict[str, object]:
    """Train from one start, by a constant gamma where one is given.

    Returns:
        `first` and `last` F-measure of the predictions, `gamma` in the end, and the `log` of its moves.
    """
    torch.manual_seed(seed)
    strong = torch.eye(12).repeat_interleave(torch.tensor([12, 1, 6] * 4), dim=0)  # (76,12)
    spectra, network = strong + 0.3 * torch.randn(strong.shape), torch.nn.Linear(12, 12)
    loss_fn, optimizer = SoftDTWLoss("bce_logits"), torch.optim.Adam(network.parameters(), lr=0.05)
    probes = Probes(network, [Probe("first", spectra, torch.eye(12).numpy(), strong.numpy())])
    if constant is None:
        gamma = TargetDrivenGamma(loss_fn, probes, start=10.0, end=0.1, every=60)
    else:
        gamma = ConstantGamma(loss_fn, constant)
    first = inspect_targets(loss_fn, probes).measures["predictions_f_measure"]
    for _ in range(STEPS):
        loss_fn(network(spectra), torch.eye(12)).backward()
        optimizer.step()
        optimizer.zero_grad()
        gamma.step()
    return {
        "first": first,
        "last": inspect_targets(loss_fn, probes).measures["predictions_f_measure"],
        "gamma": loss_fn.gamma.item(),
        "log": getattr(gamma, "log", []),
    }


if __name__ == "__main__":
    print(*train(0)["log"], sep="\n")
    for constant in (None, 0.1, 1.0, 10.0):
        results = [train(seed, constant)["last"] for seed in range(STARTS)]
        name = "driven by the targets" if constant is None else f"constant {constant:g}"
        print(f"gamma {name}: F {sum(results) / STARTS:.2f}, from {min(results):.2f} to {max(results):.2f}")
