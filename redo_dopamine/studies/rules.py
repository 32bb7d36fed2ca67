"""What a study of somebody's own must be, before any run is launched from it."""

import dataclasses
import importlib.util
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_type_hints

from redo_dopamine.cli.flags import LARGEST_SEED
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.studies import scaling
from redo_dopamine.studies.catalogue import minatar
from redo_dopamine.studies.spec import MOST_BYTES, is_name
from redo_dopamine.studies.study import (
    GAMES,
    MINATAR_GAME,
    TRAINING_STEPS,
    Arm,
    Length,
    Study,
)

# What is beside the directories of arms.
_RESERVED = ("report", "slurm", "study.json", "study.lock")
# Updates per agent step.
_LEAST_RATIO, _MOST_RATIO = 1e-3, 1e3
_GIN_NAME = re.compile(r"[A-Za-z_][\w./]*\.[A-Za-z_]\w*")
# As reports know them.
_UNITS = ("frames", "agent steps", "gradient steps", "epochs")
_PARTS = ("arms", "paper", "paper_dormancy", "paper_curve")
_LONGEST = 2**63 - 1


def check(study: Study, source: str, speeds: Collection[str]) -> None:
    """Refuse a study that no run could be launched from, or none reported.

    Args:
        study: as its file made it.
        source: the file, for the message.
        speeds: what `Arm.speed` may be.

    Raises:
        UserError: a field of another type or out of its range; it names the field.
    """
    problem = (
        next(_of_types(study), None)
        or next(_of_protocol(study), None)
        or next(_of_values(study, speeds), None)
    )
    if problem is not None:
        raise UserError(f"A study's {problem}. Change it in {source}.")


def _of_types(study: Study) -> Iterator[str]:
    yield from _fields(study, "")
    yield from _fields(study.protocol, "protocol.")
    yield from _fields(study.protocol.unit, "protocol.unit.")
    for kind in _PARTS:
        for place, part in enumerate(getattr(study, kind)):
            yield from _fields(part, f"{kind}[{place}].")


def _fields(part: Any, prefix: str) -> Iterator[str]:
    # Here, so that the studies that ship need the standard library alone.
    from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

    hints = get_type_hints(type(part))
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        try:
            check_type(
                value,
                hints[field.name],
                collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS,
            )
        except TypeCheckError:
            expected = str(field.type).replace("redo_dopamine.studies.study.", "")
            if isinstance(field.type, type):
                expected = field.type.__name__
            yield f"{prefix}{field.name} must be of type {expected}, but is " + _shown(
                value
            )


def _of_protocol(study: Study) -> Iterator[str]:
    protocol = study.protocol
    names = {*protocol.clocks, protocol.num_iterations, protocol.seed}
    for name in sorted(names):
        if not _GIN_NAME.fullmatch(name):
            yield f"protocol must have gin names such as Runner.x, but has {name!r}"
    lengths = {f"protocol.clocks[{x!r}]": y for x, y in protocol.clocks.items()}
    for field in ("iteration_steps", "target_gradient_steps"):
        lengths[f"protocol.{field}"] = getattr(protocol, field)
    for field, value in lengths.items():
        if value is not None and not 1 <= value <= _LONGEST:
            yield f"{field} must be from 1 to {_LONGEST:,}, but is {_shown(value)}"
    needed = [protocol.num_iterations]
    if protocol.iteration_steps is None:
        needed.append(TRAINING_STEPS)
    for name in needed:
        if name not in protocol.clocks:
            yield f"protocol.clocks must have {name!r}, but has not"
    if protocol.game.count("{}") != 1 or set("{}") & {*protocol.game.replace("{}", "")}:
        yield (
            "protocol.game must be a gin binding with {} in the place of the game, and "
            f"no other braces, but is {_shown(protocol.game)}"
        )
    if not _is_module(protocol.module):
        yield (
            "protocol.module must be a module that python -m can run, but is "
            f"{_shown(protocol.module)}"
        )
    if protocol.unit.name not in _UNITS:
        yield (
            f"protocol.unit.name must be one of {', '.join(_UNITS)}, but is "
            f"{_shown(protocol.unit.name)}"
        )
    yield from _of_functions(study)


def _of_functions(study: Study) -> Iterator[str]:
    """What the two functions of a protocol return where they are going to be asked."""
    protocol = study.protocol
    steps = protocol.training_steps
    units = _returned(protocol.unit.per_iteration, steps)
    if type(units) is not int or not 1 <= units <= _LONGEST:
        yield (
            f"protocol.unit.per_iteration({steps}) must be a whole number from 1, "
            f"but is {_shown(units)}"
        )
        return
    if not units <= study.length <= _LONGEST:
        yield (
            f"length must be at least an iteration, {units:,} {protocol.unit.name}, "
            f"and at most {_LONGEST:,}, but is {_shown(study.length)}"
        )
        return
    if study.length % units:
        yield (
            f"length must be a multiple of an iteration, {units:,} "
            f"{protocol.unit.name}, but is {study.length:,}"
        )
    for scale in (0.5, 0.001):
        short = _returned(protocol.shorten, study.full_length, scale)
        if not (
            isinstance(short, Length)
            and all(type(x) is int and x >= 1 for x in dataclasses.astuple(short))
        ):
            yield (
                f"protocol.shorten({study.full_length}, {scale}) must be a Length of "
                f"whole numbers of 1 or more, but is {_shown(short)}"
            )


