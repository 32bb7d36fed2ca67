"""The figures of a study's pages: rows of `data/figures.toml`, and what draws them.

One function draws every figure of curves of arms in panels; below it, and in `points`,
are the others.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from redo_dopamine.report import files, statistics, style, summary
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import curves, points
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.style import Curve
from redo_dopamine.studies.spec import ArmSpec, StudySpec
from redo_dopamine.studies.study import FRAMES

# Of aggregates.
NAMES = {name: name.replace("_", " ") for name in statistics.METRICS} | {"iqm": "IQM"}
MAX_BANDS = 4  # Of arms in a game's panel: those of more would hide one another.
_HOLLOW = points.RANGE | {"linestyle": ":"}


def _plain_number(value: float, _: float) -> str:
    """Return a tick's number as it is written, with a minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _thousands(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.tick_params(axis="x", labelrotation=20)


def _whole_numbers(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))


# What x axes count, with words of `_words`; and how they write numbers.
_AXES: Mapping[str, tuple[str, Callable[[Axes], None] | None]] = {
    "frames": ("{length}", None),
    "gradient_step": (style.GRADIENT_STEPS, _thousands),
    "epoch": ("{epochs}", _whole_numbers),
    "score": ("{score} τ", lambda x: x.xaxis.set_major_formatter(_plain_number)),
}
_LIMITS: Mapping[str, style.Limits | None] = {
    "": None,
    "fractions": style.fractions,
    "from zero": style.from_zero,
    "whole": lambda axes, _: axes.set_ylim(-0.03, 1.03),
}


@dataclasses.dataclass(frozen=True)
class StudyFigure(files.FigureRow):
    """A figure of a study; of a curve in panels, what it is drawn of.

    Attributes:
        metric: `iqm`, `profile` or `return`; or as metrics.csv calls it, with `{tau}`
            for the threshold that is shown; by epoch, as `epochs.csv` does.
        panels: what each is of: a `group` of arms at one place of the axis, a `series`,
            a `game` with its own scale, a `data set` (or a group), or a `layer`.
        title: with words of `_words` in braces.
        y: the label of the y axis, likewise.
        x: what the x axis counts: `frames`, `gradient_step`, `epoch` or `score`.
        by: what tells arms apart, as `points.look` has it.
        limits: what ends the y axis.
        paper: what of the paper is drawn too, as `StudySpec` calls it.
        paper_caption: how to read that.
    """

    x: str = ""
    by: str = points.SERIES
    limits: str = ""
    paper: str = ""
    paper_caption: str = ""

    def caption_of(self, study: StudySpec) -> str:
        """Return how to read it; what is the paper's, where the study has that."""
        told = self.paper and getattr(study, self.paper)
        return f"{self.caption} {self.paper_caption}" if told else self.caption

    def draw(self, shown: Analysis) -> Figure | None:
        """Return the figure; None where there is nothing to show."""
        return self._in_panels(shown) if self.metric else _DRAW[self.slug](shown)

    def _in_panels(self, analysis: Analysis) -> Figure | None:
        """Draw the curve of each arm in each panel."""
        study = analysis.study
        drawn: dict[str, list[Curve]] = {}
        there = set()
        for name, arms in self._panels(analysis).items():
            for arm in arms:
                found = self._curve(analysis, arm, name)
                if found is not None:
                    _, look = points.look(study, arm, self.by)
                    drawn.setdefault(name, []).append(found._replace(look=look))
                    there.add(arm)
        if not drawn:
            return None
        told, marks = _paper(analysis) if self.paper else ([], [])
        for of_panel in drawn.values():
            of_panel += told
        words, (label, ticks) = _words(analysis), _AXES[self.x]
        figure, _ = style.plot_curves(
            points.title(study, self.title.format(**words)),
            drawn,
            label.format(**words),
            self.y.format(**words),
            share=self.panels != "game",
            limits=_LIMITS[self.limits],
            ticks=ticks,
        )
        shown = [arm for arm in study.arms if arm in there]
        points.legend(figure, study, shown, marks, self.by)
        return figure

    def _panels(self, analysis: Analysis) -> Mapping[str, Sequence[ArmSpec]]:
        """Return the arms of each panel."""
        study = analysis.study
        if self.panels == "series":
            if not study.xs:
                return {"all arms": study.arms}
            return {s: [x for x in study.arms if x.series == s] for s in study.series}
        if self.panels == "layer":
            layers = curves.layers(analysis, self.metric)
            # Fewer than two are shown already, and places have panels of their own.
            several = len(layers) > 1 and not study.xs
            return dict.fromkeys(layers, study.arms) if several else {}
        if self.panels == "game":
            return dict.fromkeys(study.games, study.arms)
        if self.panels == "data set" and not study.xs:
            return dict.fromkeys(curves.games(analysis), study.arms)
        return study.groups

    def _curve(self, analysis: Analysis, arm: ArmSpec, panel: str) -> Curve | None:
        """Return the curve of an arm in a panel of that name."""
        matrix, repeats = analysis.matrices.get(arm.name), analysis.repeats
        if self.x == "epoch":
            there = curves.games(analysis)
            # A panel is a data set, or else of the first one.
            game = panel if panel in there or not there else there[0]
            layer = f"/{panel}" if self.panels == "layer" else ""
            return curves.curve(analysis, arm, game, self.metric + layer)
        if self.metric == "iqm":
            if matrix is None or not matrix.curve.shape[-1]:
                return None
            return Curve(matrix.frames, statistics.iqm_curve(matrix.curve, repeats))
        if self.metric == "profile":
            at = analysis.thresholds
            if matrix is None:
                return None
            return Curve(at, statistics.profile(matrix.final, at, repeats))
        if self.metric == "return":
            found = _returns(analysis, arm, panel)
        else:
            games = [panel] if self.panels == "game" else analysis.study.games
            found = curves.mean(analysis, arm, games, self.metric, self.x)
        if found and self.panels == "game" and len(analysis.study.arms) > MAX_BANDS:
            return Curve(found.x, statistics.point(found.y.value))
        return found


