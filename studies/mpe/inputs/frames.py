"""Frame rate, bands and pitches of the study."""

SAMPLE_RATE = 16000
WINDOW = 2048
HOP = 512
FPS = SAMPLE_RATE / HOP
"""31.25 frames a second; frame n is centred on n / FPS."""

N_MELS = 229
LOWEST_HZ, HIGHEST_HZ = 30.0, 8000.0

N_PITCHES = 88
LOWEST_PITCH = 21
"""MIDI number of feature 0: the keys of a piano."""
