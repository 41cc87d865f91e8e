"""The error for an item that cannot be used."""


class ItemError(ValueError):
    """An item that cannot be used; the message names the array, what is wrong and what is accepted."""


def missing_library(name: str, error: ModuleNotFoundError) -> ItemError:
    """Return the error for a file whose library is not installed."""
    return ItemError(f"{name} needs '{error.name}', which is not installed: pip install warplens[io]")
