"""Implementations of the loss: the compiled core, torch operations and Triton kernels."""
