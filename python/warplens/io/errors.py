"""What is raised for an item that cannot be used."""


class ItemError(ValueError):
    """An item cannot be used; the message says which array, what is wrong with it and what is accepted."""
