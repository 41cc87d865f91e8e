"""Learn gamma and the step weights: which warping is worth what?

Each class is a short melody of one-hot frames. An example of it is the melody played at an uneven tempo,
with noise, so that every target frame lasts for some frames: a horizontal step is the rule, a vertical one,
which passes two target frames at once, the exception. Soft DTW with unit weights charges all steps alike.
Here gamma and the weights are parameters, fitted so that an example lies nearer to its own melody than to the
others:

    loss = cross entropy of -SDTW(x, melody_k) over the classes k

    python examples/learn_step_weights.py
"""

import torch
from torch import nn

import warplens as wl
import warplens.torch as wlt

PITCHES, NOTES, CLASSES = 6, 12, 8


def melodies(generator: torch.Generator) -> torch.Tensor:
    """(K,M,D): random one-hot melodies; each second one differs from its neighbour in two notes."""
    pitches = torch.randint(PITCHES, (CLASSES, NOTES), generator=generator)
    pitches[1::2] = pitches[::2]
    for row in pitches[1::2]:
        changed = torch.randperm(NOTES, generator=generator)[:2]
        row[changed] = (row[changed] + 1) % PITCHES
    return nn.functional.one_hot(pitches, PITCHES).float()


def performances(targets: torch.Tensor, count: int, generator: torch.Generator) -> tuple[list, torch.Tensor]:
    """`count` series (N_i,D), every note held for 1 to 8 frames under noise, and their classes (count,)."""
    labels = torch.randint(CLASSES, (count,), generator=generator)
    held = torch.randint(1, 9, (count, NOTES), generator=generator)
    series = [
        torch.from_numpy(wl.expand(targets[label].numpy(), durations.numpy())).float()
        for label, durations in zip(labels, held, strict=True)
    ]
    return [x + 0.6 * torch.randn(x.shape, generator=generator) for x in series], labels


class Warping(nn.Module):
    """Gamma and step weights, positive because their logarithms are what is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.log_weights = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    @property
    def step_weights(self) -> torch.Tensor:
        """(w_h, w_v, w_d)."""
        return self.log_weights.exp()

    def forward(self, series: list, targets: torch.Tensor) -> torch.Tensor:
        """Scores (I,K) of each series for each melody."""
        return -wlt.cdist(series, targets, gamma=self.log_gamma.exp(), step_weights=self.step_weights)


def learn(steps: int = 40, count: int = 64, seed: int = 0) -> dict[str, list]:
    """Fits gamma and weights; what they, the loss and the accuracy on other examples were at every step."""
    generator = torch.Generator().manual_seed(seed)
    targets = melodies(generator)
    training, labels = performances(targets, count, generator)
    test, test_labels = performances(targets, count, generator)
    warping = Warping()
    optimizer = torch.optim.Adam(warping.parameters(), lr=0.1)
    history: dict[str, list] = {"loss": [], "accuracy": [], "gamma": [], "step_weights": []}
    for _ in range(steps):
        with torch.no_grad():
            accuracy = (warping(test, targets).argmax(dim=1) == test_labels).double().mean()
        loss = nn.functional.cross_entropy(warping(training, targets), labels)
        history["loss"].append(loss.item())
        history["accuracy"].append(accuracy.item())
        history["gamma"].append(warping.log_gamma.exp().item())
        history["step_weights"].append(warping.step_weights.tolist())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return history


if __name__ == "__main__":
    found = learn()
    print("step   loss  accuracy  gamma   w_h   w_v   w_d")
    for step in range(0, len(found["loss"]), 5):
        weights = "".join(f"{weight:6.2f}" for weight in found["step_weights"][step])
        print(
            f"{step:4d}{found['loss'][step]:7.3f}{found['accuracy'][step]:10.2f}{found['gamma'][step]:7.2f}{weights}"
        )
