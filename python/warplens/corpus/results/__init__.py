"""Files that a run writes for each item and for all items together."""
