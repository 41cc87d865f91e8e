"""Percentages of events, written one way everywhere: what is lost never rounds to nothing.

A share that is kept rounds down and a share that is lost rounds up, so both together make 100 %, 100 % are
kept only where nothing is lost, and what is below a limit reads as below it.
"""

import math

_MOST_DECIMALS = 8


def percent(share: float, decimals: int = 1, *, lost: bool = False) -> str:
    """Write a share in percent by `rounded_percent`, without zeros at its end."""
    text = f"{rounded_percent(share, decimals, lost=lost):.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if decimals else text) + " %"


def rounded_percent(share: float, decimals: int = 1, *, lost: bool = False) -> float:
    """Return a share in percent, rounded down, or up where it is the share that is lost.

    Args:
        share: from 0 to 1.
        decimals: kept of the percentage, at least as many as a limit has with which it is compared
            (`decimals_of_percent`).
        lost: whether the share is lost; the share that is kept is the rest.
    """
    scale = int(10**decimals)
    exact = 100 * scale * share
    # 0.07 is 7.000000000000001 %, and not more than 7 %.
    rounded = math.ceil(exact - 1e-9) if lost else math.floor(exact + 1e-9)
    if lost and share > 0:
        rounded = max(rounded, 1)
    elif not lost and share < 1:
        rounded = min(rounded, 100 * scale - 1)
    return rounded / scale


def decimals_of_percent(limit: float) -> int:
    """Return how many decimals a limit has in percent, at least 1: what reaches it then reads so."""
    return max(1, len(f"{100 * limit:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2]))
