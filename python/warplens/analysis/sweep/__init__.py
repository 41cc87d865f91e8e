"""Sweeps over gamma: what each gamma keeps and loses, of one item or of a corpus, and which to train with."""
