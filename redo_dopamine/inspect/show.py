"""Inspect what was typed, and show it: tables on the terminal, and files.

The files are `measured.csv`, `scores.csv` and `scores.png`.
"""

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from redo_dopamine.cli import flags, process
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.measure import Inspection, inspect_checkpoint
from redo_dopamine.report import style
from redo_dopamine.report.files import image
from redo_dopamine.rundir import files
from redo_dopamine.rundir.metrics_csv import plain_decimal

_NUMBER_WIDTH = 10  # Characters, with the column's frame, of a number such as 3.07e-05.
_NEURONS_SHOWN = 12
_ALL = "all"


def tables(inspection: Inspection, width: int = 80) -> RenderableType:
    """How many neurons are dormant, all metrics by layer, and which neurons.

    Args:
        inspection: what to show.
        width: of the terminal, in characters.
    """
    notes = [Text(f"- {note}") for note in inspection.notes]
    return Group(
        f"Gradient step {inspection.gradient_step:,}, "
        f"agent step {inspection.agent_step:,}",
        *notes,
        _dormant(inspection),
        *_metrics(inspection, width),
        *_which(inspection),
    )


def _dormant(inspection: Inspection) -> Table:
    table = Table(title="Dormant neurons (score <= τ)", title_justify="left")
    table.add_column("layer", no_wrap=True)
    table.add_column("neurons", justify="right")
    for tau in inspection.taus:
        table.add_column(f"τ = {tau:g}", justify="right", no_wrap=True)
    table.add_column("median score", justify="right")
    every = np.concatenate(list(inspection.scores.values()))
    for layer, scores in (*inspection.scores.items(), (_ALL, every)):
        counts = [int(np.sum(scores <= tau)) for tau in inspection.taus]
        table.add_row(
            layer,
            str(len(scores)),
            *(f"{n} ({n / len(scores):.1%})" for n in counts),
            _number(np.median(scores)),
            end_section=layer == list(inspection.scores)[-1],
        )
    return table


def by_layer(measured: Mapping[str, Any], layers: Sequence[str]) -> dict[str, dict]:
    """Metrics `<name>/<layer>` as `{name: {layer: value}}`; others under "all"."""
    # The longest first: a layer's name may end another's.
    by_length = sorted(layers, key=len, reverse=True)
    rows: dict[str, dict[str, Any]] = {}
    for name, value in measured.items():
        layer = next((x for x in by_length if name.endswith(f"/{x}")), _ALL)
        rows.setdefault(name.removesuffix(f"/{layer}"), {})[layer] = value
    return rows


def _metrics(inspection: Inspection, width: int) -> Iterator[Table]:
    """One table after the other, of as many layers as there is room for."""
    layers = list(inspection.scores)
    rows = by_layer(inspection.measured, layers)
    # Counted in a table of its own.
    rows = {k: v for k, v in rows.items() if not k.startswith("dormant_fraction")}
    if not rows:
        return
    columns = [*layers, *([_ALL] if any(_ALL in row for row in rows.values()) else [])]
    names = 4 + max(map(len, rows))
    widest = max(_NUMBER_WIDTH, 3 + max(map(len, columns)))
    at_once = max(1, (width - names) // widest)
    for start in range(0, len(columns), at_once):
        shown = columns[start : start + at_once]
        table = Table(title="" if start else "Metrics", title_justify="left")
        table.add_column("metric", no_wrap=True)
        for column in shown:
            table.add_column(column, justify="right", no_wrap=True)
        for name, row in rows.items():
            if any(x in row for x in shown):
                values = (_number(row[x]) if x in row else "" for x in shown)
                table.add_row(name, *values)
        yield table


def _which(inspection: Inspection) -> Iterator[Table]:
    """The dormant neurons themselves, at the largest threshold."""
    if not inspection.taus:
        return
    tau = max(inspection.taus)
    table = Table(
        "layer", "neurons", title=f"Which (τ = {tau:g})", title_justify="left"
    )
    for layer, scores in inspection.scores.items():
        table.add_row(layer, ranges(np.flatnonzero(scores <= tau).tolist()))
    yield table


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in short: `0-3, 7, 9 and 12 more`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = runs[:_NEURONS_SHOWN]
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in shown)
    rest = sum(b - a + 1 for a, b in runs[_NEURONS_SHOWN:])
    return f"{text} and {rest} more" if rest else text or "none"


def _number(value: Any) -> str:
    number = float(value)
    return "–" if math.isnan(number) else f"{number:.3g}"


_LARGEST_LINEAR = 0.1
_FEW_NEURONS = 64


