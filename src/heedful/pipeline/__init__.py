"""The study: six stages over a run folder, each reading only what the one before wrote.

instruct → respond → read → probe → intervene → report. `study` is the way in.
"""

from __future__ import annotations

from heedful.pipeline.finished import Study, open_study
from heedful.pipeline.several import compare
from heedful.pipeline.study import study

__all__ = ["Study", "compare", "open_study", "study"]
