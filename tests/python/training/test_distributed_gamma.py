"""A gamma driven by targets in several processes."""

import multiprocessing

import pytest
from parting_ranks import train_a_rank
from torch import distributed

# A guard against hanging only.
PATIENCE = 300


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_all_ranks_have_the_gamma_of_rank_0(tmp_path):
    """Each sees targets of its own, by its own statistics; one of them inspects at its leisure."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=train_a_rank, args=(rank, 2, tmp_path / "store", results), daemon=True)
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    result = dict(results.get(timeout=PATIENCE) for _ in processes)
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    (gammas, state, seen), (others_gammas, others_state, others_seen) = result[0], result[1]
    assert seen != others_seen
    assert gammas == others_gammas
    assert gammas[-1] < gammas[0]
    assert state == others_state
