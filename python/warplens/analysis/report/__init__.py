"""The report: pages that show the modified targets of one item or of a corpus, in the extra `analysis`."""

from warplens.analysis.report.report_item import ReportItem, Row, Sound
from warplens.analysis.report.write import ItemPage, Pages, write_report

__all__ = ["ItemPage", "Pages", "ReportItem", "Row", "Sound", "write_report"]
