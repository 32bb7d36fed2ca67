"""Chooses the report that fits a directory, and writes it.

In: a base directory. Out: the path of its page.
"""

from pathlib import Path

from redo_dopamine.errors import UserError
from redo_dopamine.report.run_page import write_page
from redo_dopamine.report.study.spec import is_study

BOOTSTRAP_REPEATS = 2_000


def write_report(
    base_dir: str | Path, bootstrap_repeats: int = BOOTSTRAP_REPEATS
) -> Path:
    """Writes the report of what is in `base_dir`, over an earlier one if there.

    Args:
        base_dir: a run directory, a directory of run directories, or that of a study.
        bootstrap_repeats: of a study: the draws behind each interval.

    Returns:
        The path of the page.

    Raises:
        UserError: there are no runs, or the report cannot be read or written.
    """
    if not is_study(base_dir):
        return write_page(base_dir)
    if bootstrap_repeats < 1:
        raise UserError(
            "bootstrap_repeats must be at least 1; it is "
            f"{bootstrap_repeats}. Leave it out for {BOOTSTRAP_REPEATS}."
        )
    # Here, since rliable takes more than a second to import.
    from redo_dopamine.report.study import page

    return page.write_study(Path(base_dir), bootstrap_repeats)
