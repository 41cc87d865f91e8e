"""Inputs of a run: finding items, naming them, choosing a part."""
