"""Single numbers that a caller gives: checked, and made plain ones of Python."""

import math
import numbers


def as_number(
    name: str,
    value: object,
    *,
    above_zero: bool = False,
    below: float = math.inf,
) -> float:
    """A finite number that is not negative, or above 0, and below a bound; NumPy's become Python's."""
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
    """A whole number of at least so many; NumPy's become Python's, 2.5 is none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: is {value!r}; a whole number is accepted, {least} or more")
    if value < least:
        raise ValueError(f"{name}: is {value}; a whole number is accepted, {least} or more")
    return int(value)
