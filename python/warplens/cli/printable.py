"""Names as a terminal can show them."""


def printable(text: str) -> str:
    """A text in which whatever does not print is written as an escape.

    File names may hold any byte, so ids, and messages that name files, may hold what moves the cursor,
    changes colours, or is not Unicode.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
