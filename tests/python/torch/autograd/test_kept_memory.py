"""Memory of gradients that serves again once nothing holds it, and never before."""

import threading

import numpy as np
import pytest
import torch

import warplens.torch as wlt
from warplens.torch.autograd import kept_memory

pytestmark = pytest.mark.skipif(not kept_memory._IS_SUPPORTED, reason="memory is kept on Linux alone")


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    monkeypatch.setattr(kept_memory, "LEAST_BYTES", 1)
    kept_memory._kept.clear()


def place(array):
    return array.__array_interface__["data"][0]


def test_memory_serves_again_when_its_last_view_is_gone():
    like = np.zeros((30, 50), np.float32)
    first = kept_memory.empty_like(like)
    assert first.shape == like.shape
    assert first.dtype == like.dtype
    assert first.flags.c_contiguous
    assert first.flags.writeable
    where = place(first)
    view = torch.from_numpy(first[3:]).T
    del first
    assert place(kept_memory.empty_like(like)) != where
    del view
    assert place(kept_memory.empty_like(like)) == where


def test_what_is_kept_is_no_less_and_not_more_than_twice_what_is_needed():
    large = kept_memory.empty_like(np.zeros(3000))
    where = place(large)
    del large
    assert place(kept_memory.empty_like(np.zeros(1600))) == where
    few = kept_memory.empty_like(np.zeros(1400))
    assert few.base.base is not None
    assert len(few.base.base.obj if isinstance(few.base.base, memoryview) else few.base.base) == 1400 * 8
    del few
    more = kept_memory.empty_like(np.zeros(1500))
    more[:] = 1.0
    assert more.sum() == 1500


def test_threads_never_share():
    def work(number):
        for _ in range(200):
            mine = kept_memory.empty_like(np.zeros(5000))
            mine[:] = number
            results.append((mine == number).all())

    results = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 800
    assert all(results)


def test_gradients_that_are_held_stay_what_they_are():
    loss = wlt.CTCLoss(reduction="sum", from_logits=True)
    held, copies = [], []
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(20, 3, 7, generator=generator).requires_grad_()
        loss(logits, torch.randint(1, 7, (3, 4), generator=generator), (20,) * 3, (4,) * 3).backward()
        if seed % 2 == 0:
            held.append(logits.grad)
            copies.append(logits.grad.clone())
        del logits
    for gradient, copy in zip(held, copies, strict=True):
        torch.testing.assert_close(gradient, copy, rtol=0, atol=0)
