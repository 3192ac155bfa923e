"""Results as one HTML file that needs nothing else: no network, no script, light and dark."""

from lab.report.page import Card, Page, render
from lab.report.write import write_report

__all__ = ["Card", "Page", "render", "write_report"]
