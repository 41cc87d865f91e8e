"""The built site as files: what its pages load, and where its links lead."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {
    ("script", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("source", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("embed", "src"),
    ("object", "data"),
    ("video", "src"),
    ("video", "poster"),
    ("audio", "src"),
    ("track", "src"),
    ("input", "src"),
}
"""Attributes whose address a browser loads by itself; those of `link` depend on its `rel`."""
LINKS_NOT_LOADED = {"canonical", "alternate", "author", "index", "search", "next", "prev", "license", "help"}
OUTSIDE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class Page(HTMLParser):
    """Loads, links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        self.close()
        self.loads += STYLE.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and ids of a tag."""
        given = {name: value for name, value in attrs if value is not None}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        rels = set(given.get("rel", "").split())
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and "href" in given and not rels & LINKS_NOT_LOADED:
            self.loads.append(given["href"])
        self.loads += [value for name, value in given.items() if (tag, name) in LOADING]


def pages_of(site: Path) -> list[Path]:
    """Return the pages of the site; what lies under `_static` are templates of the theme."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts)


def outside_loads(site: Path) -> Iterator[str]:
    """Yield a sentence for each address outside the site that a page or style sheet of it loads."""
    for path in pages_of(site):
        for address in Page(path.read_text("utf-8")).loads:
            if OUTSIDE.match(address):
                yield f"{path.relative_to(site)} loads {address}"
    for path in sorted(site.rglob("*.css")):
        for address in STYLE.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(site)} loads {address}"


def broken_links(site: Path) -> Iterator[str]:
    """Yield a sentence for each link inside the site, or to a file that it loads, that leads nowhere."""
    pages = {path: Page(path.read_text("utf-8")) for path in pages_of(site)}
    for path, page in pages.items():
        for address in [*page.links, *page.loads]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{path.relative_to(site)} links {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{path.relative_to(site)} links {address}, a place that is not on that page"
