"""Training in several processes, and copies of a loss between them."""

import copy
import io
import multiprocessing
import pickle

import pytest
import torch
from batches_of_pairs import random_batch
from other_processes import AlignedItems, Trained, gradients_of, train_a_share, whole_batch
from torch import distributed, nn
from torch.utils.data import DataLoader

import warplens as wl
import warplens.torch as wlt

# A guard against hanging only.
PATIENCE = 300


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_two_processes_get_the_gradient_of_the_whole_batch(tmp_path):
    """DistributedDataParallel averages the gradients of two halves; "mean" makes that the whole batch's."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=train_a_share, args=(rank, 2, tmp_path / "store", results), daemon=True)
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    computed = dict(results.get(timeout=PATIENCE) for _ in processes)
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    model = Trained()
    model(*whole_batch()).backward()
    assert len(gradients_of(model)) == 4
    for rank in range(2):
        for mine, expected in zip(computed[rank], gradients_of(model), strict=True):
            torch.testing.assert_close(
                torch.from_numpy(mine), torch.from_numpy(expected), rtol=1e-5, atol=1e-6
            )


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_of_a_dataloader_align(start):
    """Workers forked from a process whose core has threads do too."""
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no start method {start!r} on this system")
    items = AlignedItems()
    expected = [items[index] for index in range(len(items))]
    wl.align_many([items.x[0].numpy()] * 8, [items.y[0].numpy()] * 8, threads=2)
    loader = DataLoader(items, batch_size=2, num_workers=2, multiprocessing_context=start, timeout=PATIENCE)
    for part in range(2):
        computed = torch.cat([batch[part] for batch in loader])
        assert torch.equal(computed, torch.stack([item[part] for item in expected]))


LOSSES = [
    lambda: wlt.SoftDTWLoss("bce", 0.1, (0.1, 1, 1), band=wl.SakoeChiba(3), feature_weights=[1.0, 2.0, 0.5]),
    lambda: wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(0.3)), step_weights=nn.Parameter(torch.ones(3))),
    lambda: wlt.SoftDTWLoss("cosine", debias=True, sharp=True, reduction="sum"),
]


def through_torch_save(loss):
    file = io.BytesIO()
    torch.save(loss, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("make", LOSSES)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss)), through_torch_save]
)
def test_a_copy_computes_the_same_and_goes_its_own_way(copied, make):
    loss = make()
    x, y = random_batch("bce")
    loss(x.requires_grad_(), y).backward()  # a loss that was used before it is copied
    other = copied(loss)
    assert repr(other) == repr(loss)
    assert torch.equal(other(x, y), loss(x, y))
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in loss.named_parameters()]
    with torch.no_grad():
        other.gamma.mul_(2.0)
    assert other.gamma != loss.gamma


@pytest.mark.parametrize("make", LOSSES)
def test_a_state_dict_brings_the_settings_along(make):
    """One that was read with `weights_only`, as checkpoints are by default, does too."""
    loss, other = make(), make()
    with torch.no_grad():
        for tensor in other.state_dict().values():
            tensor.mul_(3.0)
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    x, y = random_batch("bce")
    assert torch.equal(other(x, y), loss(x, y))
