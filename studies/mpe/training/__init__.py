"""The network, its predictions, and its training from strong and from weak targets."""
