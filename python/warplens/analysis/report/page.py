"""Filling the templates: every page is one file with its style and its script inside."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from warplens.io.replacing import replacing


def write_page(path: Path, template: str, **told: Any) -> None:
    """Write a page; it is complete or not there. Its folders are made.

    Args:
        path: where to.
        template: name of one of the templates.
        told: what the template is told; an iterator among it is drawn as the page is written.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        for part in _environment().get_template(template).generate(told):
            # A file name need not be valid Unicode; the page always is.
            file.write(part.encode("utf-8", "backslashreplace"))


def render(template: str, **told: Any) -> Markup:
    """A part of a page. Parts that are rendered first cost less than templates that include others."""
    return Markup(_environment().get_template(template).render(told))


def prepare() -> None:
    """Compile all templates, which takes longer than a page: processes copied from this one need not."""
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
