"""Lists of notes, as text or MIDI, and the frames in which they sound."""
