"""A replay buffer whose contents are a data set and never change.

Its checkpoints hold no data, only where the draws stand.
"""

import os
from collections.abc import Sequence
from typing import Any

import gin

from redo_dopamine.errors import UserError
from redo_dopamine.offline import arrays, reading
from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.replay.segments import readable
from redo_dopamine.replay.windows import WindowSettings, complete_windows

_GAME = "create_atari_environment.game_name"


class FixedReplay(FrameReplay):
    """Draws uniformly from a data set, as `FrameReplay` does from what it was given.

    Its capacity is the size of the data, whatever `ReplayBuffer.max_capacity` says.

    Args:
        data: from `reading.load`, with the same settings.
        stack_size: frames per state.
        update_horizon: n of n-step returns.
        gamma: discount per step.
        seed: of the draws.

    Attributes:
        observation_shape: of one frame.
        num_actions: one more than the largest action there is.
        largest_action_place: its row and file, for messages.
    """

    def __init__(
        self,
        data: reading.Loaded,
        *,
        stack_size: int,
        update_horizon: int,
        gamma: float,
        seed: int | None,
    ):
        super().__init__(
            stack_size=stack_size,
            update_horizon=update_horizon,
            gamma=gamma,
            seed=seed,
            windows=complete_windows,  # Which the records are, too.
        )
        self._max_capacity = len(data.contents.records)
        self._contents = data.contents
        self._checksum = data.checksum
        frames, records = data.contents
        self.add_count = records.end
        self.observation_shape = frames.shape
        self.num_actions = 1 + data.largest_action
        self.largest_action_place = data.its_place

    def add(self, transition: Any, *, priority: float | None = None) -> None:
        """Refuse a step: the data are fixed.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "A data set is fixed, but a step of a game was to be added to it. Bind "
            "experiment.runner = @OfflineRunner, or take an agent that plays."
        )

    def clear(self) -> None:
        """Refuse to forget the data.

        Raises:
            ValueError: always.
        """
        raise ValueError("A data set is fixed, but was to be cleared. Build another.")

    def _checked_settings(self) -> dict[str, Any]:
        return {**super()._checked_settings(), "checksum": self._checksum}

    def save(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Write where the draws stand; the data are on the disk already."""
        self._checkpoints.save(
            checkpoint_dir,
            iteration_number,
            self._state(),
            None,
            self._checkpoint_duration,
        )

    def load(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Go on with the draws from a saved state.

        Raises:
            FileNotFoundError: the state is not there.
            ValueError: it is damaged, or of other settings or data.
        """
        state, _ = self._checkpoints.load(
            checkpoint_dir, iteration_number, self._check, self._max_capacity
        )
        with readable(checkpoint_dir):
            self._restore(state, self._contents)


def replay_logs(
    *,
    stack_size: int,
    update_horizon: int,
    gamma: float,
    seed: int | None,
    root: str = "data/dqn",
    run: int | str = 1,
    splits: Sequence[int] | None = None,
    game: str | None = None,
) -> FixedReplay:
    """The DQN Replay data set's logs of a game, in `<root>/<game>/<run>/replay_logs/`.

    A split of the public data is a million rows, 7 GB at most in memory.

    Args:
        stack_size: frames per state, from the agent.
        update_horizon: n of n-step returns, from the agent.
        gamma: discount per step, from the agent.
        seed: of the draws, from the agent.
        root: of the data set.
        run: which of the agents that the data were recorded from.
        splits: numbers, to be read together; None for all that are there.
        game: name of its folder; None for the game that is bound.

    Raises:
        UserError: no game, or data that are missing, damaged or do not fit.
    """
    game = game or gin.query_parameter(_GAME)
    settings = WindowSettings(int(stack_size), int(update_horizon), float(gamma))
    try:
        data = reading.load(arrays.directory_of(root, game, run), splits, settings)
    except OSError as error:
        raise UserError(
            f"A data set's files must be readable, but {error.filename} is not: "
            f"{error.strerror}. Give another one by replay_logs.root."
        ) from error
    return FixedReplay(
        data,
        stack_size=stack_size,
        update_horizon=update_horizon,
        gamma=gamma,
        seed=seed,
    )
