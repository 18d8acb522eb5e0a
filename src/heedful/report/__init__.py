"""The report: one HTML file that a person opens, offline, to read what a study found.

Reads a run folder and draws; computes no statistics but pass rates with their intervals. The page runs no script and
loads nothing: figures are inline SVG, selectors are plain CSS, and every text that a model or a user wrote is escaped.
"""

from heedful.report.comparison import Comparison, compare_runs
from heedful.report.page import render_report, write_report
from heedful.report.summary import summarise

__all__ = ["Comparison", "compare_runs", "render_report", "summarise", "write_report"]
