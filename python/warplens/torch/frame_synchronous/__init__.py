"""Losses whose every step advances one frame: CTC, forward-sum, drops; their lenses and computation."""
