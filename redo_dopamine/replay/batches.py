"""From records and frames to a batch in Dopamine's terms.

What comes in: records drawn from the buffer. What leaves: a `ReplayElement` of arrays,
its states stacked from single frames.
"""

import numpy as np
from dopamine.jax.replay_memory import elements

from redo_dopamine.replay.frames import FrameStore


def stack_first(states: np.ndarray) -> np.ndarray:
    """Stacks [B, *shape, stack] as [B, stack, *shape], the order they are stored in."""
    last = states.ndim - 1
    return states.transpose(0, last, *range(1, last))


def _stack_last(frames: np.ndarray) -> np.ndarray:
    """The way back; not by np.moveaxis, which takes longer than all else here."""
    return frames.transpose(0, *range(2, frames.ndim), 1)


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
