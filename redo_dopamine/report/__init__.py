"""Run directories in; numbers, figures and HTML pages out.

Reads files only: nothing here imports an agent, a network or Dopamine, so a report
can be written on a machine that has just pandas, matplotlib and SciPy. The names
below come on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redo_dopamine.report.run_page import write_report
    from redo_dopamine.report.runs import Run, find_runs, load_run

__all__ = ["Run", "find_runs", "load_run", "write_report"]

BOOTSTRAP_REPEATS = 2_000


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "run_page" if name == "write_report" else "runs"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
