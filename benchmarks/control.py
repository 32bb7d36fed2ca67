"""Agent steps per second on HalfCheetah, against Dopamine's PPO and SAC.

`--only=control`. Tracking as shipped, no intervention. Both have an environment of
their own, the same one, so that only agents differ.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

from typing import Any

import flax.linen as nn
import gin
import jax
import numpy as np
from dopamine.jax import continuous_networks
from dopamine.jax.agents.ppo import ppo_agent
from dopamine.jax.agents.sac import sac_agent

from benchmarks.measuring import Bar, alternate
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.config import load
from redo_dopamine.environments import atari
from redo_dopamine.environments.control import create_control_environment

_EPISODE_STEPS = 1_000
_ROLLOUT = 2_048


class ControlLoop:
    """An agent and a robot, as a runner drives them."""

    def __init__(self, make_agent: Any):
        self._environment = create_control_environment()
        atari.seed_environment(self._environment, np.random.default_rng(0))
        self.agent = make_agent(self._environment)
        self._action: Any = None
        self._episode_steps = 0

    def run(self, num_steps: int) -> None:
        """Some agent steps, to the end of the last one's update."""
        agent, environment = self.agent, self._environment
        for _ in range(num_steps):
            if self._action is None:
                self._action = agent.begin_episode(environment.reset())
                self._episode_steps = 0
            observation, reward, terminal, _ = environment.step(self._action)
            self._episode_steps += 1
            if environment.game_over or self._episode_steps == _EPISODE_STEPS:
                agent.end_episode(reward, terminal)
                self._action = None
            else:
                self._action = agent.step(reward, observation)
        jax.block_until_ready(agent.optimizer_state)


def measure(quick: bool) -> list[Bar]:
    rounds = 2 if quick else 7
    return [
        _bar("PPO", "PPOAgent", _ppo(), 1 if quick else 2 * _ROLLOUT, rounds),
        _bar("SAC", "SACAgent", _sac(), 20 if quick else 500, rounds),
    ]


def _bar(name: str, peer: str, pair: Any, steps: int, rounds: int) -> Bar:
    ours, theirs = pair
    return Bar(
        f"control: {name}",
        f"HalfCheetah-v4, against `{peer}` with the same settings and environment",
        "steps/s",
        alternate(
            lambda: loops.steps_per_second(ours, steps),
            lambda: loops.steps_per_second(theirs, steps),
            rounds,
        ),
        "ours / peer",
        ">=",
        1.0,
    )


def set_up(gin_file: str, *bindings: str) -> None:
    """Gin's configuration: a file as it ships, and bindings."""
    gin.clear_config()
    load.load_gin_configs([gin_file], list(bindings))


def _ppo() -> tuple[ControlLoop, ControlLoop]:
    set_up(
        "ppo.gin",
        "PPOAgent.seed = 0",
        # Where Dopamine's agent keeps its rollouts.
        f"ReplayBuffer.max_capacity = {_ROLLOUT}",
        f"ReplayBuffer.batch_size = {_ROLLOUT}",
    )
    ours = ControlLoop(
        lambda environment: RecycledPPOAgent(**environment.agent_kwargs())
    )

    def stock(environment: Any) -> Any:
        shapes = environment.agent_kwargs() | {"action_limits": None}
        return ppo_agent.PPOAgent(network=_StockPPONetwork, **shapes)

    pair = ours, ControlLoop(stock)
    for loop in pair:  # Two rollouts, and a measurement of ours.
        loop.run(2 * _ROLLOUT + 2)
    return pair


class _StockPPONetwork(continuous_networks.PPOActorCriticNetwork):
    """Dopamine's, with what `ppo.gin` says of ours."""

    num_layers: int = 2
    hidden_units: int = 64
    activation: Any = nn.relu


def _sac() -> tuple[ControlLoop, ControlLoop]:
    set_up(
        "sac.gin",
        "SACAgent.seed = 0",
        f"SACAgent.min_replay_history = {loops.MIN_REPLAY_HISTORY}",
    )
    ours = ControlLoop(
        lambda environment: RecycledSACAgent(**environment.agent_kwargs())
    )
    stock = ControlLoop(
        lambda environment: sac_agent.SACAgent(
            network=continuous_networks.ActorCriticNetwork,
            **environment.agent_kwargs(),
        )
    )
    return loops.warm_up(ours, 40), loops.warm_up(stock, 40)
