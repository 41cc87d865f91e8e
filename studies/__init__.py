"""Studies made with warplens; each imports it as a user would."""
