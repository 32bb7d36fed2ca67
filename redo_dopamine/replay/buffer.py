"""Store an agent's steps and draw batches: those of Dopamine's buffer, sooner.

It keeps frames where Dopamine keeps stacks of them, and stacks them when a batch is
drawn.
"""

import collections
from collections.abc import Callable
from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax.replay_memory import elements, samplers

from redo_dopamine.replay.checkpoint import Checkpoints, SavedReplay
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.horizons import DrawAt, cut
from redo_dopamine.replay.segments import Contents
from redo_dopamine.replay.windows import (
    RecordRing,
    Step,
    WindowFn,
    WindowSettings,
    dopamine_windows,
    rehearse,
)

Batch = dict[str, Any]
_STATES = ("state", "next_state")


def stack_first(states: np.ndarray) -> np.ndarray:
    """Stacks [B, *shape, stack] as [B, stack, *shape], the order they are stored in."""
    last = states.ndim - 1
    return states.transpose(0, last, *range(1, last))


def _stack_last(frames: np.ndarray) -> np.ndarray:
    """The way back; not by np.moveaxis, which takes longer than all else here."""
    return frames.transpose(0, *range(2, frames.ndim), 1)


def as_batch(drawn: elements.ReplayElement) -> Batch:
    """Name the arrays of a batch, its states [B, stack, ...] as they lie in memory."""
    return {
        "state": stack_first(drawn.state),
        "next_state": stack_first(drawn.next_state),
        "action": drawn.action,
        "reward": drawn.reward,
        "terminal": drawn.is_terminal,
    }


def example_batch(
    size: int, stack_shape: tuple[int, ...], dtype: Any, action: jax.ShapeDtypeStruct
) -> Batch:
    """Give the shapes of an `as_batch`.

    Args:
        size: B, of transitions.
        stack_shape: [stack, ...], of a state as it lies in memory.
        dtype: of observations.
        action: of actions [B, ...].
    """
    states = jax.ShapeDtypeStruct((size, *stack_shape), dtype)
    return {
        "state": states,
        "next_state": states,
        "action": action,
        "reward": jax.ShapeDtypeStruct((size,), np.float32),
        "terminal": jax.ShapeDtypeStruct((size,), bool),
    }


def network_inputs(preprocess: Callable[[Any], Any], batch: Batch) -> Batch:
    """Move the stack of a batch's states to the end: as they enter the network.

    Args:
        preprocess: of states [B, ..., stack].
        batch: from `as_batch`; on the device, where moving an axis costs little.
    """
    moved = {name: preprocess(jnp.moveaxis(batch[name], 1, -1)) for name in _STATES}
    return batch | moved


def _stacks(
    frames: FrameStore,
    start: np.ndarray,
    length: int,
    num_missing: np.ndarray,
) -> np.ndarray:
    """Frames [B, length, *shape] from `start` on, the first `num_missing` zeros."""
    stacked = frames.gather(start[:, None] + np.arange(length))
    # Rare: the first steps of an episode.
    for row in np.flatnonzero(num_missing > 0):
        stacked[row, : num_missing[row]] = 0
    return stacked


def _states(
    frames: FrameStore, rows: np.ndarray, stack: int
) -> tuple[np.ndarray, np.ndarray]:
    """States and next states [B, *shape, stack] of records [B]."""
    spans = rows["span"]
    span = int(spans[0])
    start = rows["frame"] - (stack - 1)
    if span < stack and (spans == span).all():
        # The two overlap in time: gather what they share once.
        stacked = _stacks(frames, start, stack + span, stack - rows["depth"])
        state, next_state = stacked[:, :stack], stacked[:, span:]
    else:
        depths = np.minimum(rows["depth"] + spans, stack)
        state = _stacks(frames, start, stack, stack - rows["depth"])
        next_state = _stacks(frames, start + spans, stack, stack - depths)
    state.flags.writeable = next_state.flags.writeable = False
    return _stack_last(state), _stack_last(next_state)


