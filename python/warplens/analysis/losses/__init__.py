"""Every loss of the family under one lens: its options, and what it teaches from stored items."""
