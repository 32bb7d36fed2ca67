"""An inspection as tables of a terminal.

What comes in: an `Inspection`. What leaves: things that rich prints.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from redo_dopamine.inspect.measuring import Inspection

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
