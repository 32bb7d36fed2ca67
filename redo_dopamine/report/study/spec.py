"""Reads `study.json`: what a study asked for, and what the paper found.

In: the directory of a study. Out: a `Study`, checked.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from redo_dopamine.errors import UserError
from redo_dopamine.report.runs import FRAMES_PER_AGENT_STEP
from redo_dopamine.rundir import files


@dataclasses.dataclass(frozen=True)
class PaperValue:
    """A number of the paper: an IQM, or a dormant fraction in one game.

    Attributes:
        arm: the name of the arm that it is about.
        value: the number; None where only a range is known.
        low: where its interval starts; None if the paper gives none.
        high: where its interval ends.
        game: the game; empty for an aggregate over games.
        at: after how many units, where that is not the end of the paper's runs.
        tau: the threshold of a dormant fraction; None where it is not known.
    """

    arm: str
    value: float | None
    low: float | None
    high: float | None
    game: str = ""
    at: int | None = None
    tau: float | None = None


@dataclasses.dataclass(frozen=True)
class PaperPoint:
    """The highest dormant fraction of a stretch of the paper's curve.

    Attributes:
        arm: the name of the arm that it is about.
        game: on which the paper found it; empty where that is not known.
        first: where the stretch begins, in the study's unit and the paper's length.
        last: where it ends; where it begins, for a single measurement.
        value: the fraction, in [0, 1].
        tau: its threshold; None where that is not known.
    """

    arm: str
    game: str
    first: int
    last: int
    value: float
    tau: float | None = None


Value = TypeVar("Value", PaperValue, PaperPoint)


def scores(found: Iterable[Mapping[str, Any]]) -> tuple[PaperValue, ...]:
    """Returns IQMs of human-normalised scores."""
    return tuple(
        PaperValue(
            str(value["arm"]),
            float(value["iqm"]),
            number(value.get("low")),
            number(value.get("high")),
        )
        for value in found
    )


def dormancy(found: Iterable[Mapping[str, Any]], unit: str) -> tuple[PaperValue, ...]:
    """Returns dormant fractions, each with when it was found in the study's unit."""
    return tuple(
        PaperValue(
            str(value["arm"]),
            None,
            float(value["low"]) / 100,
            float(value["high"]) / 100,
            str(value["game"]),
            None if value.get(unit) is None else int(value[unit]),
            number(value.get("tau")),
        )
        for value in found
    )


def curve(found: Iterable[Mapping[str, Any]]) -> tuple[PaperPoint, ...]:
    """Returns points of curves of dormant fractions."""
    return tuple(
        PaperPoint(
            str(point["arm"]),
            str(point["game"]),
            int(point["first"]),
            int(point["last"]),
            float(point["percent"]) / 100,
            number(point.get("tau")),
        )
        for point in found
    )


def at_tau(found: Iterable[Value], tau: float | None) -> tuple[Value, ...]:
    """Returns the dormant fractions that an axis of this threshold may show.

    Those of another threshold, or of one that is not known, belong on no such axis.
    """
    return tuple(value for value in found if tau is not None and value.tau == tau)


def number(value: Any) -> float | None:
    """Returns a number that may be missing; NaN is missing too."""
    found = None if value is None else float(value)
    return None if found is None or math.isnan(found) else found


STUDY = "study.json"
FORMAT = 1
# Of studies that were launched before there was another one.
_FRAMES, _HUMAN = "frames", "human"
# What runs can be judged by; empty in studies that were launched before it was noted.
JUDGED_BY = ("", "training", "evaluation")
# What scores can be normalised by.
SCORES = (_HUMAN, "best arm")


@dataclasses.dataclass(frozen=True)
class Arm:
    """One setting that the study compares.

    Attributes:
        name: of its directory.
        label: how figures and tables call it.
        series: arms of one series differ in `x` only and share a colour.
        x: its place on the study's axis; None where the study has none.
    """

    name: str
    label: str
    series: str
    x: float | None


