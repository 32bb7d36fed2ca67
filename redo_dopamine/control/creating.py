"""Environments of continuous control by their names: MuJoCo's robots, and others."""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import gin
import gymnasium
import numpy as np
from gymnasium import wrappers

from redo_dopamine.control.environment import ControlEnvironment, Preprocessing
from redo_dopamine.control.restoring import RestorableControl


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
            f"{environment_id} needs what is not installed here: {error}. Run: "
            "pip install 'redo-dopamine[mujoco]'"
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
