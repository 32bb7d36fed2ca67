"""Carry out one inspection, from what was typed to what is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from redo_dopamine.cli import flags, paths, process
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import show
from redo_dopamine.inspect.measure import inspect_checkpoint


def run(words: Sequence[str] = (), **flags: Any) -> int:
    """Inspect, show, write; or say what is wrong. Returns the exit status.

    Args:
        words: of the command line that are no flags.
        **flags: of the command, as typed.
    """
    return process.status_of(lambda: _run(Console(), words, **flags))


def _run(
    console: Console,
    words: Sequence[str],
    checkpoint: str | None,
    states: str | None = None,
    taus: Sequence[str] | None = None,
    output: str | None = None,
    **others: Any,
) -> None:
    if words:
        raise UserError(
            f"An inspection takes flags only, but {list(words)} are none. Write "
            "--checkpoint=DIR_OR_FILE."
        )
    if checkpoint is None:
        raise UserError(
            "--checkpoint must name a run's directory or a checkpoint, but is not "
            "given. Add --checkpoint=DIR_OR_FILE."
        )
    path = paths.given("--checkpoint", checkpoint)
    to = None if output is None else paths.writable("--output", output)
    with console.status("Restoring the agent, compiling and measuring ..."):
        inspection = inspect_checkpoint(
            path,
            states=paths.optional("--states", states),
            taus=_numbers(taus),
            **others,
        )
    _print_path(console, inspection.checkpoint)
    console.print(show.tables(inspection, console.width))
    if to is None:
        console.print("For CSV and a picture of the scores add --output=DIR.")
    else:
        for written in show.write(inspection, to):
            _print_path(console, written)


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
