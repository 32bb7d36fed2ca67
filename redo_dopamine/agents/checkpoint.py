"""The half of an agent that outlives a process.

What comes in: an agent, and bundles of arrays. What leaves: a bundle of all that the
next steps depend on, and the agent as it was from one.
"""

import collections
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.graph import Params
from redo_dopamine.plasticity.plasticity import Plasticity
from redo_dopamine.replay.buffer import FrameReplay

_STATES_KEPT = 4  # One more than `resuming` keeps checkpoints.
_DATA_ORDER = 6  # A random stream, apart from the others.


class SavedAgent:
    """Bundles, for an agent with the attributes below."""

    # Trees of parameters and optimizer state, and their names in a bundle.
    TREES: Mapping[str, str] = {
        "online_params": "online_params",
        "target_network_params": "target_params",
        "optimizer_state": "optimizer_state",
    }

    training_steps: int
    gradient_step: int
    online_params: Params
    target_network_params: Any
    recent_losses: collections.deque[tuple[int, jax.Array]]
    optimizer: optax.GradientTransformation
    optimizer_state: optax.OptState
    _plasticity: Plasticity
    _rng: jax.Array
    _seed: int
    # What acting depends on besides parameters and steps, as arrays by name.
    actor_state: Callable[[], dict[str, Any]]
    set_actor_state: Callable[[Mapping[str, Any]], None]

    @property
    def seed(self) -> int:
        """What every random stream of a run is derived from."""
        return self._seed

    def state_tree(self) -> dict[str, Any]:
        """All that a checkpoint must hold but the replay buffer, as numpy arrays.

        A snapshot on the host: the next update does not touch it. It has Dopamine's
        names, and what Dopamine leaves out: clocks and random streams.
        """
        tree = {
            "training_steps": self.training_steps,
            "gradient_step": self.gradient_step,
            "seed": self.seed,
            "short_memory": self.actor_state(),
            "plasticity": self._plasticity.state_dict(),
            **{key: getattr(self, name) for name, key in self.TREES.items()},
        }
        return jax.tree.map(np.array, tree)

    def bundle_and_checkpoint(
        self, checkpoint_dir: str, iteration_number: int
    ) -> dict[str, Any]:
        """What there is to save."""
        del checkpoint_dir, iteration_number
        return self.state_tree()

    def unbundle(
        self,
        checkpoint_dir: str,
        iteration_number: int,
        bundle_dictionary: dict[str, Any] | None,
    ) -> bool:
        """Take up a bundle; False if there is none.

        Raises:
            ValueError: it is of another agent; the agent is then as it was.
        """
        del checkpoint_dir, iteration_number
        if bundle_dictionary is None:
            return False
        self._plasticity.load_state_dict(bundle_dictionary["plasticity"])
        self.recent_losses.clear()
        self.training_steps = int(bundle_dictionary["training_steps"])
        self.gradient_step = int(bundle_dictionary["gradient_step"])
        self._seed = int(bundle_dictionary["seed"])
        self.set_actor_state(bundle_dictionary["short_memory"])
        for name, key in self.TREES.items():
            setattr(self, name, jax.tree.map(jnp.array, bundle_dictionary[key]))
        return True

    def start_from(self, params: Any, target_params: Any, opt_state: Any) -> None:
        """Begin with other parameters than those drawn; for an agent that is new.

        Args:
            params: of the network.
            target_params: of the target network.
            opt_state: None for a new one.
        """
        self.online_params = jax.tree.map(jnp.array, params)
        self.target_network_params = jax.tree.map(jnp.array, target_params)
        self.optimizer_state = (
            self.optimizer.init(self.online_params)
            if opt_state is None
            else jax.tree.map(jnp.array, opt_state)
        )
        self._plasticity.begin_with(self.online_params)

    def change_data_order(self, number: int) -> None:
        """Go on with other random numbers.

        Args:
            number: another one, another order; the same one, the same.
        """
        self._rng = jax.random.fold_in(self._rng, number)


class SavedReplayAgent(SavedAgent):
    """Has a replay buffer, and keeps it beside the agent's bundles."""

    # Set by Dopamine's constructor.
    stack_size: int
    update_horizon: int
    gamma: float
    _replay: Any

    def _build_replay_buffer(self) -> Any:
        """In the place of Dopamine's."""
        replay = FrameReplay(
            stack_size=self.stack_size,
            update_horizon=self.update_horizon,
            gamma=self.gamma,
            seed=self._seed,
        )
        steps, batch = self.stack_size + self.update_horizon, replay._batch_size
        if replay._max_capacity < max(steps, batch):
            raise ValueError(
                f"max_capacity must be at least the {steps:g} steps of a transition "
                f"(stack_size + update_horizon) and a batch of {batch:g}, but is "
                f"{replay._max_capacity}. The papers use 1_000_000."
            )
        return replay

    def bundle_and_checkpoint(
        self, checkpoint_dir: str, iteration_number: int
    ) -> dict[str, Any]:
        """Save the replay buffer; returns what else there is to save."""
        # Its states go before the checkpoints do that need them, so one more stays.
        self._replay._checkpoint_duration = max(
            self._replay._checkpoint_duration, _STATES_KEPT
        )
        self._replay.save(checkpoint_dir, iteration_number)
        return super().bundle_and_checkpoint(checkpoint_dir, iteration_number)

    def unbundle(
        self,
        checkpoint_dir: str,
        iteration_number: int,
        bundle_dictionary: dict[str, Any] | None,
    ) -> bool:
        """Take up a bundle; False if it or its replay buffer is gone.

        Raises:
            ValueError: the replay buffer is damaged, or the bundle is of another
                agent; the agent is then as it was.
        """
        if bundle_dictionary is None:
            return False
        try:
            self._replay.load(checkpoint_dir, iteration_number)
        except FileNotFoundError:
            return False
        return super().unbundle(checkpoint_dir, iteration_number, bundle_dictionary)

    def change_data_order(self, number: int) -> None:
        """Go on with other random numbers for actions and batches.

        Args:
            number: another one, another order; the same one, the same.
        """
        super().change_data_order(number)
        stream = [self._seed, _DATA_ORDER, self.gradient_step, number]
        self._replay._rng = np.random.default_rng(stream)
