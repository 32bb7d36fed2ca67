"""`redo-dopamine report --base_dir=DIR` writes the report of DIR's runs.

It prints the path of the page. Exit status 2 and one line on standard error where that
cannot be.
"""

from absl import flags

from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import process
from redo_dopamine.errors import UserError
from redo_dopamine.report import BOOTSTRAP_REPEATS

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
    command_line.whole("--bootstrap_repeats", 1, 10_000_000),
)


def main(argv: list[str]) -> int:
    """Write the report; return the exit status."""
    with process.importing():  # Seconds: after the flags.
        from redo_dopamine.report import write_report

    def write() -> None:
        if len(argv) > 1:
            raise UserError(
                f"the report takes flags only; seen {' '.join(argv[1:])!r}. "
                "Write --base_dir=DIR."
            )
        base_dir = command_line.given("--base_dir", _BASE_DIR.value)
        print(write_report(base_dir, _BOOTSTRAP_REPEATS.value))

    return process.status_of(write)


if __name__ == "__main__":
    command_line.run(main)
