"""Save where a run stands to `<base_dir>/checkpoints/`, and restore the last of them.

A restore cuts `metrics.csv` back to the rows that belong to its checkpoint.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from redo_dopamine.environments import atari
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import checkpoint, lock, metrics_csv, resume
from redo_dopamine.rundir.operative import differences
from redo_dopamine.rundir.resume import (
    check_allowed_changes,
    check_same_config,
)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # An integer that no float can hold.
        return False


def _is_action(value: Any) -> bool:
    vector = isinstance(value, list) and all(map(_is_number, value))
    return value is None or _is_count(value) or vector


_SAVED = {
    **dict.fromkeys(("num_steps", "num_starts", "num_episodes"), _is_count),
    **dict.fromkeys(("sum_returns", "seconds", "episode_return"), _is_number),
    "episode_steps": _is_count,
    "action": _is_action,
    "over": lambda value: isinstance(value, bool),
}


@dataclasses.dataclass
class TrainPhase:
    """The training of one iteration, as far as it has come.

    Attributes:
        num_steps: agent steps made.
        num_starts: episodes begun.
        num_episodes: episodes that came to their end.
        sum_returns: of those episodes.
        seconds: spent on it.
        episode_steps: agent steps of the running episode.
        episode_return: of the running episode.
        action: the next one of the running episode, a number or a list of numbers;
            None between two episodes.
        over: whether all that is left of the iteration is its evaluation.
    """

    num_steps: int = 0
    num_starts: int = 0
    num_episodes: int = 0
    sum_returns: float = 0.0
    seconds: float = 0.0
    episode_steps: int = 0
    episode_return: float = 0.0
    action: int | list[float] | None = None
    over: bool = False

    def begin_episode(self, action: Any) -> None:
        """An episode has begun, and this is its first action."""
        self.num_starts += 1
        self.episode_steps, self.episode_return = 0, 0.0
        self.go_on(action)

    def go_on(self, action: Any) -> None:
        """The running episode has a next action, a NumPy number or vector."""
        self.action = np.asarray(action).tolist()

    def count_step(self, reward: float) -> None:
        """A step of the running episode gave this reward."""
        self.num_steps += 1
        self.episode_steps += 1
        self.episode_return += float(reward)

    def end_episode(self, finished: bool) -> None:
        """The running episode is over; its return counts if it came to its end."""
        self.action = None
        if finished:
            self.num_episodes += 1
            self.sum_returns += self.episode_return

    def next(self) -> "TrainPhase":
        """The phase of the next iteration, which takes a running episode along."""
        if self.action is None:
            return TrainPhase()
        return TrainPhase(
            num_starts=1,
            episode_steps=self.episode_steps,
            episode_return=self.episode_return,
            action=self.action,
        )

    @property
    def average_return(self) -> float:
        """Over the episodes that came to their end; NaN if none did."""
        return self.sum_returns / self.num_episodes if self.num_episodes else math.nan

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second of training."""
        return self.num_steps / self.seconds if self.seconds > 0 else math.nan

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TrainPhase":
        """The phase that was saved.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(saved, dict):
            raise ValueError(f"a training phase is no {type(saved).__name__}")
        for name, value in saved.items():
            if name not in _SAVED or not _SAVED[name](value):
                raise ValueError(f"no training phase has such a {shortened(name)!r}")
        return cls(**saved)


_AGENT, _ENVIRONMENT = "agent", "environment/"


class ResumeOptions(NamedTuple):
    """How a run is resumed; each is a flag of `redo-dopamine train`.

    Attributes:
        allow_config_change: whether settings may differ from the checkpoint's.
        rollbacks: how often a run may go back to a checkpoint after a NaN.
        dopamine_checkpoint: path of one of Dopamine's own to start from, where the
            run has none; it is unpickled.
    """

    allow_config_change: bool = False
    rollbacks: int = 0
    dopamine_checkpoint: str | None = None


class Snapshot(NamedTuple):
    """Where a run stands, apart from its agent.

    Attributes:
        iteration: of the runner, from 0.
        phase: of the iteration's training, in JSON's terms.
        environment: its state; empty where it is not known how to get it.
        rollbacks: how often the run has gone back after a NaN.
    """

    iteration: int
    phase: dict[str, Any]
    environment: atari.State
    rollbacks: int = 0


class Checkpoints:
    """Saves a run and finds it again.

    Args:
        base_dir: the run's directory.
        agent: with `state_tree`, `bundle_and_checkpoint` and `unbundle`.
        config: the run's operative configuration, which every checkpoint keeps.
        options: of how a run is resumed.
        agent_steps: that the run is meant to have.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any,
        config: str,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
        agent_steps: int = 0,
    ):
        self._base_dir = base_dir
        self._directory = resume.directory_of(base_dir)
        self._agent = agent
        self._config = config
        self._options = options
        self._agent_steps = agent_steps
        self._last = max(checkpoint.numbers(self._directory), default=-1)

    @property
    def newest(self) -> Path | None:
        """Where the newest checkpoint lies; None if there is none."""
        numbers = checkpoint.numbers(self._directory)
        return checkpoint.path_of(self._directory, numbers[0]) if numbers else None

    def save(
        self, snapshot: Snapshot, write_rows: Callable[[], None] = lambda: None
    ) -> None:
        """Write a checkpoint; where that fails, say so and leave the last one.

        Args:
            snapshot: where the run stands.
            write_rows: to the file, all those of `metrics.csv` up to there.

        Raises:
            LockLostError: the directory is no longer this process's.
        """
        number = self._last + 1
        lock.check(self._base_dir)
        try:
            write_rows()
            metrics_csv.sync(self._base_dir)
            self._directory.mkdir(exist_ok=True)
            bundle = self._agent.bundle_and_checkpoint(str(self._directory), number)
            environment = {
                _ENVIRONMENT + name: x for name, x in snapshot.environment.items()
            }
            meta = {
                "iteration": snapshot.iteration,
                "phase": snapshot.phase,
                "rollbacks": snapshot.rollbacks,
                "config": self._config,
                **metrics_csv.position(self._base_dir),
                **checkpoint.replay_state(self._directory, number),
            }
            arrays = {**checkpoint.flatten(bundle, _AGENT), **environment}
            # It asks for the lock again: the replay buffer may have taken minutes.
            resume.write(self._base_dir, number, arrays, meta)
            # Whatever fails from here on, the number is not used for another one.
            self._last = number
            resume.note_written(self._base_dir)
        except OSError as error:
            resume.warn(
                f"A checkpoint could not be written to {self._directory} ({error}); "
                "the run goes on, and would be resumed from the one before."
            )

    def resume(
        self,
        restore_environment: Callable[[atari.State], None] = lambda _: None,
        check_action: Callable[[Any], None] = lambda _: None,
    ) -> Snapshot | None:
        """Restore the newest checkpoint that is whole; None if there is none at all.

        Args:
            restore_environment: to the state of a snapshot.
            check_action: raises where a snapshot's next action is none of the game's.

        Raises:
            UserError: it is of another configuration, or all are damaged; or there is
                none, and to begin would lose what lies there.
            RunFinishedError: there is none, but the run is done.
        """
        snapshot = resume.restore_newest(
            self._base_dir,
            lambda number: self._restore(number, restore_environment, check_action),
            passed_over=(checkpoint.DamagedCheckpointError, FileNotFoundError),
        )
        if snapshot is None:
            resume.begin(
                self._base_dir,
                self._config,
                self._agent_steps,
                same_config=not self._options.allow_config_change,
            )
        return snapshot

    def _restore(
        self,
        number: int,
        restore_environment: Callable[[atari.State], None],
        check_action: Callable[[Any], None],
    ) -> Snapshot:
        path = checkpoint.path_of(self._directory, number)
        arrays, meta = checkpoint.read(path)
        _check_meta(meta, path)
        self._check_config(meta["config"], path)
        metrics_csv.check_position(self._base_dir, meta, path)
        checkpoint.check_replay_state(path, meta)
        try:
            bundle = checkpoint.unflatten(self._agent.state_tree(), arrays, _AGENT)
        except ValueError as error:
            raise UserError(f"{path}: {error}{self._changes(meta)}") from error
        try:
            whole = self._agent.unbundle(str(self._directory), number, bundle)
        except ValueError as error:
            changes = self._changes(meta)
            if changes:
                raise UserError(f"{path}: {error}{changes}") from error
            raise checkpoint.DamagedCheckpointError(
                f"A checkpoint must be whole, but {path} cannot be loaded: {error}"
            ) from error
        if not whole:
            raise checkpoint.DamagedCheckpointError(
                f"A checkpoint must be whole, but {path} lacks its replay buffer."
            )
        environment = {
            name.removeprefix(_ENVIRONMENT): array
            for name, array in arrays.items()
            if name.startswith(_ENVIRONMENT)
        }
        try:
            check_action(meta["phase"].get("action"))
            restore_environment(environment)
        # A state of another kind leads an environment to whatever it raises.
        except Exception as error:
            raise checkpoint.DamagedCheckpointError(
                f"A checkpoint must hold the state of its environment, but that of "
                f"{path} cannot be restored ({type(error).__name__}: "
                f"{shortened(error)})."
            ) from error
        metrics_csv.cut_back(self._base_dir, meta["metrics_size"])
        logging.info("Resuming from %s", path)
        return Snapshot(
            meta["iteration"], meta["phase"], environment, meta.get("rollbacks", 0)
        )

    def _changes(self, meta: dict[str, Any]) -> str:
        """What settings have changed, as the end of a message."""
        changes = differences(meta["config"], self._config)
        return "\nChanged settings:\n" + "\n".join(changes) if changes else ""

    def _check_config(self, saved: str, path: Path) -> None:
        if not self._options.allow_config_change:
            check_same_config(saved, self._config, str(path))
            return
        changes = check_allowed_changes(saved, self._config, str(path))
        if changes:
            resume.warn(f"{path} goes on under other settings:\n" + "\n".join(changes))


def _check_meta(meta: dict[str, Any], path: Path) -> None:
    """What a checkpoint says of its run must be there, and of its kind.

    Raises:
        DamagedCheckpointError: it is not.
    """
    # What versions may lack, and nothing else.
    meta = {"rollbacks": 0, **meta}
    wrong = []
    try:
        TrainPhase.from_json(meta.get("phase", ()))
    except ValueError as error:
        wrong.append(f"phase: {error}")
    checkpoint.check_meta(meta, path, ("iteration", "rollbacks"), also=wrong)
