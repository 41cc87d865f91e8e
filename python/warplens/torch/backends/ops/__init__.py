"""Soft DTW in torch operations, on any device with float64."""
