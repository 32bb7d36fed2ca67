"""`python -m redo_dopamine.report --base_dir=DIR`: writes the report of DIR's runs.

In: the base_dir of one run, a directory of such, or that of a study. Out: the path of
the page, on standard output. Exit status 2 and one line on standard error where that
cannot be.
"""

import sys

from absl import flags

from redo_dopamine.cli import exit_status, paths
from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import flags as typed_numbers
from redo_dopamine.errors import UserError
from redo_dopamine.report.write import BOOTSTRAP_REPEATS, write_report

_BASE_DIR = flags.DEFINE_string(
    "base_dir",
    None,
    "A run directory (it holds a metrics.csv), a directory of run directories, or the "
    "directory of a study (it holds a study.json). The page is written to "
    "<base_dir>/report/index.html.",
    required=True,
)
_BOOTSTRAP_REPEATS = command_line.define_number(
    "bootstrap_repeats",
    BOOTSTRAP_REPEATS,
    "Of a study of several games: how many draws are behind each 95% interval.",
    typed_numbers.whole("--bootstrap_repeats", 1, 10_000_000),
)


def main(argv: list[str]) -> int:
    """Writes the report and returns the exit status."""
    try:
        if len(argv) > 1:
            raise UserError(
                f"the report takes flags only; seen {' '.join(argv[1:])!r}. "
                "Write --base_dir=DIR."
            )
        base_dir = paths.given("--base_dir", _BASE_DIR.value)
        print(write_report(base_dir, _BOOTSTRAP_REPEATS.value))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.USER_ERROR
    return 0


if __name__ == "__main__":
    command_line.run(main)
