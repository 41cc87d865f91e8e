"""The number of threads, for every library that has its own idea of it."""

import os


def set_threads(threads: int) -> None:
    """Before NumPy, torch and numba are imported: some read their number only then."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["WARPLENS_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
