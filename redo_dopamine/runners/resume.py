"""A run's checkpoints: when it stops at any moment, it goes on from the last one.

What comes in: an agent, and where its run stands. What leaves: both in
`<base_dir>/checkpoints/`, and `metrics.csv` cut back to what belongs to them.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from absl import logging

from redo_dopamine.environments import atari
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import (
    checkpoint,
    fresh_start,
    lock,
    metrics_csv,
    provenance,
)
from redo_dopamine.rundir.config_diff import (
    check_allowed_changes,
    check_same_config,
    differences,
)
from redo_dopamine.runners.train_phase import TrainPhase

# The last one, and two to fall back on where that is damaged.
_KEEP = 3
_AGENT, _ENVIRONMENT = "agent", "environment/"


class ResumeOptions(NamedTuple):
    """On which a run is taken up; each is a flag of `redo_dopamine.train`.

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
        options: on which a run is taken up.
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
        self._directory = Path(base_dir) / "checkpoints"
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
            lock.check(self._base_dir)  # The replay buffer may have taken minutes.
            checkpoint.write(self._directory, number, arrays, meta)
            # Whatever fails from here on, the number is not used for another one.
            self._last = number
            provenance.record_checkpoint(self._base_dir)
            checkpoint.delete_all_but(self._directory, _KEEP)
        except OSError as error:
            _warn(
                f"A checkpoint could not be written to {self._directory} ({error}); "
                "the run goes on, and would be resumed from the one before."
            )

    def resume(
        self, restore_environment: Callable[[atari.State], None] = lambda _: None
    ) -> Snapshot | None:
        """Take up the newest checkpoint that is whole; None if there is none at all.

        Args:
            restore_environment: to the state of a snapshot.

        Raises:
            UserError: it is of another configuration, or all are damaged; or there is
                none, and to begin would lose what lies there.
            RunFinishedError: there is none, but the run is done.
        """
        numbers = checkpoint.numbers(self._directory)
        if not numbers:
            if not self._options.allow_config_change:
                fresh_start.check_config_unchanged(self._base_dir, self._config)
            fresh_start.check(self._base_dir, self._config, self._agent_steps)
            metrics_csv.cut_back(self._base_dir, 0)
            return None
        for number in numbers:
            try:
                return self._restore(number, restore_environment)
            except (checkpoint.DamagedCheckpointError, FileNotFoundError) as error:
                _warn(f"{error} The checkpoint before it is used.")
        raise UserError(
            f"A run is resumed from a checkpoint that is whole, but none in "
            f"{self._directory} is, as told above. Restore what was changed, or start "
            "over with another --base_dir."
        )

    def _restore(
        self, number: int, restore_environment: Callable[[atari.State], None]
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
            _warn(f"{path} goes on under other settings:\n" + "\n".join(changes))


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


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)
