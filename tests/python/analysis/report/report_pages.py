"""Reports of sample items, and their pages read again."""

import re
from html.parser import HTMLParser

from corpus.sample_items import sample_item

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.report import ReportItem, write_report
from warplens.corpus.results.table import Measured, failed_row, rows_of

VOID = {"meta", "link", "img", "input"}


class Page(HTMLParser):
    """Tags opened and closed, attributes, and text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag, **wanted):
        """Attributes of the tags of one name that have these attributes."""
        return [each for name, each in self.tags if name == tag and wanted.items() <= each.items()]


def entry(item_id="one", seed=0, gammas=(0.1, 10.0), sounds=(), **known):
    """A sample item with its analysis."""
    item = sample_item(seed, n_targets=12, **known)
    return ReportItem(item_id, item, analyze_item(item, gammas=gammas, cost="bce"), sounds=sounds)


def renamed(like, item_id, **changes):
    """The same item under another id: analyses take longer than pages."""
    return ReportItem(item_id, like.item, like.analysis, **changes)


def rows_of_all(entries):
    """Their rows, as the table has them."""
    rows = []
    for each in sorted(entries, key=lambda each: each.id):
        rows += (
            [failed_row(each.id, each.error)] if each.error else rows_of(each.id, Measured.of(each.analysis))
        )
    return rows


def write(out, entries, **options):
    """Write their report."""
    by_id = {each.id: each for each in entries}
    write_report(out, rows_of_all(entries), by_id.__getitem__, **options)


def assert_needs_nothing(html):
    """Neither the network nor a file beside the page is loaded; links to other pages may be there."""
    for tag, attributes in Page(html).tags:
        assert tag not in ("iframe", "object", "embed")
        if tag != "audio":
            assert attributes.get("src", "data:").startswith("data:")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|@import|url\(|import\(", html)
