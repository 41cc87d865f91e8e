"""Measurements of whole calls: time, memory, exactness."""
