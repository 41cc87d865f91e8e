"""Arrays from safetensors files; what is not a sequence (`cost`, `fps`, ...) may also be metadata."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from warplens.io.arrays.container import ALL_KEYS, Container
from warplens.io.errors import ItemError
from warplens.io.regular_file import check_regular

_SIZES = {
    **dict.fromkeys(("BOOL", "U8", "I8"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
"""Bytes a value, of the dtypes that sequences have."""

_SEQUENCES = ("predictions", "weak", "strong", "log_probs", "labels", "label_names", "log_priors", "prior")
_MAY_BE_METADATA = tuple(key for key in ALL_KEYS if key not in _SEQUENCES)


class SafetensorsFile(Container):
    """A safetensors file."""

    def __init__(self, path: Path) -> None:
        check_regular(path)
        self._path = path
        safe_open: Any = safetensors.safe_open
        self._file = safe_open(path, framework="np")
        self._names: set[str] = set(self._file.keys())
        self._metadata: dict[str, str] = self._file.metadata() or {}

    def keys_in(self, group: str) -> Collection[str]:
        """Return the names of tensors, and of metadata at the root."""
        if not group:
            return self._names | self._metadata.keys()
        return [name.removeprefix(f"{group}/") for name in self._names if name.startswith(f"{group}/")]

    def __contains__(self, name: object) -> bool:
        """Return True if there is a tensor of this name, or a line of metadata in its place."""
        return name in self._names or (isinstance(name, str) and _key(name) in self._metadata)

    def size_of(self, name: str) -> int:
        """Return the bytes of a tensor; the library has checked that the file has them."""
        if name not in self._names:
            return len(self._metadata[_key(name)])
        tensor = self._file.get_slice(name)
        return int(math.prod(tensor.get_shape())) * self._bytes_a_value(name, tensor.get_dtype())

    def load(self, name: str) -> Any:
        """Return a tensor, or a line of metadata as the number or numbers in it."""
        if name not in self._names:
            return _parse(self._metadata[_key(name)])
        tensor = self._file.get_slice(name)
        if tensor.get_dtype() == "BF16":
            return self._bfloat16(name, tensor.get_shape())
        return self._file.get_tensor(name)

    def _bfloat16(self, name: str, shape: list[int]) -> NDArray[np.float32]:
        """Return a tensor of a dtype that NumPy lacks: the upper halves of float32 values."""
        deserialize: Any = safetensors.deserialize
        data = dict(deserialize(self._path.read_bytes()))[name]["data"]
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)

    def _bytes_a_value(self, name: str, dtype: str) -> int:
        if dtype not in _SIZES:
            raise ItemError(f"'{name}' has dtype {dtype}, it must be one of {', '.join(_SIZES)}")
        return _SIZES[dtype]


def _key(name: str) -> str:
    """Return the metadata that may stand for a tensor of this name, "" for a sequence."""
    key = name.rpartition("/")[2]
    return key if key in _MAY_BE_METADATA else ""


def _parse(text: str) -> Any:
    numbers = text.strip("[]() ").replace(",", " ").split()
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        return text
    return values[0] if len(values) == 1 else values or text
