"""`redo-dopamine report DIR` writes the report of DIR's runs.

Of several directories of runs, `redo-dopamine report DIR DIR ...`, side by side.

It prints the path of the page. Exit status 2 and one line on standard error where that
cannot be.
"""

from pathlib import Path

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
    "<base_dir>/report/index.html. The same as the word DIR.",
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Directory of the page; of several DIRs it is 'report' if absent."
)
_SCORES = flags.DEFINE_multi_string(
    "scores",
    [],
    "Runs of others, as LABEL=PATH: a CSV of game, seed and score, or a directory of "
    "<game>/<seed>/progress.csv of Stable Baselines3. May be given several times.",
)
_BOOTSTRAP_REPEATS = command_line.define_number(
    "bootstrap_repeats",
    BOOTSTRAP_REPEATS,
    "Of a study of several games: how many draws are behind each 95% interval.",
    command_line.whole("--bootstrap_repeats", 1, 10_000_000),
)


_WATCH = command_line.define_number(
    "watch",
    None,
    "Build the report again every so many seconds, until all runs there are done or "
    "none was under way for two minutes. The page loads itself again meanwhile.",
    command_line.whole("--watch", 1, 86_400),
)


def main(argv: list[str]) -> int:
    """Write the report; return the exit status."""
    places: list[str] = []
    if status := process.status_of(lambda: places.extend(_places(argv[1:]))):
        return status
    with process.importing():  # Seconds: after the flags.
        from redo_dopamine.report import watch, write_report

    def write() -> None:
        output = command_line.optional("--output", _OUTPUT.value)

        def build(reload_every: int) -> Path:
            return write_report(
                places,
                _BOOTSTRAP_REPEATS.value,
                output=output,
                scores=_SCORES.value,
                reload_every=reload_every,
            )

        if _WATCH.value:
            watch.follow(build, [Path(place) for place in places], int(_WATCH.value))
        print(build(0))

    return process.status_of(write)


def _places(words: list[str]) -> list[str]:
    """The directories that are given, by a flag or as words."""
    named = [] if _BASE_DIR.value is None else [_BASE_DIR.value]
    if not named and not words:
        raise UserError(
            "A report must be of a directory, but none is given. Write "
            "'redo-dopamine report DIR'."
        )
    return [command_line.given("--base_dir", text) for text in (*named, *words)]


if __name__ == "__main__":
    command_line.run(main)
