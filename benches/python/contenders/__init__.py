"""Implementations that compute the workloads: warplens, other packages, and CTC for comparison."""
