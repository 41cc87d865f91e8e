"""First derivatives saved in the forward pass, second ones recomputed."""
