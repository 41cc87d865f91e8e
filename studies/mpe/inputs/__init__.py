"""What the study computes with: features of recordings, segments of them, and batches of segments."""
