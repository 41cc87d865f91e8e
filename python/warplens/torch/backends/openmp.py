"""The threads of torch's OpenMP library, on which the compiled core runs too.

After each parallel operation torch's threads spin for a while, and threads of the core's own pool would share
the cores with them. The core is told the function `GOMP_parallel` of the library that torch computes with:
GNU's libgomp, or LLVM's libomp or Intel's libiomp5, which offer it too. Without one the core keeps to its
pool, and so it does in a child made by fork(), which has none of its parent's threads. After a parallel
operation of its parent, the core's among them, such a child must keep torch itself to one thread, as the
workers of a DataLoader do.

The environment variable `WARPLENS_OPENMP=off` leaves the core on its own pool. Results are the same bits.
"""

import ctypes
import os
from pathlib import Path
from typing import Any

import torch

from warplens import _core


def share_team() -> None:
    """Run the core on torch's OpenMP threads from now on, where there are any and the environment allows.

    Raises:
        ValueError: WARPLENS_OPENMP is neither "on" nor "off".
    """
    allowed = os.environ.get("WARPLENS_OPENMP") or "on"
    if allowed not in ("on", "off"):
        raise ValueError(f"WARPLENS_OPENMP: is {allowed!r}; it takes 'on' or 'off'")
    function = gomp_parallel() if allowed == "on" else None
    _core.use_openmp_team(None if function is None else ctypes.cast(function, ctypes.c_void_p).value)


def describe_team() -> str:
    """Return in words whose threads the core runs on: "torch's OpenMP (libgomp.so.1)" or "own pool"."""
    function = gomp_parallel() if _core.uses_openmp_team() else None
    return "own pool" if function is None else f"torch's OpenMP ({_library_of(function)})"


def gomp_parallel() -> Any | None:
    """Return `GOMP_parallel` of the OpenMP library that torch computes with, as a function of ctypes.

    None: torch was built without OpenMP, or with a library that has no such function.
    """
    if os.name != "posix" or "parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return None
    # As the loader resolves what torch calls: first what the whole process sees, where a preloaded library
    # comes first, then the libraries that torch itself names.
    of_process: list[str | None] = [None]
    of_torch = sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"))
    for name in (*of_process, *map(str, of_torch)):
        try:
            return ctypes.CDLL(name, mode=os.RTLD_NOW | os.RTLD_NOLOAD).GOMP_parallel
        except (OSError, AttributeError):  # not loaded, or without the function
            continue
    return None


class _SymbolInfo(ctypes.Structure):
    """`Dl_info` of dladdr()."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("file_address", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("symbol_address", ctypes.c_void_p),
    )


def _library_of(function: Any) -> str:
    """Return the name of the file that a function was loaded from."""
    info = _SymbolInfo()
    found = ctypes.CDLL(None).dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(info))
    return Path(os.fsdecode(info.file)).name if found and info.file else "unknown file"