def _returns(analysis: Analysis, arm: ArmSpec, game: str) -> Curve | None:
    """Return the mean return of an arm's runs in a game, as far as all of them go."""
    done = analysis.finished(arm.name, game, counted=True)
    runs = [summary.points(run, analysis.metric) for run in done]
    length = min((len(run) for run in runs), default=0)
    frames, values = (
        np.array([run[column].to_numpy(float)[:length] for run in runs])
        for column in ("frames", "return")
    )
    if not length:
        return None
    return Curve(frames.mean(axis=0), statistics.t_interval(values))


def _words(analysis: Analysis) -> dict[str, str]:
    """Return what words in braces stand for."""
    study, games = analysis.study, curves.games(analysis)
    per_step = study.units_per_step
    more = f" ({per_step} per agent step)" if study.unit == FRAMES.name else ""
    return {
        "unit": study.unit,
        "played": " played" if per_step > 1 else "",
        "length": study.unit + more,
        "epochs": curves.axis(analysis),
        "score": f"{analysis.scale.name} score",
        "tau": curves.at_tau(analysis),
        "game": ", ".join(["", *games]) if len(games) == 1 else "",
        "first_game": games[0] if games else "",
    }


def _paper(analysis: Analysis) -> tuple[list[Curve], list[Artist]]:
    """Return the paper's points as hollow marks, and what a legend says of them.

    A peak is drawn over its stretch. Points of another threshold than is shown, or of
    one that is not known, belong on no such axis.
    """
    study, tau = analysis.study, analysis.tau
    told = [x for x in study.paper_curve if x.tau is not None and x.tau == tau]
    colors = {arm.name: points.color(study, arm) for arm in study.arms}
    found = []
    for x in told:
        ends = np.array(sorted(set(curves.stretch(study, x))))
        value = statistics.point(np.full(len(ends), x.percent / 100))
        found.append(Curve(ends, value, _HOLLOW | {"color": colors[x.arm]}))
    games = ", ".join(dict.fromkeys(x.game for x in told if x.game))
    label = f"the paper, on {games}" if games else "the paper"
    mark = Line2D([], [], **_HOLLOW | {"color": style.SHARED, "label": label})
    return found, [mark] if told else []


