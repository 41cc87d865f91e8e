"""Check of the built site: nothing comes from elsewhere, links lead somewhere, every public name is there."""

from pathlib import Path

from built_site import broken_links, outside_loads
from public_names import public_names
from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of whatever is wrong with the pages that were built."""
    if error is not None or app.builder.name != "html":
        return
    site = Path(app.outdir).resolve()
    for sentence in [*outside_loads(site), *broken_links(site)]:
        LOG.warning("site: %s", sentence)
    documented = {name for name, *_ in app.env.get_domain("py").get_objects()}
    for name in public_names():
        if name not in documented:
            LOG.warning("site: the public name %s has no page", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the check."""
    app.connect("build-finished", check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
