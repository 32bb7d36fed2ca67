"""DQN that learns from a fixed data set, without an environment."""

from collections.abc import Callable
from typing import Any

import gin
import jax

from redo_dopamine.agents import losses
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.learner import Batch, Loss
from redo_dopamine.agents.targets import Critic, Targets, TargetsFactory, td_targets
from redo_dopamine.core.calling import SettingError, call, shown
from redo_dopamine.core.graph import Params
from redo_dopamine.core.threefry import unrolled

# Sets the draw of random targets apart from the other random streams.
_TARGETS = 6


@gin.configurable
class OfflineDQNAgent(RecycledDQNAgent):
    """DQN on a fixed data set, with its moving targets or with fixed random ones.

    A train step is a batch of the data, not a step of a game, so `replay_ratio` is
    gradient updates per train step. All else, tracking and interventions too, is as
    for `RecycledDQNAgent`, under whose name it is bound. It plays in evaluation only.

    Args:
        num_actions: number of actions of the game.
        data: called with `stack_size`, `update_horizon`, `gamma` and `seed`; returns
            a filled replay buffer, such as `replay_logs`.
        targets: what Q-values are regressed to: `td_targets` or `random_targets`.
        **settings: of `RecycledDQNAgent`. `min_replay_history` has no effect.

    Raises:
        ValueError: data of observations or actions that are not the game's.
    """

    def __init__(
        self,
        num_actions: int,
        *,
        data: Callable[..., Any],
        targets: TargetsFactory = td_targets,
        **settings: Any,
    ):
        self._data = data
        self._build_targets = targets
        super().__init__(num_actions, **settings)
        self.min_replay_history = 0  # All data are there from the start.

    def train_step(self) -> None:
        """Learn from the next batches, as often as the replay ratio says."""
        self._train_step()

    # What an agent says of itself.

    def _loss(self) -> Loss:
        elementwise = losses.elementwise_loss(self._loss_type)
        return losses.regression(self._apply, elementwise, self._values)

    def _values(self, params: Params, target_params: Params, batch: Batch) -> jax.Array:
        return call(
            "targets",
            self._targets.values,
            *(params, target_params, batch),
            of="a critic that gives Targets, whose values are [B]",
            shape=batch["reward"].shape,
            named=self._build_targets,
        )

    # Dopamine's seams.

    def _build_replay_buffer(self) -> Any:
        replay = self._data(
            stack_size=self.stack_size,
            update_horizon=self.update_horizon,
            gamma=self.gamma,
            seed=self._seed,
        )
        if tuple(replay.observation_shape) != self.observation_shape:
            raise ValueError(
                f"The data must be of observations {self.observation_shape}, but are "
                f"of {tuple(replay.observation_shape)}. Bind "
                "JaxDQNAgent.observation_shape, or give other data."
            )
        if replay.num_actions > self.num_actions:
            place = getattr(replay, "largest_action_place", "")
            raise ValueError(
                f"The data must be of the game's {self.num_actions} actions, but have "
                f"action {replay.num_actions - 1}{place and f' in {place}'}. Check "
                "that they are of this game."
            )
        return replay

    def _build_networks_and_optimizer(self) -> None:
        self._critic = Critic(self._apply, self.cumulative_gamma, self._bootstrap)
        self._targets = call(
            "targets",
            self._build_targets,
            self._critic,
            of="a critic that gives Targets",
        )
        if not isinstance(self._targets, Targets):
            raise SettingError(
                "targets must be a function of a critic that gives Targets, but "
                f"{shown(self._build_targets)} gives a "
                f"{type(self._targets).__name__}. Use @td_targets."
            )
        super()._build_networks_and_optimizer()
        state = self.preprocess_fn(self.state)
        draw = jax.jit(lambda key: self._draw_params(unrolled(key), state))
        # Apart from the agent's own stream, so that arms share parameters and data.
        key = jax.random.fold_in(jax.random.PRNGKey(self._seed), _TARGETS)
        self.target_network_params = self._targets.start(
            self.target_network_params, draw(key)
        )
        self._copy_over = jax.jit(
            self._targets.follow, donate_argnums=0, keep_unused=True
        )
