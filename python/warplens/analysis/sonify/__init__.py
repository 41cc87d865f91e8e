"""Sonification: levels as sound, alone or beside the recording they belong to.

Needs NumPy alone, but for `read_recording`, which needs the extra `sound`.
"""

from warplens.analysis.sonify.files import read_recording, stereo, write_wav
from warplens.analysis.sonify.loudness import like_loud, loudness
from warplens.analysis.sonify.tones import SAMPLE_RATE, most_voices, sonify

__all__ = [
    "SAMPLE_RATE",
    "like_loud",
    "loudness",
    "most_voices",
    "read_recording",
    "sonify",
    "stereo",
    "write_wav",
]
