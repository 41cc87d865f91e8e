"""Inputs of the study: features of recordings, segments of them, and batches of segments."""
