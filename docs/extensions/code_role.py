"""The role of plain backticks in docstrings: a link where the name is documented, else code."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import roles
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

LENIENT = "warplens-lenient"
"""Mark of a reference that may stay unresolved."""


class NamedRole(SphinxRole):
    """`align` becomes a link to what `align` means on that page, `(N,D)` code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the reference, or code where the text is no name."""
        code = nodes.literal(self.rawtext, self.text)
        if not all(part.isidentifier() for part in self.text.split(".")):
            return [code], []
        reference = pending_xref(
            self.rawtext,
            code,
            refdomain="py",
            reftype="obj",
            reftarget=self.text,
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=False,
        )
        for key in ("py:module", "py:class"):
            reference[key] = self.env.ref_context.get(key)
        reference[LENIENT] = True
        return [reference], []


def leave_as_code(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Node) -> nodes.Node | None:
    """Return the code alone of a name that has no page."""
    return contnode if node.get(LENIENT) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role, and what becomes of names without a page."""
    roles.register_canonical_role("named", NamedRole())
    app.connect("missing-reference", leave_as_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
