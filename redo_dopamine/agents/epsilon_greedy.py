"""Act epsilon-greedily and store transitions, in less time than Dopamine's DQN does.

The random numbers are those that Dopamine's agent draws, in its order.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.jax.replay_memory import elements

from redo_dopamine.core.checks import call
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity import rehearsal

_EPSILONS_AT_ONCE = 1024


class Epsilons:
    """Look epsilon up by training step, in a table of many steps.

    Args:
        epsilon_fn: Dopamine's schedule of `(decay_period, step, warmup_steps,
            epsilon)`, which must be traceable, as for Dopamine.
        decay_period: agent steps.
        warmup_steps: agent steps.
        epsilon: the final value.
    """

    def __init__(
        self,
        epsilon_fn: Callable[..., Any],
        decay_period: int,
        warmup_steps: int,
        epsilon: float,
    ):
        self._of_steps = jax.jit(
            jax.vmap(lambda step: epsilon_fn(decay_period, step, warmup_steps, epsilon))
        )
        self._epsilon_fn = epsilon_fn
        self._first = 0
        self._table = np.zeros(0, np.float32)

    def rehearse(self) -> None:
        """Trace the schedule.

        Raises:
            ValueError: it gives no number for a step.
        """
        call(
            "epsilon_fn",
            lambda steps: jax.eval_shape(self._of_steps, steps),
            np.zeros(_EPSILONS_AT_ONCE, np.int32),
            of="(decay_period, step, warmup_steps, epsilon) that gives a number",
            shape=(_EPSILONS_AT_ONCE,),
            named=self._epsilon_fn,
        )

    def __call__(self, step: int) -> np.float32:
        """Epsilon at a training step."""
        if not 0 <= step - self._first < len(self._table):
            self._first = step
            steps = np.arange(step, step + _EPSILONS_AT_ONCE, dtype=np.int32)
            self._table = np.asarray(self._of_steps(steps), np.float32)
        return self._table[step - self._first]


class EpsilonGreedyAgent(dqn_agent.JaxDQNAgent):
    """Act and remember as `JaxDQNAgent` does, in less time and memory.

    Observations stay bytes; the device is asked for an action only where the action
    is a greedy one; every observation is stored once (`FrameReplay`).

    Args:
        *arguments: of the Dopamine agent.
        **settings: of the Dopamine agent.
    """

    # Set by Dopamine's constructor.
    online_params: Params
    _rng: jax.Array
    _seed: int

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        self._epsilon = Epsilons(
            self.epsilon_fn,
            self.epsilon_decay_period,
            self.min_replay_history,
            self.epsilon_train,
        )
        self._draw = compiled(self._draw_action)
        self._greedy = jax.jit(self._greedy_action)  # One state: the default is faster.
        self._greedy_batch = compiled(
            jax.vmap(self._greedy_action, in_axes=(None, 0, None))
        )

    # What an agent says of itself.

    def _apply(self, params: Params, state: jax.Array, **settings: Any) -> Any:
        """The network's output for one state, as it enters the network."""
        return self.network_def.apply(params, state, **settings)

    def _q_values(
        self, params: Params, state: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        """Q-values [num_actions] of one state, as it enters the network."""
        noise = {} if key is None else {"key": key}
        return self._apply(params, state, **noise).q_values

    @property
    def _acting_params(self) -> Params:
        """Those of the network that chooses actions."""
        return self.online_params

    def _draw_action(self, rng: jax.Array) -> tuple[jax.Array, ...]:
        """What it takes to act, drawn at random.

        Returns:
            The next key, a number in [0, 1) to compare with epsilon, an action, and a
            key for the network.
        """
        rng, chance_key, action_key = jax.random.split(rng, 3)
        action = jax.random.randint(action_key, (), 0, self.num_actions)
        return rng, jax.random.uniform(chance_key), action, action_key

    def _noise_key(self, key: jax.Array) -> jax.Array | None:
        """What the network's own randomness is drawn from; None, as here, for none."""
        del key
        return None

    # Observations.

    @property
    def state(self) -> np.ndarray:
        """The last observations [..., stack]: a view, which the next ones change."""
        return np.moveaxis(self._frames, 0, -1)

    @state.setter
    def state(self, state: np.ndarray) -> None:
        # Observations come first in memory: so a new one moves the others at once.
        self._frames = np.array(np.moveaxis(state, -1, 0), self.observation_dtype)

    def _reset_state(self) -> None:
        self._frames.fill(0)

    def _record_observation(self, observation: np.ndarray) -> None:
        self._observation = np.reshape(observation, self.observation_shape)
        self._frames[:-1] = self._frames[1:]
        self._frames[-1] = self._observation

    # Actions.

    def begin_episode(self, observation: np.ndarray) -> np.ndarray:
        """The first action of an episode, after a train step."""
        self._reset_state()
        self._record_observation(observation)
        return self._train_and_act()

    def step(self, reward: float, observation: np.ndarray) -> np.ndarray:
        """Store a transition; the next action, after a train step."""
        self._last_observation = self._observation
        self._record_observation(observation)
        self._store_transition(self._last_observation, self.action, reward, False)
        return self._train_and_act()

    def _train_and_act(self) -> np.ndarray:
        if self.eval_mode:
            epsilon = np.float32(self.epsilon_eval)
        else:
            self._train_step()
            epsilon = self._epsilon(self.training_steps)
        self._rng, chance, action, key = self._draw(self._rng)
        if np.asarray(chance) > epsilon:
            noise = self._noise_key(key)
            action = self._greedy(self._acting_params, self._frames, noise)
        self.action = np.asarray(action, np.int32)
        return self.action

    def _greedy_action(
        self, params: Params, frames: jax.Array, key: jax.Array | None
    ) -> jax.Array:
        state = self.preprocess_fn(jnp.moveaxis(frames, 0, -1))
        return jnp.argmax(self._q_values(params, state, key))

    def greedy_actions(self, states: np.ndarray) -> np.ndarray:
        """Greedy actions [B] for observation stacks [B, ..., stack], in one call.

        Training does not notice it: what is random in a network is drawn apart.
        """
        frames = np.moveaxis(states, -1, 1)
        noise = self._noise_key(self._rng)
        return np.asarray(self._greedy_batch(self._acting_params, frames, noise))

    def _rehearse_acting(self) -> None:
        """Trace acting.

        Raises:
            ValueError: a function of the wrong kind among the settings.
        """
        self._epsilon.rehearse()
        with rehearsal.of("network", "give a value for each action of one state"):
            frames = np.empty((self.stack_size, *self.observation_shape))
            state = self.preprocess_fn(np.moveaxis(frames, 0, -1))
            # The frames are not initialized: they are traced, not computed with.
            shape = jax.eval_shape(self._q_values, self.online_params, state).shape
            if shape != (self.num_actions,):
                raise ValueError(f"q_values are of shape {shape}")

    def actor_state(self) -> dict[str, Any]:
        """What acting depends on besides parameters and steps, as arrays."""
        action = getattr(self, "action", np.int32(0))  # None before an episode.
        return {"rng": self._rng, "frames": self._frames.copy(), "action": action}

    def set_actor_state(self, memory: Mapping[str, Any]) -> None:
        """Go on from an `actor_state`."""
        self._rng = jnp.asarray(memory["rng"])
        self._frames[:] = memory["frames"]
        self._observation = self._frames[-1].copy()
        self.action = np.asarray(memory["action"])

    # Memory.

    def _store_transition(
        self,
        last_observation: np.ndarray,
        action: np.ndarray,
        reward: float,
        is_terminal: bool,
        *args: Any,
        priority: float | None = None,
        episode_end: bool = False,
    ) -> None:
        del args, priority
        if not self.eval_mode:
            self._replay.add(
                elements.TransitionElement(
                    last_observation, action, reward, is_terminal, episode_end
                )
            )
