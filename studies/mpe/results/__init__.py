"""Evaluation of what was trained, and the table and figures made of it."""
