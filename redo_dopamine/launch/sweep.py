"""A study from the command line: a gin file, and settings with several values each.

Every combination of values is an arm. Names and values are checked by gin before a run
is launched. Touches gin's global state.
"""

import argparse
import dataclasses
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin
import jax

from redo_dopamine.config import load, names
from redo_dopamine.errors import UserError
from redo_dopamine.studies import plan, rules
from redo_dopamine.studies.arms import FIVE_SEEDS
from redo_dopamine.studies.catalogue import he2026, minatar
from redo_dopamine.studies.scaling import FLOORS
from redo_dopamine.studies.study import (
    DQN,
    DRQ_EPS,
    TRAINING_STEPS,
    Arm,
    Length,
    Protocol,
    Study,
)

# By the gin name of the runner: what it runs by default, and what a step costs.
_PROTOCOLS: Mapping[str, tuple[Protocol, str]] = {
    "PlasticityRunner": (DQN, "nature"),
    "Atari100kRunner": (DRQ_EPS, "drq_eps"),
    "MinatarRunner": (minatar.PROTOCOL, "minatar"),
    "ControlRunner": (he2026.PPO, "ppo"),
}
_SAC, _SAC_SEED = "RecycledSACAgent", "SACAgent.seed"
# Dopamine's own, where a file does not say.
_LENGTH = {"Runner.num_iterations": 200, TRAINING_STEPS: 250_000}
_NAME = re.compile(r"[A-Za-z_][\w./]*\.[A-Za-z_]\w*")
_MOST_ARMS = 1_000
_NOT_IN_NAMES = re.compile(r"[^\w.+=-]+")


def study(options: argparse.Namespace) -> Study:
    """The study that the flags describe.

    Args:
        options: with `gin_files`, `gin_bindings`, `sweep`, `games` and `name`.

    Raises:
        UserError: flags that make no sense together, or a setting that gin refuses.
    """
    if len(options.gin_files) != 1:
        raise UserError(
            "A sweep must begin with one gin file, but --gin_files names "
            f"{len(options.gin_files)}. Give one, which may include others."
        )
    # The runs want the accelerator; here nothing is computed.
    jax.config.update("jax_platforms", "cpu")
    swept = dict(map(_parsed, options.sweep))
    fixed = dict(map(_binding, options.gin_bindings))
    named = [_without_module(_parsed(text)[0]) for text in options.sweep]
    for name in named:
        if named.count(name) > 1 or name in map(_without_module, fixed):
            raise UserError(
                "--sweep must name each setting once, and none that --gin_bindings "
                f"has, but {name} is there twice. Give its values in one --sweep."
            )
    arms = math.prod(map(len, swept.values()))
    if arms > _MOST_ARMS:
        raise UserError(
            f"A sweep must have at most {_MOST_ARMS:,} combinations of values, but has "
            f"{arms:,}. Sweep fewer settings at a time."
        )
    try:
        return _study(options, swept, fixed)
    finally:
        gin.clear_config()


def _study(
    options: argparse.Namespace,
    swept: Mapping[str, tuple[str, ...]],
    fixed: Mapping[str, str],
) -> Study:
    gin_file = options.gin_files[0]
    _load(gin_file, fixed)
    protocol, speed = _protocol({*swept, *fixed})
    games = tuple(options.games.split(",")) if options.games else (load.task(),)
    settings = {name: x for name, x in fixed.items() if name not in protocol.clocks}
    arms = tuple(_arms(gin_file, swept, settings, speed))
    length = Length(*(protocol.clocks[name] for name in _LENGTH))
    found = Study(
        name=options.name,
        claim=f"What {' and '.join(swept) or 'the seed'} changes.",
        source=f"a sweep of {gin_file} from the command line",
        axis=next(iter(swept)) if len(swept) > 1 else "arm",
        arms=arms,
        games=tuple(game.strip() for game in games if game.strip()),
        seeds=FIVE_SEEDS,
        length=protocol.unit.of(length),
        protocol=protocol,
    )
    rules.check(found, "the flags", plan.SPEEDS)
    notes: dict[str, None] = {}
    for arm in arms:
        for game in found.games if arm is arms[0] else found.games[:1]:
            _load(gin_file, {**fixed, **arm.settings}, protocol.game.format(game))
            notes |= dict.fromkeys(_unread(swept))
    for line in notes:
        print(f"note: {line}", file=sys.stderr)
    return found


