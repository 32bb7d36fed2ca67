"""Reads `study.json`: what a study asked for, and what the paper found.

In: the directory of a study. Out: a `Study`, checked.
"""

import dataclasses
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

from redo_dopamine.errors import UserError

STUDY = "study.json"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Arm:
    """One setting that the study compares.

    Attributes:
      name: Of its directory.
      label: How figures and tables call it.
      series: Arms of one series differ in `x` only and share a colour.
      x: Its place on the study's axis; None where the study has none.
    """

    name: str
    label: str
    series: str
    x: float | None


@dataclasses.dataclass(frozen=True)
class PaperValue:
    """A number of the paper: an IQM, or a dormant fraction in one game.

    Attributes:
      arm: The name of the arm that it is about.
      value: The number; None where only a range is known.
      low: Where its interval starts; None if the paper gives none.
      high: Where its interval ends.
      game: The game; empty for an aggregate over games.
      frames: After how many frames, where that is not the end of the paper's runs.
    """

    arm: str
    value: float | None
    low: float | None
    high: float | None
    game: str = ""
    frames: int | None = None


@dataclasses.dataclass(frozen=True)
class Study:
    """A study: arms x games x seeds.

    Attributes:
      name: As the launcher calls it.
      claim: What the paper claims.
      source: The paper and the figure.
      scale: The factor on lengths; 1 is the paper's.
      frames_paper: Frames per run in the paper.
      frames_run: Frames per run here.
      games: In the order of the study.
      seeds: Likewise.
      axis: What `Arm.x` is, in words.
      arms: In the order of the study.
      paper: IQMs of the paper.
      paper_dormant: Dormant fractions of the paper, in [0, 1].
    """

    name: str
    claim: str
    source: str
    scale: float
    frames_paper: int
    frames_run: int
    games: tuple[str, ...]
    seeds: tuple[str, ...]
    axis: str
    arms: tuple[Arm, ...]
    paper: tuple[PaperValue, ...]
    paper_dormant: tuple[PaperValue, ...]

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
            f"{self.frames_run:,} frames instead of {self.frames_paper:,} "
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
        content = json.loads(file.read_text(encoding="utf-8"))
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
            x=_number(arm.get("x")),
        )
        for arm in content["arms"]
    )
    frames = content["frames"]
    return Study(
        name=str(content["name"]),
        claim=str(content.get("claim") or ""),
        source=str(content.get("source") or ""),
        scale=float(content["scale"]),
        frames_paper=int(frames["paper"]),
        frames_run=int(frames["run"]),
        games=tuple(str(game) for game in content["games"]),
        seeds=tuple(str(seed) for seed in content["seeds"]),
        axis=str(content.get("axis") or "arm"),
        arms=arms,
        paper=tuple(
            PaperValue(
                str(value["arm"]),
                float(value["iqm"]),
                _number(value.get("low")),
                _number(value.get("high")),
            )
            for value in content.get("paper") or ()
        ),
        paper_dormant=tuple(
            PaperValue(
                str(value["arm"]),
                None,
                float(value["low"]) / 100,
                float(value["high"]) / 100,
                str(value["game"]),
                None if value.get("frames") is None else int(value["frames"]),
            )
            for value in content.get("paper_dormant_percent") or ()
        ),
    )


def _number(value: Any) -> float | None:
    number = None if value is None else float(value)
    return None if number is None or math.isnan(number) else number


def _wrong(file: Path, seen: str) -> UserError:
    return UserError(
        f"a study directory must hold a {STUDY} of format {FORMAT}, as the launcher "
        f"writes it; {file} is none: {seen}. Launch the study again into the same "
        "directory, which writes that file and keeps the runs."
    )
