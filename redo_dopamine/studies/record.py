"""Write `study.json`: what launches asked for, which is what a report has to find.

The file is always whole. Further arms, games and seeds extend it; other settings are
refused.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files, lock
from redo_dopamine.studies.plan import Selection
from redo_dopamine.studies.scaling import arm_bindings, run_length
from redo_dopamine.studies.spec import NAME, ArmSpec, StudySpec, modern_lengths

_LOCK = "study.lock"
# What a further launch must have in common with the first, beside its lengths.
_FIXED = ("format", "name", "scale", "axis")


def describe(selection: Selection) -> StudySpec:
    """Return what one launch asks for."""
    study, scale = selection.study, selection.scale
    unit = study.protocol.unit
    names = {arm.name for arm in selection.arms}
    return StudySpec(
        name=study.name,
        claim=study.claim,
        source=study.source,
        differs=study.differs,
        scale=float(scale),
        unit=unit.name,
        length_full=study.length,
        length_run=unit.of(run_length(study, scale)),
        score=study.protocol.score,
        judged_by=study.protocol.judged_by,
        games=tuple(selection.games),
        seeds=tuple(str(seed) for seed in selection.seeds),
        axis=study.axis,
        arms=tuple(
            ArmSpec(
                arm.name,
                arm.label,
                arm.series,
                arm.x,
                arm.gin_file,
                arm_bindings(study, arm, scale),
            )
            for arm in selection.arms
        ),
        paper=tuple(x for x in study.paper if x.arm in names),
        paper_dormancy=tuple(x for x in study.paper_dormancy if x.arm in names),
        paper_curve=tuple(x for x in study.paper_curve if x.arm in names),
    )


def write(selection: Selection, base_dir: str | Path) -> Path:
    """Write, or extend, `study.json`; returns its path.

    Raises:
        UserError: there is one of other settings, or one that cannot be read; or the
            directory cannot be written.
    """
    directory = Path(base_dir) / selection.study.name
    path = directory / NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with lock.held(directory, _LOCK, patience=30):
            content = describe(selection).to_json()
            if path.exists():
                content = _merge(read(path), content, path, selection)
            files.write_json(path, content)
    except OSError as error:
        raise UserError(
            f"--base_dir must be a directory in which {NAME} can be written, but "
            f"{error.filename or directory} cannot: {error.strerror}. Give another one."
        ) from error
    return path


def read(path: Path) -> dict[str, Any]:
    """What `study.json` says, with names of arms, games and seeds in it.

    Raises:
        OSError: it is not there, or is no ordinary file.
        UserError: it is not what `write` has written.
    """
    try:
        found = files.read_json(path)
        problem = _problem(found)
        if problem is None:
            return found | modern_lengths(found)
    except ValueError as error:
        problem = f"is no JSON ({error})"
    raise UserError(
        f"{NAME} must describe a study, but {path} {problem}. Delete it; the launch "
        "writes it again."
    )


def _problem(found: Any) -> str | None:
    """Why the content of a `study.json` cannot be used; None if it can."""
    if not isinstance(found, dict):
        return f"holds a {type(found).__name__}"
    arms = found.get("arms")
    if not (isinstance(arms, list) and all(isinstance(arm, dict) for arm in arms)):
        return "has no list of arms"
    for what, names, kind in (
        ("names of arms", [arm.get("name") for arm in arms], str),
        ("games", found.get("games"), str),
        ("seeds", found.get("seeds"), int),
    ):
        if not (isinstance(names, list) and all(type(x) is kind for x in names)):
            return f"has no list of {what}"
    if type(found.get("scale")) not in (int, float):
        return "has no scale"
    return None


def _merge(
    old: dict[str, Any], new: dict[str, Any], path: Path, selection: Selection
) -> dict[str, Any]:
    """The new content with what the old one has beyond it, in the study's order."""
    differences = [
        f"  {key}: {old.get(key)} -> {new[key]}"
        for key in (*_FIXED, new["unit"])
        if old.get(key) != new[key]
    ]
    before = {arm["name"]: arm for arm in old["arms"]}
    study = selection.study
    gone = [x for x in before if x not in {arm.name for arm in study.arms}]
    gone += [x for x in old["games"] if x not in study.all_games]
    differences += [f"  {name}: the study does not have it any more" for name in gone]
    for arm in new["arms"]:
        known = before.get(arm["name"], arm)
        differences += [
            f"  arm {arm['name']}, {key}: {known.get(key)} -> {arm[key]}"
            for key in ("gin_file", "bindings")
            if known.get(key) != arm[key]
        ]
    if differences:
        raise UserError(
            f"All runs of a study's directory must have the same settings, but {path} "
            "is of others:\n"
            + "\n".join(differences)
            + "\nAsk for these again, or give another --base_dir."
        )
    names = [arm["name"] for arm in new["arms"]]
    whole = dataclasses.replace(selection, arms=study.arms)
    everything = describe(whole).to_json()

    def with_old(key: str, name: str) -> list[Any]:
        wanted = {*names, *before}
        return [entry for entry in everything[key] if entry[name] in wanted]

    return new | {
        "games": _union(study.all_games, old["games"], new["games"]),
        "seeds": sorted({*old["seeds"], *new["seeds"]}),
        "arms": with_old("arms", "name"),
        "paper": with_old("paper", "arm"),
        "paper_dormant_percent": with_old("paper_dormant_percent", "arm"),
        "paper_dormant_curve": with_old("paper_dormant_curve", "arm"),
    }


def _union(order: Sequence[str], *parts: Sequence[str]) -> list[str]:
    wanted = {name for part in parts for name in part}
    return [name for name in order if name in wanted]
