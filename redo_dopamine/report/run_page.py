"""The page of runs side by side: their returns, dormancy, recycling and loss.

A run keeps its color from figure to figure: it goes by the run's place in the list.
`write_report` writes the page of a study where there is one.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from redo_dopamine.cli import flags
from redo_dopamine.errors import UserError
from redo_dopamine.report import (
    BOOTSTRAP_REPEATS,
    files,
    others,
    statistics,
    style,
    summary,
)
from redo_dopamine.report.files import Table
from redo_dopamine.report.runs import FRAMES_PER_AGENT_STEP, Run, find_runs
from redo_dopamine.report.style import GRADIENT_STEPS, Curve
from redo_dopamine.studies import spec

FRAMES = f"frames ({FRAMES_PER_AGENT_STEP} per agent step)"
_NAMES = files.data("names.toml")


class _Marks(NamedTuple):
    """How a metric is drawn; with a window as its running mean.

    A legend that has a label for it shows its look, without what is `more`.
    """

    metric: str
    look: Mapping[str, Any]
    label: str = ""
    window: int = 0
    more: Mapping[str, Any] = {}


@dataclasses.dataclass(frozen=True)
class RunFigure(files.FigureRow):
    """A figure of runs: marks in one panel, or a metric against gradient steps.

    Attributes:
        metric: as metrics.csv calls it, without threshold and layer.
        panels: what each is of: a `threshold`, of all layers; a `layer`, at the largest
            threshold; or a `count` of a layer's neurons, without recycles marked.
        title: of the figure, with what the x axis counts in braces.
        y: the label of the y axis, with the threshold where all panels have one.
        highest: what the y axis ends above, whatever the data.
        marks: of metrics, each as `_Marks` has it.
    """

    marks: Sequence[Mapping[str, Any]] = ()
    highest: float | None = None

    def draw(self, shown: list[Run]) -> Figure | None:
        """Return the figure; None where no run recorded what it shows."""
        return self._in_one_panel(shown) if self.marks else self._in_panels(shown)

    def _in_panels(self, runs: list[Run]) -> Figure | None:
        """Draw a curve of each run in each panel, and its recycles."""
        count = self.panels == "count"
        steps = [summary.recycle_steps(run) for run in runs]
        found, taus = self._rows(runs)
        curves: dict[str, list[Curve]] = {}
        for index, of_run in enumerate(found):
            look = {"linewidth": 1.7, **style.look(index)}
            for name, x in of_run.items():
                line = _curve(x["gradient_step"], x["value"], **look)
                curves.setdefault(name, []).extend([line] if len(x) else [])
        if not curves:
            return None
        fractions = functools.partial(
            style.fractions, rug=style.needs_rug(steps), highest=self.highest
        )
        figure, drawn = style.plot_curves(
            self.title,
            curves,
            GRADIENT_STEPS,
            ", ".join([self.y, *(f"τ = {tau:g}" for tau in taus)]),
            limits=_counts if count else fractions,
            ticks=_whole_numbers if count else None,
        )
        marks: list[Artist] = []
        for axes in () if count else drawn:
            marks = style.mark_recycles(axes, steps)
        _legend(figure, runs, marks)
        return figure

    def _rows(
        self, runs: list[Run]
    ) -> tuple[list[dict[str, pd.DataFrame]], list[float]]:
        """Return what each run measured, by panel, and the threshold of all panels."""
        taus = summary.taus(*runs)
        if self.panels == "threshold":
            of_all = summary.pooled_dormant_fraction
            found = [{f"τ = {x:g}": of_all(run, x) for x in taus} for run in runs]
            return found, taus if len(taus) == 1 else []
        last = [] if self.panels == "count" else taus[-1:]
        if self.panels == "layer" and not last:
            return [], []
        return [summary.per_layer(run, self.metric, *last) for run in runs], last

    def _in_one_panel(self, runs: list[Run]) -> Figure | None:
        """Draw the marks of each run."""
        marks = [_Marks(**mark) for mark in self.marks]
        clock, label = "gradient_step", GRADIENT_STEPS
        if self.slug == "return":
            of_frames = all(run.units_per_step > 1 for run in runs)
            clock = "frames" if of_frames else "agent_step"
            label = FRAMES if of_frames else "agent steps"
        curves = []
        for index, run in enumerate(runs):
            line = style.look(index)
            line["markerfacecolor"] = line["color"]
            for mark in marks:
                rows = summary.series(run, mark.metric)
                y = rows["value"]
                y = running_mean(y, mark.window) if mark.window else y
                look = line | {**mark.look, **mark.more}
                curves += [_curve(rows[clock], y, **look)] if len(rows) else []
        if not curves:
            return None
        title = self.title.format(x=label.partition(" (")[0])
        figure, _ = style.plot_curves(title, {self.y: curves}, label, self.y)
        shown = {curve.look["gid"] for curve in curves}
        told = [
            Line2D([], [], color=style.SHARED, label=mark.label, **mark.look)
            for mark in marks
            if mark.label and mark.look["gid"] in shown
        ]
        _legend(figure, runs, told)
        return figure


def _curve(x: pd.Series, y: pd.Series, **look: Any) -> Curve:
    return Curve(x.to_numpy(), statistics.point(y.to_numpy(float)), look)


def _legend(figure: Figure, runs: list[Run], extra: Sequence[Artist] = ()) -> None:
    looks = {run.label: style.look(index) for index, run in enumerate(runs)}
    style.legend(figure, looks, extra)


def _whole_numbers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _counts(axes: Axes, curves: Sequence[Curve]) -> None:
    top = max(1.0, 1.08 * max(float(curve.y.value.max()) for curve in curves))
    axes.set_ylim(-0.02 * top, top)


def running_mean(values: pd.Series, at_least: int) -> pd.Series:
    """Average each value with those before it.

    The window is `at_least` values, or a fortieth of all of them if that is more, so
    that a long run's curve is as smooth as a short one's.
    """
    window = max(at_least, math.ceil(len(values) / 40))
    return values.rolling(window, min_periods=1).mean()


FIGURES = files.figure_rows("run", RunFigure)


def write_report(
    base_dir: str | Path | Sequence[str | Path],
    bootstrap_repeats: int = BOOTSTRAP_REPEATS,
    *,
    output: str | Path | None = None,
    scores: Sequence[str] = (),
    reload_every: int = 0,
) -> Path:
    """Write the report of what is in `base_dir`, over an earlier one if there.

    Args:
        base_dir: a run directory, a directory of run directories, or that of a study;
            or several of the first two, side by side.
        bootstrap_repeats: of a study: the draws behind each interval.
        output: the directory of the page; None for `<base_dir>/report`, or `report`
            where there are several.
        scores: of others, each as `LABEL=PATH`, such as `SB3=results.csv`.
        reload_every: seconds after which the pages load themselves again; 0 for never.

    Returns:
        The path of the page.

    Raises:
        UserError: there are no runs, or the report cannot be read or written.
    """
    if type(bootstrap_repeats) is not int or bootstrap_repeats < 1:
        raise UserError(
            "bootstrap_repeats must be a whole number of 1 or more; it is "
            f"{bootstrap_repeats!r}. Leave it out for {BOOTSTRAP_REPEATS}."
        )
    several = [base_dir] if isinstance(base_dir, str | Path) else [*base_dir]
    if not several:
        raise UserError(
            "base_dir must name a directory or several, but is []. Give one."
        )
    places = [Path(flags.usable("base_dir", str(x))) for x in several]
    target = places[0] / "report" if len(places) == 1 else Path("report")
    if output is not None:
        target = Path(flags.usable("output", str(output)))
    beside = others.read_all(scores)
    if len(places) > 1 or not (places[0] / spec.NAME).is_file():
        return write_page(places, target, beside, reload_every)
    # Here, since a page of runs needs nothing of it.
    from redo_dopamine.report.study import write_study

    return write_study(places[0], bootstrap_repeats, target, beside, reload_every)


def write_page(
    places: Sequence[Path],
    target: Path,
    beside: Sequence[others.Others] = (),
    reload_every: int = 0,
) -> Path:
    """Write the page of the runs in some directories, each once, and PNG figures."""
    found = [run for place in places for run in find_runs(place)]
    ours = _told_apart([*{run.path.resolve(): run for run in found}.values()])
    runs = [*ours, *others.beside_runs(ours, beside)]
    contents = files.drawn(FIGURES, runs, ["png"])
    notes = files.words("run_notes", runs=ours, figures=FIGURES, images=contents)
    contents["index.html"] = files.render(
        "run.html",
        runs=runs,
        games=sorted({str(run.info["game"]) for run in runs if run.info.get("game")}),
        notes=notes,
        tables={"overview": _overview, "recycled": _recycled, "recycling": _recycling},
        figures=FIGURES,
        images=contents,
        reload_every=reload_every,
    )
    return files.write(target, contents, "runs")


def _told_apart(runs: list[Run]) -> list[Run]:
    """Label runs of one name by as much of their paths as they differ in."""
    if len({run.label for run in runs}) == len(runs):
        return runs
    paths = [run.path.resolve() for run in runs]
    common = os.path.commonpath(paths)
    return [
        dataclasses.replace(run, label=str(path.relative_to(common)))
        for run, path in zip(runs, paths, strict=True)
    ]


def _overview(runs: list[Run]) -> Table:
    """Return `summary.overview` under readable headings."""
    table = summary.overview(runs)
    headings = dict(_NAMES["overview"])
    for name in table.columns:
        if name.startswith("dormant_fraction/"):
            # Without breaks, so that a narrow column keeps the equation whole.
            equation = f"τ = {name.split('/')[1]}".replace(" ", "\N{NO-BREAK SPACE}")
            headings[name] = (f"dormant at {equation}", 3)
    return Table.of(table, {name: headings[name] for name in table.columns})


def _recycling(runs: list[Run]) -> Table:
    """Return what recycling did, by run and τ; no row where it did nothing."""
    rows, columns = [], _NAMES["recycling"]
    for run in runs:
        for tau in summary.taus(run):
            effect = summary.before_and_after(run, tau)
            if effect.recycles:
                rows.append({"run": run.label, "tau": f"{tau:g}", **effect._asdict()})
    table = pd.DataFrame(rows, columns=["run", *columns]).set_index("run")
    return Table.of(table, columns)


def _recycled(runs: list[Run]) -> Table:
    """Return the neurons recycled over each whole run, by layer."""
    totals = [summary.recycled_per_layer(run).rename(run.label) for run in runs]
    table = pd.DataFrame(totals).fillna(0).rename_axis("run")
    return Table(table, dict.fromkeys(table, 0))
