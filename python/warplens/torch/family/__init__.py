"""The general model for batches: any steps, weights, penalties and ends, differentiable in all of them."""