def _load(gin_file: str, settings: Mapping[str, Any], *more: str) -> None:
    gin.clear_config()
    bindings = [f"{name} = {value}" for name, value in settings.items()]
    load.load_gin_configs([gin_file], [*bindings, *more])


def _protocol(named: set[str]) -> tuple[Protocol, str]:
    """How the runs of gin's configuration are told their game, seed and length."""
    runner = _plain(load.bound("experiment.runner", "PlasticityRunner"))
    if runner not in _PROTOCOLS:
        raise UserError(
            f"A sweep must be of a runner among {', '.join(_PROTOCOLS)}, but the gin "
            f"file has {runner}. Write a study instead (docs/studies.md)."
        )
    protocol, speed = _PROTOCOLS[runner]
    if _plain(load.bound(f"{runner}.agent", "")) == _SAC:
        protocol, speed = (
            dataclasses.replace(protocol, agent=_SAC, seed=_SAC_SEED),
            "sac",
        )
    clocks = {
        name: value
        for name in FLOORS
        if name not in named and type(value := load.bound(name)) is int and value > 0
    }
    clocks |= {name: load.bound(name, value) for name, value in _LENGTH.items()}
    return dataclasses.replace(
        protocol, clocks=clocks, target_gradient_steps=None
    ), speed


def _plain(reference: Any) -> str:
    """The name of what a gin reference is to."""
    return str(reference).lstrip("@").rpartition(".")[2]


def _arms(
    gin_file: str,
    swept: Mapping[str, Sequence[str]],
    fixed: Mapping[str, str],
    speed: str,
) -> Iterator[Arm]:
    # By the last part of its name, where that tells which it is.
    last = [name.rpartition(".")[2] for name in swept]
    short = {
        name: x if last.count(x) == 1 else name
        for name, x in zip(swept, last, strict=True)
    }
    for values in itertools.product(*swept.values()):
        own = dict(zip(short.values(), values, strict=True))
        number = _number(values[0]) if len(values) > 1 else None
        # Beside a number on the axis, a line is told by the rest.
        series = {**own} if number is None else dict(list(own.items())[1:])
        stem = Path(gin_file).stem
        yield Arm(
            name=_NOT_IN_NAMES.sub("", "_".join(map("=".join, own.items()))) or stem,
            label=_label(own) or stem,
            gin_file=gin_file,
            replay_ratio=None,
            settings={**fixed, **dict(zip(swept, map(_setting, values), strict=True))},
            series=_label(series) or stem,
            x=number,
            speed=speed,
        )


def _label(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _setting(text: str) -> int | str:
    """Whole numbers as such: a shortened study scales those that are periods."""
    try:
        return int(text)
    except ValueError:
        return text


def _binding(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _without_module(name: str) -> str:
    """A setting as most write it: one may be named with its module, too."""
    return re.sub(r"[\w.]*\.(?=\w+\.\w+$)", "", name)


def _parsed(text: str) -> tuple[str, tuple[str, ...]]:
    """`NAME=V,V,...`: the setting and its values, in gin's syntax."""
    name, values = _binding(text)
    parts, depth, quote = [""], 0, ""
    for letter in values:
        if letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        depth += 0 if quote else (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    found = tuple(x.strip() for x in parts)
    # 0.1 and 0.10 would be two arms of one setting.
    numbers = map(_number, found)
    differ = {x if y is None else y for x, y in zip(found, numbers, strict=True)}
    if not _NAME.fullmatch(name) or not all(found) or len(differ) < len(found):
        raise UserError(
            "--sweep must be FUNCTION.SETTING=VALUE,VALUE,... with values that "
            f"differ, but is {text!r}. Write --sweep redo.tau=0,0.025,0.1."
        )
    if _without_module(name) in _LENGTH:
        raise UserError(
            f"Runs of one study must be equally long, but --sweep names {name}. Give "
            "it by --gin_bindings, and sweep something else."
        )
    return name, found


def _unread(swept: Mapping[str, Any]) -> Iterator[str]:
    """Swept settings of functions that the configuration does not use."""
    config = gin.config_str(max_line_length=10**6)
    for name in swept:
        owner = name.rpartition(".")[0].rpartition(".")[2]
        if owner in names.SHARED and not re.search(rf"@(\w+[./])*{owner}\b", config):
            yield (
                f"nothing reads {name}, since no setting is @{owner}(): its values "
                "change nothing. Begin with a gin file that has it, or give it by "
                f"--gin_bindings, such as RecycledDQNAgent.intervention=@{owner}()."
            )
