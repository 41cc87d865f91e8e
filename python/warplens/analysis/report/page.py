"""Rendering of the templates: every page is one file with its style and its script inside."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from warplens.io.replacing import replacing


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page, whole or not at all, and make its folders.

    Args:
        path: file to write.
        template: name of one of the templates.
        values: variables of the template; an iterator among them is drawn as the page is written.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        for part in _environment().get_template(template).generate(values):
            # A file name need not be valid Unicode; the page always is.
            file.write(part.encode("utf-8", "backslashreplace"))


def render(template: str, **values: Any) -> Markup:
    """Render a part of a page. Parts rendered beforehand cost less than templates that include others."""
    return Markup(_environment().get_template(template).render(values))


def prepare() -> None:
    """Compile all templates: it takes longer than a page, and processes forked from this one inherit it."""
    for name in _environment().list_templates():
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("warplens.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
