"""From transitions of the replay buffer to what a loss takes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax.replay_memory import elements

from redo_dopamine.plasticity.learner import Batch
from redo_dopamine.replay.buffer import stack_first

STATES = ("state", "next_state")


def as_batch(drawn: elements.ReplayElement) -> Batch:
    """A batch by name, its states [B, stack, ...], as they lie in memory."""
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
    """The shapes of an `as_batch`.

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
    """The same batch, its states [B, ..., stack] as they enter the network.

    Args:
        preprocess: of states [B, ..., stack].
        batch: from `as_batch`; on the device, where moving an axis costs little.
    """
    moved = {name: preprocess(jnp.moveaxis(batch[name], 1, -1)) for name in STATES}
    return batch | moved
