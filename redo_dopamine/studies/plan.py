"""A study, as it was asked for, becomes a list of runs."""

import dataclasses
import difflib
import itertools
import os
import runpy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from redo_dopamine.cli.flags import LARGEST_SEED, as_whole, shown
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.studies import STUDIES, rules
from redo_dopamine.studies.scaling import arm_bindings, check_scale, run_length
from redo_dopamine.studies.study import Arm, Study


@dataclasses.dataclass(frozen=True)
class Speed:
    """What one agent step costs, in seconds.

    Attributes:
        acting: the environment and the choice of an action.
        update: one gradient update, with its share of tracking.
    """

    acting: float
    update: float

    def steps_per_second(self, replay_ratio: float) -> float:
        """Agent steps per second at a replay ratio; updates per second at 1."""
        return 1 / (self.acting + replay_ratio * self.update)


START_SECONDS = 20.0  # Imports and compilation.
SPEEDS: Mapping[str, Speed] = {
    "nature": Speed(acting=0.0018, update=0.026),
    "nature_width0.25": Speed(acting=0.0012, update=0.005),
    "nature_width2": Speed(acting=0.0025, update=0.075),
    "nature_width4": Speed(acting=0.005, update=0.25),
    "impala": Speed(acting=0.005, update=0.22),
    "drq_eps": Speed(acting=0.0018, update=0.045),
    "classifier": Speed(acting=0.0, update=0.015),
    "minatar": Speed(acting=0.0002, update=0.0011),
    "minatar_width2": Speed(acting=0.0002, update=0.003),
    "minatar_width4": Speed(acting=0.0003, update=0.01),
    "probe": Speed(acting=0.0, update=0.0015),
    "sac": Speed(acting=0.0005, update=0.015),
    # An agent step, with its share of a rollout's updates.
    "ppo": Speed(acting=0.0006, update=0.0),
}


def run_seconds(
    study: Study, arm: Arm, scale: float = 1.0, steps_per_second: float | None = None
) -> float:
    """Seconds that a run of an arm takes, one run at a time.

    Args:
        study: that the arm belongs to.
        arm: one of its arms.
        scale: what part of the study's length to run.
        steps_per_second: agent steps per second at any arm; None for `SPEEDS`.
    """
    if steps_per_second is None:
        # Where no agent acts, a step is an update.
        ratio = 1 if arm.replay_ratio is None else arm.replay_ratio
        steps_per_second = SPEEDS[arm.speed].steps_per_second(ratio)
    return START_SECONDS + run_length(study, scale).agent_steps / steps_per_second


