"""Files that a run writes: of each item, and of all."""
