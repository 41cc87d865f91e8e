"""The frame of every page, which is one file with its style and its script inside, and what pages share.

Pages are text put together by functions, one an idea, in the modules beside this one. Whatever a page is told
from outside, such as names and errors, goes through `html.escape` where it enters; numbers and labels are the
report's own making.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path

from warplens.io.replacing import replacing


def write_page(path: Path, parts: Iterable[str]) -> None:
    """Write a page; it is complete or not there. Its folders are made.

    Args:
        path: where to.
        parts: the page; an iterator is drawn as the page is written.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        for part in parts:
            # A file name need not be valid Unicode; the page always is.
            file.write(part.encode("utf-8", "backslashreplace"))


def framed(content: Iterable[str], *, title: str, scripts: Sequence[str]) -> Iterator[str]:
    """A page in parts: its content between the head and these scripts, files of `templates/`."""
    yield f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{_template("report.css")}</style>
</head>
<body>
"""
    yield from content
    yield "<script>\n"
    yield from (_template(name) for name in scripts)
    yield "</script>\n</body>\n</html>\n"


def guide(threshold: str, *, is_open: bool = False) -> str:
    """How to read a page.

    Args:
        threshold: level under which an event counts as lost, as it is shown.
        is_open: whether it is read without a click.
    """
    return _template("guide.html").format(threshold=threshold, open="open" if is_open else "")


def layout_tools() -> str:
    """The choice of how rolls are laid out."""
    return _template("layout_tools.html")


@cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")
