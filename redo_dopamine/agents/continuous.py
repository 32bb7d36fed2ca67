"""Act in an environment of continuous actions, as Dopamine's agents do.

One thing differs from Dopamine: where an episode is cut off, its last observation is
there to learn from.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import Params


def finite_limits(limits: Any) -> Any:
    """Give the limits of actions [A] as Dopamine's agents take them.

    Args:
        limits: arrays of the lowest and highest actions, or None.

    Returns:
        The same; None where actions may be any number in some dimension.
    """
    if limits is None or not np.isfinite(limits).all():
        return None
    return limits


def constant_key() -> jax.Array:
    """A random key for networks that must be given one, where the action drawn is no
    matter.
    """
    return jax.random.PRNGKey(0)


class ContinuousAgent:
    """Act and remember, before an agent of Dopamine's that has what JaxDQNAgent has."""

    observation_dtype: Any = np.float32

    # Set by Dopamine's constructor.
    state: np.ndarray
    eval_mode: bool
    action_limits: Any
    _rng: jax.Array
    online_params: Params

    # What an agent says of itself.

    def preprocess_fn(self, states: Any) -> Any:
        """States [..., stack] as they enter the network."""
        return states

    def _next_action(self) -> jax.Array:
        """The action of the current state."""
        raise NotImplementedError

    def _remember(
        self, state: np.ndarray, reward: float, terminal: bool, episode_end: bool
    ) -> None:
        """Take note of a transition from a state to the current one."""
        raise NotImplementedError

    @property
    def network_params(self) -> Params:
        """The online parameters, by Dopamine's name."""
        return self.online_params

    @network_params.setter
    def network_params(self, params: Params) -> None:
        self.online_params = params

    # What Dopamine's runner calls.

    def begin_episode(self, observation: np.ndarray) -> np.ndarray:
        """The first action [A] of an episode, after a train step."""
        self._reset_state()  # type: ignore[attr-defined]
        self._record_observation(observation)  # type: ignore[attr-defined]
        return self._train_and_act()

    def step(self, reward: float, observation: np.ndarray) -> np.ndarray:
        """Remember a transition; the next action [A], after a train step."""
        before = self.state
        self._record_observation(observation)  # type: ignore[attr-defined]
        if not self.eval_mode:
            self._remember(before, reward, terminal=False, episode_end=False)
        return self._train_and_act()

    def end_episode(
        self,
        reward: float,
        terminal: bool = True,
        observation: np.ndarray | None = None,
    ) -> None:
        """Remember the last transition of an episode.

        Args:
            reward: of the last action.
            terminal: whether the state reached is terminal; False where a time limit
                has cut off the episode.
            observation: of the state reached. Without it, as in Dopamine's runner,
                the state before stands in for it.
        """
        before = self.state
        if observation is not None:
            self._record_observation(observation)  # type: ignore[attr-defined]
        if not self.eval_mode:
            self._remember(before, reward, terminal=terminal, episode_end=True)

    def _train_and_act(self) -> np.ndarray:
        if not self.eval_mode:
            self._train_step()  # type: ignore[attr-defined]
        self.action = np.asarray(self._next_action())
        return self.action

    # What a checkpoint holds.

    def actor_state(self) -> dict[str, Any]:
        """What acting depends on besides parameters and steps, as arrays."""
        shape = self.action_shape  # type: ignore[attr-defined]
        return {
            "rng": self._rng,
            "state": self.state.copy(),
            "action": getattr(self, "action", np.zeros(shape, np.float32)),
        }

    def set_actor_state(self, memory: Mapping[str, Any]) -> None:
        """Go on from an `actor_state`."""
        self._rng = jnp.asarray(memory["rng"])
        self.state = np.array(memory["state"])
        self.action = np.asarray(memory["action"])
