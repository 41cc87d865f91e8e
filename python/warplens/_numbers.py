"""Checks of single numbers, which become plain numbers of Python, and that none is masked."""

import math
import numbers
from typing import Any

import numpy as np


def as_number(
    name: str,
    value: object,
    *,
    above_zero: bool = False,
    below: float = math.inf,
) -> float:
    """Check for a finite number that is not negative, or above 0, and below a bound."""
    accepted = "finite and above 0" if above_zero else "finite and not negative"
    if below < math.inf:
        accepted += f", below {below:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: is {value!r}; a number is accepted, {accepted}")
    number = float(value)
    if not (math.isfinite(number) and 0 <= number < below) or (above_zero and number == 0):
        raise ValueError(f"{name}: is {number}; a number is accepted, {accepted}")
    return number


def as_count(name: str, value: object, *, least: int = 1) -> int:
    """Check for a whole number of at least `least`; 2.5 is none, NumPy's are."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: is {value!r}; a whole number is accepted, {least} or more")
    if value < least:
        raise ValueError(f"{name}: is {value}; a whole number is accepted, {least} or more")
    return int(value)


def is_number(value: object) -> bool:
    """Tell real numbers, NumPy's among them, from booleans and everything else."""
    return isinstance(value, numbers.Real | np.floating | np.integer) and not isinstance(value, bool)


def check_unmasked(name: str, values: Any) -> None:
    """Refuse a masked array, or a list of them, that masks a value: what lies under a mask is no data."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
    elif isinstance(values, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in values):
        for i, row in enumerate(values):
            check_unmasked(f"{name}[{i}]", row)
        return
    else:
        return
    if mask.any():
        index = tuple(int(i) for i in np.argwhere(mask)[0])
        raise ValueError(
            f"{name}: masks {np.count_nonzero(mask)} values, the first at index {index}; masked arrays lack "
            "them: fill them with what they mean, or leave out their frames"
        )
