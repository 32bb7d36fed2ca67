"""`redo-dopamine demo --base_dir=runs/demo`: one seed with and without ReDo.

Writes two runs and a report to the directory, and a table to the terminal. Each run is
`python -m redo_dopamine.train` on `demo.gin`, nothing else.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import process
from redo_dopamine.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from redo_dopamine.report import Run

_BASE_DIR = flags.DEFINE_string("base_dir", "runs/demo", "Where the runs are written.")
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Gin bindings for both runs, to try another game or length."
)

ARMS = {"none": ["RecycledDQNAgent.intervention = @none()"], "redo": []}
_TAU = 0.1  # The threshold that demo.gin recycles at.


def train_arms(base_dir: Path, gin_bindings: Sequence[str]) -> None:
    """Train every arm in its own process, one after the other.

    Raises:
        SystemExit: a run failed; it has printed why.
    """
    for arm, bindings in ARMS.items():
        command = [
            *(sys.executable, "-m", "redo_dopamine.train"),
            *(f"--base_dir={base_dir / arm}", "--gin_files=demo.gin"),
            *(f"--gin_bindings={x}" for x in (*gin_bindings, *bindings)),
        ]
        print(f"\n{arm}: {' '.join(command[1:])}", flush=True)
        # Of its own session, so that a signal to both reaches it once, from here.
        with subprocess.Popen(command, start_new_session=True) as child:
            try:
                status = child.wait()
            except KeyboardInterrupt:
                child.terminate()
                child.wait()  # Until its checkpoint is there.
                raise
        if status != 0:
            sys.exit(status)


def results_table(runs: Sequence["Run"]) -> "Table":
    """The demo's figures, one column per run."""
    from rich.table import Table

    from redo_dopamine.report import summary

    games = ", ".join(sorted({str(run.info.get("game")) for run in runs}))
    table = Table("", *(run.label for run in runs), title=f"DQN on {games}")

    def row(name: str, values: Sequence[str]) -> None:
        table.add_row(name, *values)

    around = [summary.before_and_after(run, _TAU) for run in runs]
    row(
        f"dormant fraction at the end, τ = {_TAU:g}",
        [_percent(summary.final_dormant_fraction(run, _TAU)) for run in runs],
    )
    row("  before a recycle, on average", [_percent(x.before) for x in around])
    row("  at the next measurement", [_percent(x.after) for x in around])
    recycled = [summary.recycled_per_layer(run) for run in runs]
    layers: set[str] = set().union(*(counts.index for counts in recycled))
    for layer in sorted(layers):
        counts = [f"{run_counts.get(layer, 0)}" for run_counts in recycled]
        row(f"neurons recycled in {layer}", counts)
    row("recycles", [f"{len(summary.recycles(run))}" for run in runs])
    row("agent steps per second", [f"{summary.steps_per_second(x):.1f}" for x in runs])
    return table


def _percent(fraction: float) -> str:
    return "–" if fraction != fraction else f"{fraction:.1%}"


def main(argv: list[str]) -> int:
    """Entry point behind the flags."""
    return process.status_of(lambda: _run(argv[1:]))


def _run(rest: Sequence[str]) -> None:
    if rest:
        raise UserError(
            f"The demo takes flags only, but {list(rest)} are none. Write "
            "--base_dir=DIR."
        )
    with process.importing():
        from rich.console import Console

        from redo_dopamine.report import find_runs, write_report

    base_dir = Path(command_line.given("--base_dir", _BASE_DIR.value))
    train_arms(base_dir, _GIN_BINDINGS.value)
    page = write_report(base_dir)
    console = Console()
    console.print(results_table(find_runs(base_dir)))
    console.print(f"The page with all figures: {page.resolve()}", soft_wrap=True)


if __name__ == "__main__":
    command_line.run(main)