_MOST_SEEDS = 10_000

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Selection:
    """The part of a study that a launch asks for.

    Attributes:
        study: the whole.
        arms: some of its arms, in its order.
        games: some of its games, in its order.
        seeds: any seeds.
        scale: what part of the study's length to run, in (0, 1].
    """

    study: Study
    arms: tuple[Arm, ...]
    games: tuple[str, ...]
    seeds: tuple[int, ...]
    scale: float = 1.0


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run of a study.

    Attributes:
        study: name of the study.
        arm: name of the arm.
        game: Atari game, or data set.
        seed: of every random stream.
        module: what `python -m` executes.
        directory: `<base_dir>/<study>/<arm>/<game>/<seed>`.
        gin_files: names of shipped files.
        gin_bindings: everything else that the run is told.
        scale: what part of the study's length it is.
        agent_steps: its length; in gradient updates where no agent acts.
        steps: what those are, in the plural.
        seconds: how long it takes by `speed.SPEEDS`: a weight, not a promise.
    """

    study: str
    arm: str
    game: str
    seed: int
    module: str
    directory: Path
    gin_files: tuple[str, ...]
    gin_bindings: tuple[str, ...]
    scale: float
    agent_steps: int
    steps: str
    seconds: float

    @property
    def name(self) -> str:
        """`<arm>/<game>/<seed>`."""
        return f"{self.arm}/{self.game}/{self.seed}"


def select(
    study: str | Study,
    arms: str | None = None,
    games: str | None = None,
    seeds: str | None = None,
    scale: float = 1.0,
) -> Selection:
    """The part of a study that words on a command line ask for.

    Args:
        study: one, a name in `STUDIES`, or the path of a Python file that makes one.
        arms: names with commas between; None for all.
        games: likewise; None for those that need not be named.
        seeds: a number of seeds, or seeds with commas between: "2" is "0,1", and
            "2," is seed 2 alone.
        scale: in (0, 1].

    Raises:
        UserError: an unknown name, or a number that is none.
    """
    check_scale(scale)
    found = study if isinstance(study, Study) else _found(study)
    return Selection(
        found,
        tuple(_some("arm", arms, {arm.name: arm for arm in found.arms})),
        found.games
        if games is None
        else tuple(_some("game", games, {game: game for game in found.all_games})),
        found.seeds if seeds is None else parse_seeds(seeds, found.seeds),
        scale,
    )


def from_file(path: str) -> Study:
    """The study that a Python file makes, which is run for that.

    Raises:
        UserError: the file cannot be run, does not make exactly one study, or makes
            one that no run could be launched from.
    """
    if not os.path.isfile(path):
        near = difflib.get_close_matches(
            Path(path).name,
            [x.name for x in Path(path).parent.glob("*.py") if x.is_file()],
            1,
            0.6,
        )
        hint = f"Did you mean {near[0]}?" if near else "Give the path of one."
        raise UserError(
            f"A study's file must be there, but {shortened(repr(path))} is not. {hint}"
        )
    try:
        made = runpy.run_path(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in the file, too.
        raise UserError(
            f"A study's file must be Python that runs, but {shortened(repr(path))} "
            f"ends with {_said(error)}. Fix the file."
        ) from error
    found = {id(x): x for x in made.values() if isinstance(x, Study)}
    if len(found) != 1:
        raise UserError(
            f"A study's file must make one Study, but {shortened(repr(path))} makes "
            f"{len(found)}. Keep one a file."
        )
    [study] = found.values()
    try:
        rules.check(study, shortened(repr(path)), SPEEDS)
    except UserError:
        raise
    except Exception as error:  # Of an object that the file has made.
        raise UserError(
            "A study must be made of plain values, but that of "
            f"{shortened(repr(path))} "
            f"cannot be looked at: {_said(error)}. Fix the file."
        ) from error
    return study


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {shortened(str(error))}"
    except Exception:  # Its own words are broken, too.
        return type(error).__name__


def _found(study: str) -> Study:
    if study.endswith(".py"):
        return from_file(study)
    return choose("study", [study], STUDIES)[0]


def choose(kind: str, names: Iterable[str], known: Mapping[str, T]) -> list[T]:
    """The values of names.

    Raises:
        UserError: a name that is not known; it suggests near ones.
    """
    for name in names:
        if name not in known:
            by_lower = {x.lower(): x for x in known}
            near = difflib.get_close_matches(name.lower(), by_lower, 3, 0.6)
            hint = (
                f"Did you mean {' or '.join(by_lower[x] for x in near)}?"
                if near
                else f"There are {', '.join(known)}."
            )
            raise UserError(f"There is no {kind} {shortened(repr(name))} here. {hint}")
    return [known[name] for name in names]


def parse_seeds(text: str, of_study: Sequence[int]) -> tuple[int, ...]:
    """Seeds from words: "2" as the first two seeds, "0,3" and "3," as those seeds.

    Raises:
        UserError: anything else.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = [as_whole(part, 0, LARGEST_SEED) for part in parts]
    numbers = [x for x in found if x is not None]
    if not parts or len(numbers) < len(parts):
        raise UserError(
            "--seeds must be a number of seeds such as 2, or seeds such as 0,3 (a "
            f"single one as 3,) up to {LARGEST_SEED}, but is {shown(text)}."
        )
    if len(numbers) > _MOST_SEEDS:
        raise UserError(
            f"--seeds must name at most {_MOST_SEEDS} seeds, but names {len(numbers)}."
        )
    if "," in text:
        if len(set(numbers)) < len(numbers):
            raise UserError(
                f"--seeds must name each seed once, but is {text!r}. A seed is one run."
            )
        return tuple(sorted(numbers))
    if not 1 <= numbers[0] <= _MOST_SEEDS:
        raise UserError(
            f"--seeds must ask for at least one seed and at most {_MOST_SEEDS}, but is "
            f"{text!r}. To name "
            f"one seed write --seeds={text},"
        )
    following = itertools.count(max(of_study) + 1)
    return tuple(itertools.islice(itertools.chain(of_study, following), numbers[0]))


def runs(selection: Selection, base_dir: str | Path) -> list[Run]:
    """Every run of a selection: all arms of a game and a seed, then the next seed.

    So that a launch that is cut short has whole comparisons.
    """
    study, scale = selection.study, selection.scale
    agent_steps = run_length(study, scale).agent_steps
    protocol = study.protocol
    return [
        Run(
            study=study.name,
            arm=arm.name,
            game=game,
            seed=seed,
            module=protocol.module,
            directory=Path(base_dir) / study.name / arm.name / game / str(seed),
            gin_files=() if arm.gin_file is None else (arm.gin_file,),
            gin_bindings=(
                *arm_bindings(study, arm, scale),
                protocol.game.format(game),
                f"{protocol.seed} = {seed}",
            ),
            scale=scale,
            agent_steps=agent_steps,
            steps=protocol.unit.steps,
            seconds=run_seconds(study, arm, scale),
        )
        for seed in selection.seeds
        for game in selection.games
        for arm in selection.arms
    ]


def _some(kind: str, names: str | None, known: Mapping[str, T]) -> list[T]:
    if names is None:
        return list(known.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise UserError(f"--{kind}s must name at least one {kind}, but is {names!r}.")
    chosen = set(choose(kind, wanted, {name: name for name in known}))
    return [value for name, value in known.items() if name in chosen]
