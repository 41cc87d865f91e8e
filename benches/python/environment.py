"""The number of threads, set for every library."""

import os


def set_threads(threads: int) -> None:
    """Set the number of threads, before NumPy, torch and numba are imported: some read it only then."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["WARPLENS_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
