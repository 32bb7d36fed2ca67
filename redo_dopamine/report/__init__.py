"""Run directories in; numbers, figures and one HTML page out.

Reads files only: nothing here imports an agent, a network or Dopamine, so a report
can be written on a machine that has just pandas and matplotlib.
"""

from redo_dopamine.report.page import write_report
from redo_dopamine.report.runs import Run, find_runs, load_run

__all__ = ["Run", "find_runs", "load_run", "write_report"]
