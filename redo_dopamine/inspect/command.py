"""One inspection, from what was typed to what is shown.

What comes in: a `Request`. What leaves: tables on the terminal, files where they were
asked for, and an exit status of `redo_dopamine.cli.exit_status`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from redo_dopamine.cli import exit_status, flags, paths
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import show
from redo_dopamine.inspect import show as table
from redo_dopamine.inspect.measure import inspect_checkpoint


class Request(NamedTuple):
    """What was typed; None where nothing was.

    Attributes:
        checkpoint: a run's directory, or a checkpoint.
        states: path of a .npy file.
        metrics: names.
        taus: thresholds, as text.
        batch_size: states from the replay buffer.
        output: a directory.
        trust_modules: names of modules.
        rest: words that are no flags.
    """

    checkpoint: str | None
    states: str | None = None
    metrics: Sequence[str] | None = None
    taus: Sequence[str] | None = None
    batch_size: int | None = None
    output: str | None = None
    trust_modules: Sequence[str] = ()
    rest: Sequence[str] = ()


def run(request: Request) -> int:
    """Inspect, show, write; or say what is wrong. Returns the exit status."""
    try:
        _run(request, Console())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.USER_ERROR
    return exit_status.COMPLETE


def _run(request: Request, console: Console) -> None:
    if request.rest:
        raise UserError(
            f"An inspection takes flags only, but {list(request.rest)} are none. Write "
            "--checkpoint=DIR_OR_FILE."
        )
    if request.checkpoint is None:
        raise UserError(
            "--checkpoint must name a run's directory or a checkpoint, but is not "
            "given. Add --checkpoint=DIR_OR_FILE."
        )
    output = paths.optional("--output", request.output)
    inspection = inspect_checkpoint(
        paths.given("--checkpoint", request.checkpoint),
        states=paths.optional("--states", request.states),
        metrics=request.metrics,
        taus=_numbers(request.taus),
        batch_size=request.batch_size,
        trust_modules=request.trust_modules,
    )
    _print_path(console, inspection.checkpoint)
    console.print(table.tables(inspection, console.width))
    if output is None:
        console.print("For CSV and a picture of the scores add --output=DIR.")
    else:
        for path in show.write(inspection, output):
            _print_path(console, path)


def _print_path(console: Console, path: Path) -> None:
    """On one line, however long: to be copied."""
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def _numbers(texts: Sequence[str] | None) -> list[float] | None:
    if texts is None:
        return None
    numbers = [flags.as_number(text.strip()) for text in texts]
    if not all(number >= 0 for number in numbers):
        raise UserError(
            "--taus must be numbers >= 0, but is "
            f"{flags.shown(','.join(texts))}. Write --taus=0,0.025,0.1."
        )
    return numbers
