"""Connectionist temporal classification: the loss, its lens, and what computes them."""
