"""`study.json`: what a launch asked for, as `record` writes it and a report reads it.

Nothing but the standard library, so that a report needs no agent.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import files
from redo_dopamine.studies.study import (
    BEST_ARM,
    EVALUATION,
    FRAMES,
    FRAMES_PER_AGENT_STEP,
    HUMAN,
    TRAINING,
    PaperDormancy,
    PaperPoint,
    PaperScore,
)

NAME = "study.json"
FORMAT = 1
# What scores are normalized by, and what runs are judged by; the latter is empty in
# studies that were launched before it was noted.
SCORES = (HUMAN, BEST_ARM)
JUDGED_BY = ("", TRAINING, EVALUATION)
MOST_BYTES = 200


@dataclasses.dataclass(frozen=True)
class ArmSpec:
    """One setting that the study compares.

    Attributes:
        name: of its directory.
        label: how figures and tables call it.
        series: arms of one series differ in `x` only and share a color.
        x: its place on the study's axis; None where the study has none.
        gin_file: a file that ships with the package; None for a module's defaults.
        bindings: what its runs set beyond that.
    """

    name: str
    label: str
    series: str
    x: float | None
    gin_file: str | None = None
    bindings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class StudySpec:
    """A study as it was launched: arms x games x seeds.

    Attributes:
        name: as the launcher calls it.
        claim: what is put to the test.
        source: the paper and the figure, or that the question is this project's.
        differs: what keeps it from testing the claim as the paper has it; or empty.
        scale: the factor on lengths, in (0, 1].
        unit: what lengths are counted in, such as "frames".
        length_full: the length of a run at scale 1.
        length_run: the length of a run here.
        score: what returns are normalized by, one of `SCORES`; None without scores.
        judged_by: one of `JUDGED_BY`.
        games: in the order of the study.
        seeds: likewise, as their directories are called.
        axis: what `ArmSpec.x` is, in words.
        arms: in the order of the study.
        paper: the paper's scores.
        paper_dormancy: the paper's dormant fractions.
        paper_curve: points of the paper's curves of dormant fractions.
    """

    name: str
    claim: str
    source: str
    differs: str
    scale: float
    unit: str
    length_full: int
    length_run: int
    score: str | None
    judged_by: str
    games: tuple[str, ...]
    seeds: tuple[str, ...]
    axis: str
    arms: tuple[ArmSpec, ...]
    paper: tuple[PaperScore, ...] = ()
    paper_dormancy: tuple[PaperDormancy, ...] = ()
    paper_curve: tuple[PaperPoint, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the content of `study.json`."""
        return {
            "format": FORMAT,
            "name": self.name,
            "claim": self.claim,
            "source": self.source,
            "differs": self.differs,
            "scale": self.scale,
            "games": list(self.games),
            "seeds": [int(seed) for seed in self.seeds],
            "unit": self.unit,
            self.unit: {"study": self.length_full, "run": self.length_run},
            "scored": self.scored,
            "score": self.score,
            "judged_by": self.judged_by,
            "axis": self.axis,
            "arms": [
                dataclasses.asdict(arm) | {"bindings": list(arm.bindings)}
                for arm in self.arms
            ],
            "paper": [dataclasses.asdict(x) for x in self.paper],
            "paper_dormant_percent": [self._dormancy(x) for x in self.paper_dormancy],
            "paper_dormant_curve": [dataclasses.asdict(x) for x in self.paper_curve],
        }

    def _dormancy(self, found: PaperDormancy) -> dict[str, Any]:
        content = dataclasses.asdict(found)
        at = content.pop("at")
        return content if at is None else content | {self.unit: at}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "StudySpec":
        """Return what `study.json` says, of this version or an earlier one.

        Raises:
            KeyError, TypeError, ValueError, OverflowError, AttributeError: something
                is missing, or of another kind or range.
        """
        unit = str(content.get("unit") or FRAMES.name)
        length = {**content, **modern_lengths(content)}[unit]
        score = _one_of("score", SCORES, content.get("score") or HUMAN)
        return cls(
            name=str(content["name"]),
            claim=str(content.get("claim") or ""),
            source=str(content.get("source") or ""),
            differs=str(content.get("differs") or ""),
            scale=float(content["scale"]),
            unit=unit,
            length_full=int(length["study"]),
            length_run=int(length["run"]),
            score=score if content.get("scored", True) else None,
            judged_by=_one_of("judged_by", JUDGED_BY, content.get("judged_by") or ""),
            games=tuple(str(game) for game in content["games"]),
            seeds=tuple(str(seed) for seed in content["seeds"]),
            axis=str(content.get("axis") or "arm"),
            arms=_arms(content["arms"]),
            paper=tuple(
                PaperScore(
                    str(x["arm"]),
                    float(x["iqm"]),
                    _number(x.get("low")),
                    _number(x.get("high")),
                )
                for x in content.get("paper") or ()
            ),
            paper_dormancy=tuple(
                PaperDormancy(
                    str(x["arm"]),
                    str(x["game"]),
                    float(x["low"]),
                    float(x["high"]),
                    _number(x.get("tau")),
                    None if x.get(unit) is None else int(x[unit]),
                )
                for x in content.get("paper_dormant_percent") or ()
            ),
            paper_curve=tuple(
                PaperPoint(
                    str(x["arm"]),
                    str(x["game"]),
                    int(x["first"]),
                    int(x["last"]),
                    float(x["percent"]),
                    _number(x.get("tau")),
                )
                for x in content.get("paper_dormant_curve") or ()
            ),
        )

    @property
    def scored(self) -> bool:
        """Whether runs end with returns that can be normalized."""
        return self.score is not None

    @property
    def units_per_step(self) -> int:
        """How many units an agent step is: 4 frames, or one of anything else."""
        return FRAMES_PER_AGENT_STEP if self.unit == FRAMES.name else 1

    @property
    def series(self) -> list[str]:
        """The series, in the order of their first arms."""
        return list(dict.fromkeys(arm.series for arm in self.arms))

    @property
    def xs(self) -> list[float]:
        """The places on the axis, in rising order; empty where there is no axis."""
        return sorted({arm.x for arm in self.arms if arm.x is not None})

    @property
    def groups(self) -> dict[str, list[ArmSpec]]:
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
    def shortened(self) -> str:
        """The length of the runs beside the full one; empty at scale 1."""
        if self.scale == 1:
            return ""
        return (
            f"{self.length_run:,} {self.unit} instead of {self.length_full:,} "
            f"(scale {Decimal(str(self.scale)):f})"
        )


