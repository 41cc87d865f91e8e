"""Soft DTW in Triton kernels, for NVIDIA devices."""
