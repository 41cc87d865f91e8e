"""Inputs of a run: collect items, name them, choose a part."""
