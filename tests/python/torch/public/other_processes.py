"""Code that the tests run in other processes, where it must be importable."""

import torch
from batches_of_pairs import random_batch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

import warplens.torch as wlt


class Trained(nn.Module):
    """A network and a loss whose gamma and step weights are trained too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Linear(4, 3)
        self.loss = wlt.SoftDTWLoss(
            "bce_logits", nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor([0.1, 1.0, 1.0]))
        )

    def forward(self, frames, targets):
        return self.loss(self.network(frames), targets)


def whole_batch():
    frames = torch.randn(4, 9, 4, generator=torch.Generator().manual_seed(1))
    return frames, random_batch("bce", B=4, N=1, M=5, dtype=torch.float32)[1]


def gradients_of(model):
    return [parameter.grad.numpy() for parameter in model.parameters()]


def train_a_share(rank, world, store, results):
    """Train for one step in one process of several, on its part of the batch."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    try:
        model = DistributedDataParallel(Trained())
        frames, targets = (tensor[rank::world] for tensor in whole_batch())
        model(frames, targets).backward()
        results.put((rank, gradients_of(model)))
    finally:
        distributed.destroy_process_group()


class AlignedItems(Dataset):
    """Items that a worker aligns, with the loss and as an alignment."""

    def __init__(self):
        self.loss = wlt.SoftDTWLoss(gamma=0.5)
        self.x, self.y = random_batch("mse", B=6, N=80, M=30, dtype=torch.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        x, y = self.x[index].clone().requires_grad_(), self.y[index]
        self.loss(x, y).backward()
        return x.grad, wlt.align(x, y, gamma=0.5).y_mod
