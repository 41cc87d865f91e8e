"""Tensors and settings of the callers, checked and brought to one form."""