def sorted_scores(inspection: Inspection) -> Figure:
    """One panel per layer, all with the same scale of scores.

    The scale is linear from 0 to the smallest threshold above 0 (or 0.1), so that
    neurons that never fired are in the picture, and logarithmic from there on.
    """
    names = [f"{k}, {len(v)} neurons" for k, v in inspection.scores.items()]
    figure, panels = style.panels(
        f"Dormancy scores at gradient step {inspection.gradient_step:,}",
        names,
        "neurons in order of their score",
        "dormancy score",
        share=False,
    )
    positive = [tau for tau in inspection.taus if tau > 0]
    linear = min([*positive, _LARGEST_LINEAR])
    highest = max(float(np.nanmax(x)) for x in inspection.scores.values())
    for axes, (layer, scores) in zip(panels, inspection.scores.items(), strict=True):
        if len(panels) == 1:
            axes.set_title(style.plain(names[0]))
        _draw_layer(axes, scores, inspection.taus)
        _scale(axes, linear, max(highest, 1.0))
        axes.set_gid(layer)
    handles = [_tau_line(index) for index in range(len(inspection.taus))]
    labels = [f"τ = {tau:g}" for tau in inspection.taus]
    scores_line = Line2D([], [], linewidth=1.7, **style.look(0))
    style.legend_of(figure, [scores_line, *handles], ["score of a neuron", *labels])
    return figure


def _draw_layer(axes: Axes, scores: np.ndarray, taus: Sequence[float]) -> None:
    rising = np.sort(scores)
    marker = "o" if len(rising) <= _FEW_NEURONS else None
    places = np.arange(1, len(rising) + 1)
    axes.plot(
        places, rising, marker=marker, markersize=3, linewidth=1.7, **style.look(0)
    )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for index, tau in enumerate(taus):
        mark = _tau_line(index)
        color = mark.get_color()
        axes.axhline(tau, color=color, linestyle="--", linewidth=1.2, zorder=1)
        # At the right, where the curve is high above.
        axes.annotate(
            f"{np.mean(scores <= tau):.1%} dormant",
            (0.99, tau),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=9,
            color=color,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
        )


def _tau_line(index: int) -> Line2D:
    return Line2D([], [], linewidth=1.2, **{**style.look(index + 1), "linestyle": "--"})


def _scale(axes: Axes, linear: float, highest: float) -> None:
    axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
    axes.set_ylim(-0.25 * linear, highest * 1.4)
    ticks = [0.0, *(x for x in (0.001, 0.01, 0.1, 1, 10, 100) if x >= linear)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


# No metrics.csv: by that name the report knows a run.
MEASURED, SCORES, PICTURE = "measured.csv", "scores.csv", "scores.png"
_WHERE = ("checkpoint", "agent_step", "gradient_step")


def write(inspection: Inspection, directory: str | Path) -> list[Path]:
    """Write all files; returns their paths.

    Raises:
        UserError: the directory cannot be written.
    """
    folder = Path(directory)
    contents = {
        MEASURED: _table(
            inspection,
            ("name", "value"),
            ((name, plain_decimal(x)) for name, x in inspection.measured.items()),
        ),
        SCORES: _table(
            inspection,
            ("layer", "neuron", "score"),
            (
                (layer, neuron, plain_decimal(score))
                for layer, scores in inspection.scores.items()
                for neuron, score in enumerate(scores)
            ),
        ),
        PICTURE: image(sorted_scores(inspection), "png"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_ours(folder)
        for name, content in contents.items():
            files.write_bytes(folder / name, content)
    except OSError as error:
        raise UserError(
            f"--output must be a directory that can be written, but {str(directory)!r} "
            f"cannot: {error.strerror}. Give another one."
        ) from error
    return [folder / name for name in contents]


def _check_ours(folder: Path) -> None:
    """Files of an earlier inspection are replaced, others by the same names are not."""
    there = [x for x in (MEASURED, SCORES, PICTURE) if os.path.lexists(folder / x)]
    begins = ",".join(_WHERE).encode()
    if there and not (
        MEASURED in there and files.read_bytes(folder / MEASURED).startswith(begins)
    ):
        raise UserError(
            "--output must be a directory of its own, or of an earlier inspection, but "
            f"{folder} has a {there[0]} that is not of one. Give another one."
        )


def _table(
    inspection: Inspection, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> bytes:
    """CSV whose lines tell where they are from, so that several can be joined."""
    where = (inspection.checkpoint, inspection.agent_step, inspection.gradient_step)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_WHERE, *columns))
    writer.writerows((*where, *row) for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


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
    path = flags.given("--checkpoint", checkpoint)
    to = None if output is None else flags.writable("--output", output)
    with console.status("Restoring the agent, compiling and measuring ..."):
        inspection = inspect_checkpoint(
            path,
            states=flags.optional("--states", states),
            taus=_numbers(taus),
            **others,
        )
    _print_path(console, inspection.checkpoint)
    console.print(tables(inspection, console.width))
    if to is None:
        console.print("For CSV and a picture of the scores add --output=DIR.")
    else:
        for written in write(inspection, to):
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