def _aggregates(analysis: Analysis) -> Figure | None:
    """Draw all four aggregates, one row per arm."""
    study = analysis.study
    arms = [arm for arm in study.arms if arm.name in analysis.aggregates]
    if not arms:
        return None
    title, x_label = (
        points.title(study, "aggregates over runs"),
        _words(analysis)["score"],
    )
    figure, panels = style.panels(title, [*NAMES.values()], x_label, "", share=False)
    figure.set_figheight(2 * (0.75 + 0.3 * len(arms)) + 0.9)
    for axes, name in zip(panels, NAMES, strict=True):
        axes.xaxis.set_major_locator(MaxNLocator(5))
        found = [analysis.aggregates[arm.name][name] for arm in arms]
        _rows(axes, study, arms, found, [style.plain(arm.label) for arm in arms])
        axes.tick_params(labelleft=axes in panels[::2])
    return figure


def _improvement(analysis: Analysis) -> Figure | None:
    """Draw the probability that an arm's run beats one of the first series."""
    study, found = analysis.study, analysis.improvements
    if not len(found):
        return None
    title = points.title(study, "probability of improvement")
    figure, [axes] = style.panels(title, ["P"], "P(X > Y)", "")
    figure.set_figheight(1.9 + 0.42 * len(found))
    arms = {arm.name: arm for arm in study.arms}
    labels = [
        style.plain(f"{arms[x.arm].label}  >  {arms[x.over].label}\np = {x.p:.3f}")
        for x in found.itertuples()
    ]
    ends = found[["probability", "low", "high"]]
    estimates = [Estimate(*row) for row in ends.to_numpy()]
    _rows(axes, study, [arms[name] for name in found["arm"]], estimates, labels)
    axes.axvline(0.5, color=style.SHARED, linewidth=1, linestyle="--")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 5))
    return figure


def _rows(
    axes: Axes,
    study: StudySpec,
    arms: Sequence[ArmSpec],
    found: Sequence[Estimate],
    labels: Sequence[str],
) -> None:
    """Draw a row per arm: a value as an upright line, in the bar of its interval."""
    for row, (arm, estimate) in enumerate(zip(arms, found, strict=True)):
        low, high = float(estimate.low), float(estimate.high)
        color = points.color(study, arm)
        if np.isfinite(low):
            look: dict[str, Any] = {"height": 0.6, "color": color, "alpha": 0.3}
            bar = axes.barh(row, high - low, left=low, **look)
            # A bar's end would stick to the panel's edge.
            bar[0].sticky_edges.x.clear()
        axes.plot([estimate.value] * 2, [row - 0.3, row + 0.3], lw=2.5, color=color)
    axes.xaxis.set_major_formatter(_plain_number)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    axes.set_yticks(range(len(found)), labels)
    axes.set_ylim(len(found) - 0.5, -0.5)


# By slug.
_DRAW = points.DRAW | {
    "aggregates": _aggregates,
    "probability_of_improvement": _improvement,
}
_SCORED = files.figure_rows("scores", StudyFigure)
_BY_EPOCH = files.figure_rows("epochs", StudyFigure)
# Of the page of games.
GAMES = files.figure_rows("games", StudyFigure)


def of_study(study: StudySpec) -> tuple[StudyFigure, ...]:
    """Return the figures of a study's page."""
    return _SCORED if study.scored else _BY_EPOCH
