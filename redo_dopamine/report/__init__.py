"""Run directories in; numbers, figures and HTML pages out.

Reads files only: nothing here imports an agent, a network or Dopamine, so a report
can be written on a machine that has just pandas, matplotlib and rliable.
"""

from redo_dopamine.report.runs import Run, find_runs, load_run
from redo_dopamine.report.write import write_report

__all__ = ["Run", "find_runs", "load_run", "write_report"]
