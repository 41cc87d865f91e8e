"""From seconds to frames: frame n stands for the time n / fps, as in a centred Fourier transform.

Lists of notes and measures hold times that were rounded, often to milliseconds, and that may have been
written from frames: compared with n / fps as they stand, half of them would move by a frame. So a time up to
half a millisecond (at most 1/20 of a frame) after that of a frame is taken as the frame's own.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE_SECONDS = 0.0005
"""Most seconds that a time may lie after that of a frame and still be taken as the frame's."""

TOLERANCE_FRAMES = 0.05
"""Most frames of the same, which is less above 100 frames a second."""

_ROUNDING = 1e-9
"""Seconds; 0.0215 s, written with three decimals, may be off by a little more than half a millisecond."""


def first_frames(times: ArrayLike, *, fps: float, n_frames: int) -> NDArray[np.int64]:
    """Return the first frame that is not before each time: the least n with t <= n / fps + tolerance.

    The tolerance is half a millisecond or a twentieth of a frame, whichever is less. An interval from a to b
    has the frames from that of a up to that of b, without the last.

    Args:
        times: seconds, any shape.
        fps: frames a second.
        n_frames: N; it is returned for times after the last frame, 0 for those before the first.
    """
    tolerance = min(TOLERANCE_SECONDS + _ROUNDING, TOLERANCE_FRAMES / fps)
    places = np.ceil((np.asarray(times, np.float64) - tolerance) * fps)
    return np.clip(places, 0, n_frames).astype(np.int64)
