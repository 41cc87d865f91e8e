"""What callers give: tensors and settings, checked and brought to one form."""
