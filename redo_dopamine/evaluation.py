"""Evaluation of an agent on many environments at once.

What comes in: environments, and greedy actions for a batch of states. What leaves:
one return per episode. It touches neither the agent nor its replay buffer.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Actions [B] for observation stacks [B, H, W, stack].
Policy = Callable[[np.ndarray], np.ndarray]
_NO_OP = 0


def play_episodes(
    environments: Sequence[Any],
    policy: Policy,
    *,
    stack_size: int,
    epsilon: float,
    max_steps: int,
    rng: np.random.Generator,
    start: Callable[[Any, np.random.Generator], np.ndarray],
) -> list[float]:
    """Play one episode in every environment, all of them side by side.

    Every step asks the policy once, for all environments that still run. Their
    number falls; the batch is padded to the next of a few sizes, so that a compiled
    policy is compiled for those only.

    Args:
        environments: Dopamine environments of one game.
        policy: greedy actions for a batch of states.
        stack_size: observations in a state.
        epsilon: probability of a random action.
        max_steps: agent steps after which an episode is cut off.
        rng: for random actions and starts.
        start: begins an episode and returns its first observation [H, W, 1].

    Returns:
        The undiscounted return of each episode, in the order of the environments.
    """
    num_actions = environments[0].action_space.n
    observations = np.stack([start(x, rng) for x in environments])
    states = np.zeros((*observations.shape[:3], stack_size), np.uint8)
    states[..., -1] = observations[..., 0]
    returns = np.zeros(len(environments))
    running: np.ndarray = np.arange(len(environments))
    for _ in range(max_steps):
        if running.size == 0:
            break
        greedy = policy(_padded(states, len(environments)))[: running.size]
        random = rng.integers(num_actions, size=running.size)
        actions = np.where(rng.random(running.size) < epsilon, random, greedy)
        states = np.roll(states, -1, axis=-1)
        over = np.zeros(running.size, bool)
        for i, (index, action) in enumerate(zip(running, actions, strict=True)):
            observation, reward, terminal, _ = environments[int(index)].step(
                int(action)
            )
            states[i, ..., -1] = observation[..., 0]
            returns[index] += reward
            over[i] = terminal
        running, states = running[~over], states[~over]
    return returns.tolist()


def start_with_no_ops(
    environment: Any, rng: np.random.Generator, *, max_no_ops: int
) -> np.ndarray:
    """Begin an episode and do nothing for up to `max_no_ops` agent steps.

    Args:
        environment: a Dopamine environment.
        rng: draws how many, 0 and `max_no_ops` included.
        max_no_ops: 30 in the Atari 100K benchmark.

    Returns:
        The observation [H, W, 1] that the agent sees first.
    """
    observation = environment.reset()
    for _ in range(rng.integers(max_no_ops, endpoint=True)):
        observation, _, terminal, _ = environment.step(_NO_OP)
        if terminal:
            observation = environment.reset()
    return observation


def _padded(states: np.ndarray, largest: int) -> np.ndarray:
    """States with zeros behind them, up to `largest`, its half, its quarter, ..."""
    size = largest
    while size // 2 >= len(states):
        size //= 2
    padding = np.zeros((size - len(states), *states.shape[1:]), states.dtype)
    return np.concatenate([states, padding])
