"""Functions that the test of a distributed training runs in other processes, importable there."""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import warplens.torch as wlt
from warplens.training import Probe, Probes, TargetDrivenGamma, TargetInspector, inspect_targets


class Normalised(nn.Module):
    """Its statistics are those of what a rank saw last, and so not the same on all."""

    def __init__(self, features):
        super().__init__()
        self.linear, self.norm = nn.Linear(features, features), nn.BatchNorm1d(features)

    def forward(self, frames):
        return self.norm(self.linear(frames).mT).mT


def train_a_rank(rank, world, store, results):
    """Gammas of a rank, its last state, what it sees alone of the same targets in the end, and its log."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    try:
        torch.manual_seed(0)
        strong = torch.eye(6).repeat_interleave(torch.tensor([12, 1, 6] * 2), dim=0)
        inputs = strong + 0.3 * torch.randn(strong.shape)
        model, loss = DistributedDataParallel(Normalised(6)), wlt.SoftDTWLoss("bce_logits")
        probes = Probes(model, [Probe("one", inputs, torch.eye(6).numpy())])
        schedule = TargetDrivenGamma(loss, probes, every=2, least_contrast=0.1)
        inspector = TargetInspector(loss, probes, every=10)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        gammas = []
        for step in range(60):
            if rank == 0:
                inspector.step(step)
            torch.manual_seed(10 * step + rank)
            batch = strong + (0.3 + 2 * rank) * torch.randn(2, *strong.shape) + 3 * rank
            optimizer.zero_grad()
            loss(model(batch), torch.eye(6).expand(2, 6, 6)).backward()
            optimizer.step()
            schedule.step()
            gammas.append(loss.gamma.item())
        seen = inspect_targets(loss, probes).measures["short_event_peak"]
        results.put((rank, (gammas, schedule.state_dict(), seen)))
    finally:
        distributed.destroy_process_group()
