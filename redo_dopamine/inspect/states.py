"""What an inspection looks at: states of the run's replay buffer, or of a file.

What comes in: a restored agent. What leaves: a batch as the agent's network takes it,
and words on where it comes from.
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from redo_dopamine import run_files
from redo_dopamine.agents.learner import Batch
from redo_dopamine.errors import UserError
from redo_dopamine.replay.buffer import FrameReplay


class Look(NamedTuple):
    """A batch of transitions, or of states alone.

    Attributes:
        batch: arrays [B, ...] by name.
        origin: where they come from, in a sentence.
    """

    batch: Batch
    origin: str


def from_file(agent: Any, path: str | Path) -> Look:
    """States [B, H, W, stack] of a .npy file.

    Raises:
        UserError: they are not what the agent's network takes.
    """
    states = _load(path)
    expected = (*agent.observation_shape, agent.stack_size)
    kind = np.dtype(agent.observation_dtype)
    if states.shape[1:] != expected or not len(states) or states.dtype != kind:
        sizes = ", ".join(map(str, expected))
        raise UserError(
            f"--states must hold an array [B, {sizes}] of {kind} with B >= 1, but "
            f"{str(path)!r} holds {list(states.shape)} of {states.dtype}. The stacked "
            "frames come last, the newest of them the last."
        )
    batch = {"state": agent.preprocess_fn(jnp.asarray(states))}
    return Look(batch, f"{len(states)} states of {path}.")


def _load(path: str | Path) -> np.ndarray:
    try:
        # In memory: an archive is refused below, so nothing is read of it later.
        states = np.load(io.BytesIO(run_files.read_bytes(path)), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"--states must be a file that numpy.save wrote, but {str(path)!r} cannot "
            f"be read ({error}). Write one by numpy.save(FILE, states)."
        ) from error
    if not isinstance(states, np.ndarray):
        raise UserError(
            f"--states must hold one array, but {str(path)!r} is an archive of "
            f"{states.files}. Write one by numpy.save(FILE, states)."
        )
    return states


def from_replay(agent: Any, batch_size: int | None) -> Look:
    """A draw from the run's replay buffer: tracking's own where there was one.

    Args:
        agent: with its replay buffer, whose newest transitions may be taken away.
        batch_size: states; None for as many as tracking draws.

    Raises:
        UserError: the batch size is no number of states, or the buffer is empty.
    """
    plasticity, step = agent._plasticity, agent.gradient_step
    size = plasticity.tracking_batch_size if batch_size is None else batch_size
    as_tracked = size == plasticity.tracking_batch_size and plasticity.tracks_at(step)
    if size < 1:
        raise UserError(f"--batch_size must be at least 1 state, but is {size}.")
    has_replay = isinstance(agent._replay, FrameReplay)
    if as_tracked and has_replay and _rewind(agent, size):
        origin = f"{size} states: those that tracking drew at this gradient step."
    else:
        memory = "replay buffer" if has_replay else "running rollout"
        origin = f"{size} states of the run's {memory}, drawn by its seed."
    try:
        batch = agent._draw_batch(size, plasticity.tracking_rng(step))
    except ValueError as error:
        raise UserError(f"{error} Or give states by --states=FILE.npy.") from error
    return Look(batch, origin)


def _rewind(agent: Any, size: int) -> bool:
    """Take away what the replay buffer got since the last gradient update.

    The draw depends on how much there is to draw from.

    Returns:
        Whether tracking's draw of that moment can be made again; if not, the buffer
        is as it was.
    """
    frames, records = agent._replay._contents
    end, first = records.end, records.first
    # Before train step t, counted from 0, come t observations, one each.
    if agent.training_steps - frames.end not in (0, 1):
        return False
    period = agent.update_period
    last_update = (agent.training_steps - 1) // period * period
    kept = records.since(first)
    # A transition is complete when its next state is there.
    newer = np.count_nonzero(kept["frame"] + kept["span"] >= last_update)
    records.end = end - newer
    rng = agent._plasticity.tracking_rng(agent.gradient_step)
    _, drawn = agent._replay.sample(size, rng=rng, with_sample_metadata=True)
    # Of a buffer that was full, what came since has overwritten the oldest.
    if np.any(drawn.keys < first):
        records.end = end
        return False
    return True
