"""A run's agent, to be asked: what it does, what it sees, what its neurons do."""

import collections
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.config import gin_state
from redo_dopamine.config.load import task
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.restore import Restored, find_checkpoint, restore

_RECENT = 64  # States; the paper scores on as many.


class LoadedAgent:
    """The agent of a checkpoint, which learns no more; `redo_dopamine.load` gives it.

    States are as the environment gives them, stacked: [B, H, W, stack] of bytes for
    Atari, [B, size, 1] for continuous control.

    Args:
        restored: the checkpoint's.

    Attributes:
        agent: the agent itself.
        checkpoint: its path.
    """

    def __init__(self, restored: Restored):
        self.agent, self.checkpoint = restored.agent, restored.path
        self.agent.eval_mode = True
        self._in_episode, self._game = False, task()
        # Its functions look their settings up when they are traced, which is later.
        self._gin = gin_state.current()
        # Where there are none, nothing is traced.
        self._q_values: Callable[..., Any] | None = None
        if hasattr(self.agent, "_q_values"):
            self._q_values = compiled(
                jax.vmap(
                    lambda params, state: self.agent._q_values(
                        params, self.agent.preprocess_fn(state)
                    ),
                    in_axes=(None, 0),
                )
            )

    def __repr__(self) -> str:
        """The agent's kind, what it plays, and where it stood in which run."""
        directory = self.checkpoint.parent
        base_dir = directory.parent if directory.name == "checkpoints" else directory
        return (
            f"LoadedAgent({type(self.agent).__name__}, game={self._game}, "
            f"gradient_step={self.agent.gradient_step:_}, base_dir={str(base_dir)!r})"
        )

    @property
    def parameters(self) -> Params:
        """The network's parameters."""
        return self.agent.online_params

    def new_episode(self) -> None:
        """Forget the observations so far: the next one begins an episode."""
        self._in_episode = False

    def act(self, observation: Any) -> Any:
        """The action for an environment's next observation, as in an evaluation.

        Observations are stacked here. With probability `epsilon_eval` the action of an
        agent of discrete ones is random; PPO draws its actions.

        Args:
            observation: such as [84, 84, 1] of an Atari game.

        Returns:
            An action's number, or a vector [A].
        """
        with gin_state.kept(self._gin):
            if self._in_episode:
                return self.agent.step(0.0, observation)
            self._in_episode = True
            return self.agent.begin_episode(observation)

    def q_values(self, states: Any) -> np.ndarray:
        """Q-values [B, num_actions] of states.

        Raises:
            UserError: the agent has no value of each action, or the states do not fit.
        """
        states = self._checked(states)
        if self._q_values is None:
            raise UserError(
                "q_values needs an agent with a value of each action, such as DQN, but "
                f"this is a {type(self.agent).__name__}. Ask for its activations."
            )
        with gin_state.kept(self._gin):
            return np.asarray(self._q_values(self.parameters, states))

    def activations(self, states: Any) -> dict[str, np.ndarray]:
        """Each layer's outputs [B, ..., neurons] on states, by the layer's name.

        Raises:
            UserError: the states do not fit.
        """
        states, tracking = self._checked(states), self.agent._plasticity.tracking
        with gin_state.kept(self._gin):
            batch = {"state": self.agent.preprocess_fn(states)}
            return jax.device_get(tracking.activations(self.parameters, batch))

    def _checked(self, states: Any) -> np.ndarray:
        expected = (*self.agent.observation_shape, self.agent.stack_size)
        states = np.asarray(states, self.agent.observation_dtype)
        if states.ndim == 0 or states.shape[1:] != expected or not len(states):
            sizes = ", ".join(map(str, expected))
            raise UserError(
                f"states must be of shape [B, {sizes}] with B >= 1, but are "
                f"{list(states.shape)}. The stacked observations come last."
            )
        return states


class RecentDormancy:
    """The dormant share of each layer on the last 64 states that an agent saw.

    The score of neuron i in a layer is E|h_i| / mean_k E|h_k|; the expectation is over
    those states. It is dormant where that is at most tau.

    Args:
        loaded: the agent.
        tau: the threshold.
    """

    def __init__(self, loaded: LoadedAgent, tau: float):
        self._loaded, self.tau = loaded, tau
        self._recent = collections.deque[Mapping[str, np.ndarray]](maxlen=_RECENT)

    def look(self) -> dict[str, float]:
        """Add the agent's current state; the share in [0, 1] by layer."""
        found = self._loaded.activations(self._loaded.agent.state[None])
        # Of each state E|h| is enough: the states of a layer have equal numbers of h.
        self._recent.append(
            {
                layer: np.abs(h).mean(axis=tuple(range(h.ndim - 1)))
                for layer, h in found.items()
            }
        )
        # Their mean, of one shape: nothing is compiled again as states are added.
        recent = {k: sum(x[k] for x in self._recent) / len(self._recent) for k in found}
        scores = {k: dormancy_score(jnp.asarray(h)[None]) for k, h in recent.items()}
        return {k: float((score <= self.tau).mean()) for k, score in scores.items()}


def load(run: str | Path, trust_modules: Sequence[str] = ()) -> LoadedAgent:
    """The agent of a run's checkpoint, without its replay buffer.

    Args:
        run: a run's directory, for its newest checkpoint, or a checkpoint's file.
        trust_modules: modules of the user's own that the run's settings name.

    Raises:
        UserError: there is no checkpoint, or it cannot be loaded.
    """
    return LoadedAgent(
        restore(find_checkpoint(run), replay=False, trust_modules=trust_modules)
    )