def _returned(function: Any, *arguments: Any) -> Any:
    """What a function of the study's file returns, or the exception that it raises."""
    try:
        return function(*arguments)
    except Exception as error:  # Whatever it may be.
        return error


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _of_values(study: Study, speeds: Collection[str]) -> Iterator[str]:
    names = [arm.name for arm in study.arms]
    for what, given in (
        ("name", [study.name]),
        ("names of arms", names),
        ("games", study.all_games),
    ):
        for name in given:
            if not is_name(name):
                yield (
                    f"{what} must be printable, without '/', not begin with '.', and "
                    f"have at most {MOST_BYTES} bytes, since they name directories, "
                    f"but one is {_shown(name)}"
                )
    for name in {*names} & {*_RESERVED}:
        yield f"arms must have other names than {name!r}, where the report is written"
    labels = [arm.label for arm in study.arms]
    for what, several in (
        ("names of arms", names),
        ("labels of arms", labels),
        ("games", study.all_games),
        ("seeds", study.seeds),
    ):
        yield from _distinct(what, several)
    for seed in study.seeds:
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            yield (
                f"seeds must be whole numbers from 0 to {LARGEST_SEED}, but one is "
                f"{_shown(seed)}"
            )
    for kind in _PARTS[1:]:
        for place, part in enumerate(getattr(study, kind)):
            for field, value in vars(part).items():
                if isinstance(value, float) and not math.isfinite(value):
                    yield f"{kind}[{place}].{field} must be finite, but is {value}"
    yield from _of_games(study)
    for arm in study.arms:
        yield from _of_arm(arm, speeds)
        for name in sorted(arm.settings.keys() & _decided(study, arm)):
            yield (
                f"arm {arm.name} must leave {name} to the study's protocol, which "
                f"decides it, but sets it to {_shown(arm.settings[name])}"
            )


def _decided(study: Study, arm: Arm) -> set[str]:
    """What a run is told in any case, whatever its arm sets."""
    protocol = study.protocol
    found = {*protocol.clocks, protocol.num_iterations, protocol.seed}
    found.add(protocol.game.partition("=")[0].strip())
    if arm.replay_ratio is not None:
        found.add(f"{protocol.agent}.replay_ratio")
        if arm.target_gradient_steps or protocol.target_gradient_steps:
            found.add(scaling.TARGET_PERIOD)
    return found


def _distinct(what: str, values: Sequence[Any]) -> Iterator[str]:
    if not values and what != "labels of arms":
        yield f"{what} must be one or more, but there is none"
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{what} must differ, but {_shown(value)} is there {times} times"


def _of_games(study: Study) -> Iterator[str]:
    """A game that there is not; an environment that has none of the study's games."""
    game = _short(study.protocol.game.partition("=")[0].strip())
    for name in study.all_games if game == MINATAR_GAME else ():
        if name not in minatar.ALL_GAMES:
            yield (
                f"games must be of MinAtar's {', '.join(minatar.ALL_GAMES)}, but one "
                f"is {_shown(name)}"
            )
    # An arm whose environment is of another kind plays the same game throughout.
    for arm in study.arms:
        in_file = {_short(x) for x in scaling.bindings(arm.gin_file or "")}
        others = [x for x in GAMES if x in in_file]
        if others and game in GAMES and game not in others:
            yield (
                f"arm {arm.name} must have a gin_file whose game is protocol.game's, "
                f"{game}, but {arm.gin_file} has {others[-1]}: its runs would all play "
                "the file's own game. Other protocols are minatar.PROTOCOL and "
                "he2026.protocol(...) of redo_dopamine.studies.catalogue"
            )


def _short(name: str) -> str:
    """A gin name without the module before it."""
    return ".".join(name.rsplit(".", 2)[-2:])


_LARGEST_SETTING = 10**300  # Python writes no more than 4,300 digits.


def _of_arm(arm: Arm, speeds: Collection[str]) -> Iterator[str]:
    at = f"arm {arm.name}"
    ratio = arm.replay_ratio
    if ratio is not None and not _LEAST_RATIO <= ratio <= _MOST_RATIO:
        yield (
            f"{at} must have a replay_ratio from {_LEAST_RATIO:g} to {_MOST_RATIO:g}, "
            f"or None, but has {_shown(ratio)}"
        )
    if arm.gin_file is not None and scaling.find(arm.gin_file) is None:
        yield (
            f"{at} must have a gin_file that ships with the package, a path, or None, "
            f"but has {_shown(arm.gin_file)}"
        )
    for name, value in arm.settings.items():
        if isinstance(value, int) and abs(value) > _LARGEST_SETTING:
            yield f"{at}: {shortened(name)} must have at most 300 digits"
    if arm.speed not in speeds:
        yield (
            f"{at} must have a speed of {', '.join(speeds)}, but has "
            f"{_shown(arm.speed)}"
        )
    if arm.x is not None and not _finite(arm.x):
        yield f"{at} must have a finite x or None, but has {_shown(arm.x)}"
    steps = arm.target_gradient_steps
    if steps is not None and steps < 1:
        yield f"{at} must have target_gradient_steps of 1 or more, but it is {steps}"
    if not arm.label.strip() or not arm.label.isprintable():
        yield f"{at} must have a printable label, but it is {_shown(arm.label)}"


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    try:
        return shortened(repr(value))
    except Exception as error:  # Such as an integer of more digits than Python writes.
        return f"what cannot be shown ({type(error).__name__})"