@dataclasses.dataclass(frozen=True)
class Study:
    """A study: arms x games x seeds.

    Attributes:
        name: as the launcher calls it.
        claim: what the paper claims.
        source: the paper and the figure.
        scale: the factor on lengths; 1 is the paper's.
        unit: what lengths are counted in, such as "frames".
        length_paper: the length of a run in the paper.
        length_run: the length of a run here.
        scored: whether runs end with returns that can be normalised.
        score: what they are normalised by: a name in `normalisation.KINDS`.
        judged_by: "training", "evaluation" or, where that is not noted, empty.
        games: in the order of the study.
        seeds: likewise.
        axis: what `Arm.x` is, in words.
        arms: in the order of the study.
        paper: IQMs of the paper.
        paper_dormant: dormant fractions of the paper, in [0, 1].
        paper_curve: points of the paper's curves of dormant fractions.
    """

    name: str
    claim: str
    source: str
    scale: float
    unit: str
    length_paper: int
    length_run: int
    scored: bool
    score: str
    judged_by: str
    games: tuple[str, ...]
    seeds: tuple[str, ...]
    axis: str
    arms: tuple[Arm, ...]
    paper: tuple[PaperValue, ...]
    paper_dormant: tuple[PaperValue, ...]
    paper_curve: tuple[PaperPoint, ...] = ()

    @property
    def units_per_step(self) -> int:
        """How many units an agent step is: 4 frames, or one of anything else."""
        return FRAMES_PER_AGENT_STEP if self.unit == _FRAMES else 1

    @property
    def length_label(self) -> str:
        """What an axis along a run counts."""
        more = f" ({self.units_per_step} per agent step)"
        return self.unit + (more if self.unit == _FRAMES else "")

    @property
    def series(self) -> list[str]:
        """The series, in the order of their first arms."""
        return list(dict.fromkeys(arm.series for arm in self.arms))

    @property
    def xs(self) -> list[float]:
        """The places on the axis, in rising order; empty where there is no axis."""
        return sorted({arm.x for arm in self.arms if arm.x is not None})

    @property
    def groups(self) -> dict[str, list[Arm]]:
        """The arms that are compared with one another: those at the same `x`."""
        groups = {
            f"{self.axis} {x:g}": [arm for arm in self.arms if arm.x == x]
            for x in self.xs
        }
        rest = [arm for arm in self.arms if arm.x is None]
        if rest:
            groups["other arms" if groups else "all arms"] = rest
        return groups

    @property
    def warning(self) -> str:
        """What scale does to the claim, in words; empty at the paper's scale."""
        if self.scale == 1:
            return ""
        return f"{self.shortened}: these points do not test the paper's claim"

    @property
    def shortened(self) -> str:
        """The length of the runs beside the paper's; empty at the paper's scale."""
        if self.scale == 1:
            return ""
        return (
            f"{self.length_run:,} {self.unit} instead of {self.length_paper:,} "
            f"(scale {Decimal(str(self.scale)):f})"
        )


def is_study(path: str | Path) -> bool:
    """Whether a directory is that of a study."""
    return (Path(path) / STUDY).is_file()


def load_study(path: str | Path) -> Study:
    """Loads the study that was launched into `path`.

    Raises:
        UserError: `study.json` is not what a launcher writes.
    """
    file = Path(path) / STUDY
    try:
        content = files.read_json(file)
    except (OSError, ValueError) as error:
        raise _wrong(file, f"reading it failed with: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        seen = content.get("format") if isinstance(content, dict) else content
        raise _wrong(file, f"its format is {seen!r}")
    try:
        study = _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(file, f"{type(error).__name__}: {error}") from error
    for what, values in (
        ("arm", [arm.name for arm in study.arms]),
        ("game", study.games),
        ("seed", study.seeds),
    ):
        if not values or len(set(values)) < len(values):
            raise _wrong(file, f"it must name each {what} once, but has {values!r}")
    return study


def _parse(content: dict[str, Any]) -> Study:
    arms = tuple(
        Arm(
            name=str(arm["name"]),
            label=str(arm.get("label") or arm["name"]),
            series=str(arm.get("series") or arm["name"]),
            x=number(arm.get("x")),
        )
        for arm in content["arms"]
    )
    unit = str(content.get("unit") or _FRAMES)
    length = content[unit]
    return Study(
        name=str(content["name"]),
        claim=str(content.get("claim") or ""),
        source=str(content.get("source") or ""),
        scale=float(content["scale"]),
        unit=unit,
        length_paper=int(length["paper"]),
        length_run=int(length["run"]),
        scored=bool(content.get("scored", True)),
        score=_one_of("score", SCORES, content.get("score") or _HUMAN),
        judged_by=_one_of("judged_by", JUDGED_BY, content.get("judged_by") or ""),
        games=tuple(str(game) for game in content["games"]),
        seeds=tuple(str(seed) for seed in content["seeds"]),
        axis=str(content.get("axis") or "arm"),
        arms=arms,
        paper=scores(content.get("paper") or ()),
        paper_dormant=dormancy(content.get("paper_dormant_percent") or (), unit),
        paper_curve=curve(content.get("paper_dormant_curve") or ()),
    )


def _one_of(what: str, known: tuple[str, ...], name: str) -> str:
    if name not in known:
        raise ValueError(f"{what} must be one of {known}, but is {name!r}")
    return name


def _wrong(file: Path, seen: str) -> UserError:
    return UserError(
        f"a study directory must hold a {STUDY} of format {FORMAT}, as the launcher "
        f"writes it; {file} is none: {seen}. Launch the study again into the same "
        "directory, which writes that file and keeps the runs."
    )
