"""Evaluation of trained networks, and the table and figures of the study."""