def load(path: str | Path) -> StudySpec:
    """Load the study that was launched into a directory.

    Raises:
        UserError: `study.json` is not what a launcher writes.
    """
    file = Path(path) / NAME
    try:
        content = files.read_json(file)
    except (OSError, ValueError) as error:
        raise _wrong(file, f"reading it failed with: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        seen = content.get("format") if isinstance(content, dict) else content
        raise _wrong(file, f"its format is {seen!r}")
    try:
        # Half a character, which JSON lets pass, cannot be shown.
        whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        study = StudySpec.from_json(json.loads(whole))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise _wrong(file, f"{type(error).__name__}: {error}") from error
    problem = next(_problems(study), None)
    if problem is not None:
        raise _wrong(file, problem)
    return study


def _problems(study: StudySpec) -> Iterator[str]:
    """Yield what keeps names from being directories, and the scale from being one."""
    for what, values in (
        ("study", [study.name]),
        ("arm", [arm.name for arm in study.arms]),
        ("game", study.games),
        ("seed", study.seeds),
    ):
        if not values or len(set(values)) < len(values):
            yield f"it must name each {what} once, but has {values!r}"
        for name in values:
            if not is_name(name):
                yield f"{shortened(repr(name))} cannot name a directory"
    for length in (study.length_full, study.length_run):
        if not 1 <= length < 2**63:
            yield f"a length must be from 1 to 2^63 - 1, but is {length}"
    if not 0 < study.scale <= 1:
        yield f"its scale must be in (0, 1], but is {study.scale}"


def modern_lengths(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lengths of a file whose full one used to be called the paper's."""
    unit = found.get("unit", FRAMES.name)
    lengths = found.get(unit)
    if not isinstance(lengths, dict) or "paper" not in lengths:
        return {}
    return {unit: {"study": lengths["paper"], "run": lengths.get("run")}}


def is_name(text: str) -> bool:
    """Whether a text can name a directory, and a line of a table."""
    return (
        text.isprintable()
        and text == text.strip()
        and "/" not in text
        and not text.startswith(".")
        and 0 < len(text.encode("utf-8", "surrogateescape")) <= MOST_BYTES
    )


def _arms(found: Sequence[Mapping[str, Any]]) -> tuple[ArmSpec, ...]:
    labels = [arm.get("label") for arm in found]
    return tuple(
        ArmSpec(
            name=str(arm["name"]),
            # Tables need labels that differ.
            label=str(label if label and labels.count(label) == 1 else arm["name"]),
            series=str(arm.get("series") or arm["name"]),
            x=_number(arm.get("x")),
            gin_file=arm.get("gin_file"),
            bindings=tuple(arm.get("bindings") or ()),
        )
        for arm, label in zip(found, labels, strict=True)
    )


def _number(value: Any) -> float | None:
    """Return a number that may be missing, as NaN is too; an infinite one is refused.

    Raises:
        ValueError: it is infinite.
    """
    found = None if value is None else float(value)
    if found is not None and math.isinf(found):
        raise ValueError("a number must be finite")
    return None if found is None or math.isnan(found) else found


def _one_of(what: str, known: tuple[str, ...], name: str) -> str:
    if name not in known:
        raise ValueError(f"{what} must be one of {known}, but is {name!r}")
    return name


def _wrong(file: Path, seen: str) -> UserError:
    return UserError(
        f"a study directory must hold a {NAME} of format {FORMAT}, as the launcher "
        f"writes it; {file} is none: {seen}. Launch the study again into the same "
        "directory, which writes that file and keeps the runs."
    )
