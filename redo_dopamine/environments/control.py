"""MuJoCo's control tasks, made and restored to the bit."""

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any, SupportsFloat

import gin
import gymnasium
import numpy as np
from gymnasium import spaces, wrappers

from redo_dopamine.environments.atari import State

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

    def agent_kwargs(self) -> dict[str, Any]:
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
        """Seed the random numbers again; `reset` must follow."""
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
        """Restore statistics of `get_lasting`; other arrays may stand beside them."""
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


def ppo_preprocessing(
    environment: gymnasium.Env[Any, Any], gamma: float = 0.99, limit: float = 10.0
) -> gymnasium.Env[Any, Any]:
    """Actions clipped to their limits, observations and rewards normalized and clipped.

    Observations by their running mean and variance, rewards by the variance of the
    discounted return, as PPO is mostly run on MuJoCo; returns are reported as they
    are before.

    Args:
        environment: Gymnasium's.
        gamma: discount of the returns.
        limit: largest magnitude of what is normalized.
    """

    def clip(x: Any) -> Any:
        return np.clip(x, -limit, limit)

    environment = wrappers.ClipAction(environment)
    environment = wrappers.NormalizeObservation(environment)
    environment = wrappers.TransformObservation(
        environment, clip, environment.observation_space
    )
    environment = wrappers.NormalizeReward(environment, gamma=gamma)
    return wrappers.TransformReward(environment, clip)


@gin.configurable(module="redo_dopamine")
def create_control_environment(
    environment_id: str = "HalfCheetah-v4",
    preprocessing: Preprocessing | None = None,
) -> ControlEnvironment:
    """A Gymnasium environment of continuous control, such as HalfCheetah-v4.

    Args:
        environment_id: as Gymnasium calls it. The papers' are of version 4.
        preprocessing: on the way to the agent, such as `ppo_preprocessing`; None for
            nothing.

    Raises:
        ValueError: no such environment, or one that is not of continuous control, or
            whose physics are not installed.
    """
    try:
        with _without_notes():
            environment = gymnasium.make(
                environment_id, max_episode_steps=-1, disable_env_checker=True
            )
    except gymnasium.error.DependencyNotInstalled as error:
        raise ValueError(
            f"{environment_id} needs what is not installed here: {error}. For MuJoCo "
            "run: pip install 'redo-dopamine[mujoco]'"
        ) from error
    except gymnasium.error.Error as error:
        raise ValueError(
            "create_control_environment.environment_id must name an environment of "
            f"Gymnasium, but {environment_id!r} is none: {error} Bind "
            "'HalfCheetah-v4', for example."
        ) from error
    kind = RestorableControl if _is_mujocos(environment) else ControlEnvironment
    return kind(environment, preprocessing)


def _is_mujocos(environment: gymnasium.Env[Any, Any]) -> bool:
    # Here, because it takes a while to load, and need not be there.
    try:
        from gymnasium.envs.mujoco import mujoco_env
    except ImportError:
        return False
    return isinstance(environment.unwrapped, mujoco_env.MujocoEnv)


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Keep quiet about what is deprecated in the environments that the papers used.

    MuJoCo would write of it to a file in the current directory too.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import mujoco
        except ImportError:
            yield
            return
        mujoco.set_mju_user_warning(lambda message: None)
        try:
            yield
        finally:
            mujoco.set_mju_user_warning(None)


# Beside the state that MuJoCo integrates: read by environments before they step.
_POSITIONS = ("xpos", "xipos")


class RestorableControl(ControlEnvironment):
    """A MuJoCo environment that can be put back into a state."""

    @property
    def _physics(self) -> Any:
        return self.environment.unwrapped

    def get_state(self) -> State:
        """Everything that the next steps depend on, random numbers and statistics too.

        Returns:
            Arrays by name.
        """
        import mujoco

        model, data = self._physics.model, self._physics.data
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.empty(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, data, state, kind)
        found = {"integration": state}
        found |= {name: getattr(data, name).copy() for name in _POSITIONS}
        # Numbers of 128 bits, so as text.
        random = self._physics.np_random.bit_generator.state
        found["random"] = np.array(json.dumps(random))
        found["game_over"] = np.asarray(self.game_over)
        return found | dict(self.get_lasting())

    def set_state(self, state: State) -> None:
        """Go on from a state of `get_state`, of the same kind of environment."""
        import mujoco

        self.environment.reset()  # As Gymnasium demands of a new one.
        model, data = self._physics.model, self._physics.data
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        mujoco.mj_setState(model, data, np.array(state["integration"]), kind)
        mujoco.mj_forward(model, data)
        # Once more: what is integrated holds a first guess for the next solution too.
        mujoco.mj_setState(model, data, np.array(state["integration"]), kind)
        for name in _POSITIONS:
            getattr(data, name)[:] = state[name]
        random = json.loads(str(state["random"]))
        self._physics.np_random.bit_generator.state = random
        self.game_over = bool(state["game_over"])
        self.set_lasting(state)
