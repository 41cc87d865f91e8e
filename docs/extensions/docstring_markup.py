"""Docstrings are written for `help()`; what reStructuredText would misread in them is escaped here."""

import re
import sys
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.nodes import get_node_line, get_node_source

LOG = logging.getLogger(__name__)
LITERAL = re.compile(r"(`[^`]+`)")


def escape_bars(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape the bars of norms and absolute values, which stand for substitutions, in place."""
    literal_above: int | None = None
    for number, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if literal_above is not None and line.strip() and depth <= literal_above:
            literal_above = None
        if literal_above is None and "|" in line:
            parts = LITERAL.split(line)
            lines[number] = "".join(part if part[:1] == "`" else part.replace("|", r"\|") for part in parts)
        if literal_above is None and re.search(r"::\s*\w*$", line):
            literal_above = depth


def describe_constants(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put what the source says below a constant or a type in the place of the docstring of its class."""
    if what != "data":
        return
    package, _, last = name.rpartition(".")
    lines[:] = []
    for module in sorted(loaded for loaded in sys.modules if loaded.startswith(package)):
        if vars(sys.modules[module]).get(last) is obj:
            said = ModuleAnalyzer.for_module(module)
            said.analyze()
            lines.extend(said.attr_docs.get(("", last), []))
            if lines:
                return


def set_off_formulas(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make indented blocks that no markup begins literal ones, in place: plain formulas keep their lines."""
    for number in range(len(lines) - 1, 0, -1):
        if lines[number].startswith("    ") and not lines[number - 1].strip():
            above = next((line for line in reversed(lines[:number]) if line.strip()), "")
            if above and not above.startswith((" ", "-", "..")) and not above.endswith("::"):
                lines[number:number] = ["::", ""]


def plain_attribute(self: GoogleDocstring) -> list[str]:
    """Return the docstring of an attribute as it is: a colon in its first line ends no type."""
    return list(self._consume_to_end())


def refuse_block_quotes(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of block quotes in docstrings: they are formulas without markup."""
    for quote in doctree.findall(nodes.block_quote):
        is_list = isinstance(quote.next_node(), nodes.bullet_list | nodes.enumerated_list)
        if "docstring of" in (get_node_source(quote) or "") and not is_list:
            LOG.warning(
                "indented text without markup, begin it by `.. math::` or end the line above with `::`: %s",
                quote.astext()[:60],
                location=f"{get_node_source(quote)}:{get_node_line(quote)}",
            )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what is escaped, and the check."""
    GoogleDocstring._parse_attribute_docstring = plain_attribute  # type: ignore[method-assign]
    app.connect("autodoc-process-docstring", describe_constants, priority=100)
    app.connect("autodoc-process-docstring", set_off_formulas, priority=200)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    app.connect("doctree-read", refuse_block_quotes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
