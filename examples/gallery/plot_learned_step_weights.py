r"""
Learned step weights
====================

Learn gamma and the step weights from a few items whose alignment is known.

What soft DTW teaches are its modified targets. Where it is known which frame belongs
to which target frame, they have a truth to be held to: the strong target. Here gamma
and the weights are parameters, fitted so that noisy predictions of an uneven tempo
get modified targets near it:

.. math::
    \mathrm{loss}(\gamma, w) =
    \mathrm{mean}\,\bigl| Y_\mathrm{mod}(\gamma, w) - Y_\mathrm{strong} \bigr|^2

``H`` is itself a derivative of soft DTW, so this differentiates twice
(``create_graph=True``). Costs, gamma and weights times a common factor give the same
``H``: the diagonal weight stays 1.
"""

import torch
from torch import Tensor, nn

import warplens as wl
import warplens.torch as wlt

PITCHES, NOTES, ITEMS = 12, 10, 16


def items(seed: int) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """Make predictions, strong targets (B,N,D), weak ones (B,M,D), and lengths."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(PITCHES, (ITEMS, 1), generator=generator)
    moves = torch.randint(
        1, PITCHES, (ITEMS, NOTES - 1), generator=generator
    )  # no note is repeated
    pitches = torch.cat([first, moves], dim=1).cumsum(dim=1) % PITCHES
    weak = nn.functional.one_hot(pitches, PITCHES).double()
    held = torch.randint(1, 13, (ITEMS, NOTES), generator=generator)
    strong = [
        torch.from_numpy(wl.expand(y.numpy(), durations.numpy()))
        for y, durations in zip(weak, held, strict=True)
    ]
    lengths = [len(frames) for frames in strong]
    strong = nn.utils.rnn.pad_sequence(strong, batch_first=True)
    noise = torch.randn(strong.shape, generator=generator, dtype=torch.float64)
    return strong + 0.4 * noise, strong, weak, lengths


class Warping(nn.Module):
    """Gamma and step weights, positive because their logarithms are what is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.log_weights = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def settings(self) -> dict[str, Tensor]:
        """Return gamma and (w_h, w_v, 1)."""
        one = torch.ones(1, dtype=torch.float64)
        return {
            "gamma": self.log_gamma.exp(),
            "step_weights": torch.cat([self.log_weights.exp(), one]),
        }

    def forward(self, x: Tensor, y: Tensor, lengths: list[int]) -> Tensor:
        """Return modified targets (B,N,D), differentiable in gamma and weights."""
        C = (0.5 * torch.cdist(x, y) ** 2).requires_grad_()
        value = wlt.soft_dtw_from_costs(C, lengths, reduction="sum", **self.settings())
        (H,) = torch.autograd.grad(value, C, create_graph=True)
        h = H.sum(dim=2, keepdim=True)
        return H @ y / h.masked_fill(h == 0.0, 1.0)  # h is 0 in the padding


def learn(steps: int = 60, seed: int = 0) -> list[dict[str, float]]:
    """Fit gamma and weights.

    Returns:
        For every step their values and the loss, on these and on other items.
    """
    (x, strong, weak, lengths), (other_x, other_strong, other_weak, other_lengths) = (
        items(seed),
        items(seed + 1),
    )
    warping, distance = Warping(), nn.MSELoss()
    optimizer = torch.optim.Adam(warping.parameters(), lr=0.1)
    history = []
    for _ in range(steps):
        loss = distance(warping(x, weak, lengths), strong)
        others = distance(warping(other_x, other_weak, other_lengths), other_strong)
        settings = warping.settings()
        w_h, w_v, w_d = settings["step_weights"].tolist()
        now = {
            "loss": loss.item(),
            "others": others.item(),
            "gamma": settings["gamma"].item(),
        }
        history.append(now | {"w_h": w_h, "w_v": w_v, "w_d": w_d})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return history


if __name__ == "__main__":
    history = learn()
    print("step" + "".join(f"{name:>9}" for name in history[0]))
    for step in [*range(0, len(history), 10), len(history) - 1]:
        print(
            f"{step:4d}"
            + "".join(f"{number:9.4f}" for number in history[step].values())
        )

    import matplotlib.pyplot as plt

    figure, (losses, settings) = plt.subplots(
        1, 2, figsize=(10, 3.4), layout="constrained"
    )
    for name, label in (("loss", "these items"), ("others", "other items")):
        losses.plot([row[name] for row in history], label=label)
    for name in ("gamma", "w_h", "w_v"):
        settings.plot([row[name] for row in history], label=name)
    losses.set_title("distance of Y_mod from the strong target", loc="left")
    settings.set_title("gamma and step weights", loc="left")
    for ax in (losses, settings):
        ax.set_ylim(0, None)
        ax.set_xlabel("step")
        ax.legend()
