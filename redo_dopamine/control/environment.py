"""An environment of Gymnasium's in Dopamine's terms.

What comes in: Gymnasium's environment, and what is done to what it says. What leaves:
an environment for Dopamine's runner.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces, wrappers

from redo_dopamine.emulator import State

# What is done to observations, actions and rewards on their way to the agent.
Preprocessing = Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]]

_STATISTICS = ("mean", "var", "count")


class _TrueReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps the reward of the last step as it is before any preprocessing."""

    last: float = 0.0

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self.last = float(result[1])
        return result


class ControlEnvironment:
    """A Gymnasium environment as Dopamine's runner plays it.

    Time limits are the runner's (`Runner.max_steps_per_episode`), so that the agent
    can tell them from terminal states.

    Args:
        environment: with vectors as observations and actions, without a time limit.
        preprocessing: what is done to them on their way to the agent; None for
            nothing.

    Attributes:
        environment: Gymnasium's, preprocessing included.
        game_over: whether the last step has reached a terminal state.
    """

    def __init__(
        self,
        environment: gymnasium.Env[Any, Any],
        preprocessing: Preprocessing | None = None,
    ):
        for kind in ("observation", "action"):
            space = getattr(environment, f"{kind}_space")
            if not isinstance(space, spaces.Box):
                raise ValueError(
                    f"Continuous control must have vectors as {kind}s, but "
                    f"{environment.spec and environment.spec.id} has {space}. Give "
                    "another environment_id."
                )
        self._rewards = _TrueReward(environment)
        self.environment: gymnasium.Env[Any, Any] = self._rewards
        if preprocessing is not None:
            self.environment = preprocessing(self._rewards)
        self.game_over = False

    @property
    def observation_space(self) -> Any:
        """As the agent sees it."""
        return self.environment.observation_space

    @property
    def action_space(self) -> Any:
        """As the agent sees it."""
        return self.environment.action_space

    def told_to_agents(self) -> dict[str, Any]:
        """Shapes and limits, as the agents of continuous actions take them."""
        actions = self.action_space
        return {
            "action_shape": actions.shape,
            "observation_shape": self.observation_space.shape,
            "action_limits": (actions.low, actions.high),
        }

    @property
    def true_reward(self) -> float:
        """That of the last step, before preprocessing."""
        return self._rewards.last

    def reset(self) -> np.ndarray:
        """Begin an episode; its first observation."""
        self.game_over = False
        return self.environment.reset()[0]

    def seed(self, seed: int) -> None:
        """Start the random numbers anew with a seed; `reset` must follow."""
        self.environment.unwrapped.reset(seed=seed)

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, dict[str, Any]]:
        """Observation, reward and whether the state is terminal, as Dopamine's."""
        action = np.asarray(action, self.action_space.dtype)
        observation, reward, self.game_over, _, info = self.environment.step(action)
        return observation, reward, self.game_over, info

    @contextlib.contextmanager
    def held_statistics(self) -> Iterator[None]:
        """Normalize meanwhile by what is known, and learn nothing from what is seen."""
        normalizing = [
            layer
            for layer in self.layers()
            if isinstance(
                layer, wrappers.NormalizeObservation | wrappers.NormalizeReward
            )
        ]
        before = self.get_lasting()
        for layer in normalizing:
            layer.update_running_mean = False
        try:
            yield
        finally:
            for layer in normalizing:
                layer.update_running_mean = True
            # The discounted return goes on all the same.
            self.set_lasting(before)

    def get_lasting(self) -> State:
        """What outlasts an episode: the statistics of the preprocessing.

        Returns:
            Arrays by name.
        """
        # In their own precision: until its first update an array has fewer bits.
        return {
            name: np.array(getattr(owner, attribute))
            for name, owner, attribute in self._statistics()
        }

    def set_lasting(self, state: State) -> None:
        """Take up statistics of `get_lasting`; other arrays may stand beside them."""
        for name, owner, attribute in self._statistics():
            saved = state[name]
            setattr(owner, attribute, saved.copy() if saved.ndim else float(saved))

    def _statistics(self) -> Iterator[tuple[str, Any, str]]:
        """Where preprocessing keeps its numbers: a name, and an object's attribute."""
        for layer in self.layers():
            if isinstance(layer, wrappers.NormalizeObservation):
                for name in _STATISTICS:
                    yield f"observation_{name}", layer.obs_rms, name
            elif isinstance(layer, wrappers.NormalizeReward):
                for name in _STATISTICS:
                    yield f"return_{name}", layer.return_rms, name
                yield "discounted_return", layer, "discounted_reward"

    def layers(self) -> Iterator[gymnasium.Env[Any, Any]]:
        """The environment and those inside of it, from the outermost on."""
        layer = self.environment
        yield layer
        while isinstance(layer, gymnasium.Wrapper):
            layer = layer.env
            yield layer