def batch(frames: FrameStore, rows: np.ndarray, stack: int) -> elements.ReplayElement:
    """Arrays [B, ...] of the transitions that records [B] stand for.

    States are views [B, *shape, stack] of memory in the order of `stack_first`. They
    are read-only, because `state` and `next_state` may share frames.
    """
    state, next_state = _states(frames, rows, stack)
    return elements.ReplayElement(
        state=state,
        action=np.ascontiguousarray(rows["action"]),
        reward=np.ascontiguousarray(rows["reward"]),
        next_state=next_state,
        is_terminal=np.ascontiguousarray(rows["terminal"]),
        episode_end=np.ascontiguousarray(rows["episode_end"]),
    )


@gin.configurable
class FrameReplay(SavedReplay):
    """Uniform replay with Dopamine's interface, transitions and draws.

    For the same seed, batches equal those of Dopamine's `ReplayBuffer` with a
    `UniformSamplingDistribution`. Types and shapes of observations and actions are
    those of the first step added; rewards are float64.

    Args:
        stack_size: frames per state.
        update_horizon: steps per transition, the n of n-step returns.
        gamma: discount per step.
        seed: of the draws.
        windows: which transitions the steps of an episode become: `dopamine_windows`
            or `complete_windows`.
        draw_at: the horizon, at most `update_horizon`, and the discount of the next
            batch, asked at every draw; None for `update_horizon` and `gamma`. A
            transition is there `update_horizon` steps later at any of them.
        **dopamine_settings: of Dopamine's `ReplayBuffer`, to be given here or bound
            to its gin name: `max_capacity`, `batch_size`, `checkpoint_duration`
            (states kept on disk). `compress` has no effect.

    Attributes:
        add_count: transitions added so far.

    Raises:
        ValueError: a setting that is not a positive whole number, but must be.
    """

    def __init__(
        self,
        *,
        stack_size: int,
        update_horizon: int,
        gamma: float,
        seed: int | np.random.SeedSequence | None,
        windows: WindowFn = dopamine_windows,
        draw_at: DrawAt | None = None,
        **dopamine_settings: Any,
    ):
        super().__init__(
            transition_accumulator=None, sampling_distribution=None, **dopamine_settings
        )
        for name, value in {
            "stack_size": stack_size,
            "update_horizon": update_horizon,
            "max_capacity": self._max_capacity,
            "batch_size": self._batch_size,
        }.items():
            if value != int(value) or value < 1:
                raise ValueError(
                    f"{name} must be a whole number >= 1, but is {value}. Bind it to "
                    "1 or more."
                )
        self._max_capacity = int(self._max_capacity)
        self._settings = WindowSettings(
            int(stack_size), int(update_horizon), float(gamma)
        )
        rehearse(windows, self._settings, cuts=draw_at is not None)
        self._windows = windows
        self._draw_at = draw_at
        self._num_rewards = 0 if draw_at is None else int(update_horizon)
        self._rng = np.random.default_rng(seed)
        self._trajectory = collections.deque[Step](
            maxlen=int(update_horizon + stack_size)
        )
        self._contents: Contents | None = None
        self._checkpoints = Checkpoints()

    @property
    def nbytes(self) -> int:
        """Memory of frames and transitions, in bytes."""
        if self._contents is None:
            return 0
        return self._contents.frames.nbytes + self._contents.records.nbytes

    @property
    def num_transitions(self) -> int:
        """Transitions to draw from, at most the capacity."""
        return 0 if self._contents is None else len(self._contents.records)

    # In.

    def add(
        self, transition: elements.TransitionElement, *, priority: float | None = None
    ) -> None:
        """Add a step of the running episode, and the transitions it completes.

        Args:
            transition: a step in Dopamine's terms; `is_terminal` and `episode_end`
                mark the last of an episode.
            priority: None or 1, as Dopamine's agents say for a uniform draw.

        Raises:
            ValueError: another priority; an observation or action whose type or
                shape is not that of the first.
        """
        if priority is not None and priority != 1:
            raise ValueError(
                f"FrameReplay draws uniformly, but got the priority {priority}. Leave "
                "it out, or use Dopamine's ReplayBuffer with a prioritized sampling "
                "distribution."
            )
        observation = np.asarray(transition.observation)
        action = np.array(transition.action)  # A copy: the caller may go on using it.
        reward = float(transition.reward)
        if self._contents is None:
            self._contents = Contents(
                FrameStore(observation.shape, observation.dtype),
                RecordRing(
                    self._max_capacity, action.dtype, action.shape, self._num_rewards
                ),
            )
        frames, records = self._contents
        kind = records.dtype["action"]
        if action.shape != kind.shape or not np.can_cast(
            action.dtype, kind.base, "same_kind"
        ):
            raise ValueError(
                f"Actions must have the shape and type of the first, {kind.shape} "
                f"{kind.base}, but this one is {action.shape} {action.dtype}. "
                "Reshape or cast the actions."
            )
        step = Step(
            frames.extend(observation[None]),
            action,
            reward,
            bool(transition.is_terminal),
            bool(transition.episode_end),
        )
        self._trajectory.append(step)
        for record in self._windows(self._trajectory, self._settings):
            records.append(record)
        self.add_count = records.end
        if step.terminal or step.episode_end:
            self._trajectory.clear()
        needed = self._trajectory[0].frame if self._trajectory else frames.end
        if records:
            needed = min(needed, records.first_frame())
        frames.drop_before(needed)

    def clear(self) -> None:
        """Forget every transition and the running episode; the draws go on."""
        self.add_count = 0
        self._trajectory.clear()
        self._contents = None
        self._checkpoints.forget()

    # Out.

    def sample(
        self,
        size: int | None = None,
        *,
        with_sample_metadata: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Any:
        """Draw transitions uniformly, with replacement.

        Args:
            size: how many; None for the batch size.
            with_sample_metadata: whether to return the transitions' numbers as well.
            rng: where the randomness comes from. None for the buffer's own generator;
                with another one training does not notice the draw.

        Returns:
            A `ReplayElement` of arrays [B, ...], with `state` and `next_state`
            [B, *shape, stack]; or that and a `SampleMetadata`. The arrays are new.
            States are read-only, because the two may share frames, and views:
            `batches.stack_first(state)` is their memory's own order.

        Raises:
            ValueError: the buffer is empty, or size < 1.
        """
        size = self._batch_size if size is None else size
        if self._contents is None or not self._contents.records:
            raise ValueError(
                "A replay buffer must hold a transition to draw from, but it holds 0. "
                "Add steps first; a transition is complete update_horizon steps later."
            )
        if size < 1:
            raise ValueError(
                f"size must be >= 1, but is {size}. Draw at least one transition."
            )
        records = self._contents.records
        slots = (rng or self._rng).integers(len(records), size=size)
        drawn = self.transitions(slots)
        if not with_sample_metadata:
            return drawn
        return drawn, samplers.SampleMetadata(keys=self._numbers(slots))

    def _numbers(self, slots: np.ndarray) -> np.ndarray:
        """Which transitions lie in these slots [N], which Dopamine calls keys."""
        if self._contents is None:
            return np.zeros(0, np.int32)
        return self._contents.records.numbers(slots).astype(np.int32)

    def transitions(self, slots: np.ndarray) -> Any:
        """Transitions by their slots, as `sample` returns them.

        Args:
            slots: whole numbers in [0, num_transitions) [B].

        Raises:
            IndexError: the buffer is empty.
        """
        if self._contents is None:
            raise IndexError(
                "A slot must hold a transition, but the buffer is empty. Add steps "
                "first."
            )
        frames, records = self._contents
        rows = records.take(slots)
        if self._draw_at is not None:
            rows = cut(rows, *self._draw_at())
        return batch(frames, rows, self._settings.stack_size)

    def update(self, keys: Any, **kwargs: Any) -> None:
        """Refuse new priorities: there are none.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "FrameReplay draws uniformly, but was given priorities. Use Dopamine's "
            "ReplayBuffer with a prioritized sampling distribution."
        )
