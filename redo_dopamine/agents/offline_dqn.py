"""Learn Q-values from a fixed data set, without an environment."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gin
import jax
import jax.numpy as jnp

from redo_dopamine.agents import dqn_loss
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.checks import SettingError, call, shown
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import unrolled
from redo_dopamine.plasticity.learner import Batch, Loss, TargetsFn


class Critic(NamedTuple):
    """What targets are made with.

    Attributes:
        apply: `network.apply` of a network that takes one state.
        cumulative_gamma: the discount to the power of n.
        bootstrap: what the next state is worth.
    """

    apply: Callable[..., Any]
    cumulative_gamma: float
    bootstrap: dqn_loss.Bootstrap = dqn_loss.largest_target_value


class Targets(NamedTuple):
    """A regression's targets, by way of a target network.

    Attributes:
        start: the target network's parameters at first, of `(online, other)`: the
            online network's, and others drawn apart from them.
        follow: those after a synchronization, of `(target_params, online_params)`.
        values: targets [B] of `(params, target_params, batch)`.
    """

    start: Callable[[Params, Params], Params]
    follow: Callable[[Params, Params], Params]
    values: TargetsFn


TargetsFactory = Callable[[Critic], Targets]


def td_targets(critic: Critic) -> Targets:
    r"""DQN's targets, which move as it learns: a reward, and the value that follows.

    .. math:: r + \gamma^n (1 - d) \, \max_{a'} Q_{target}(s', a')

    with a target network that is the online one of the last synchronization (Mnih et
    al., 2015); or of double DQN, where `RecycledDQNAgent.bootstrap` says so.

    Args:
        critic: the network.
    """
    return Targets(
        start=lambda online, other: online,
        follow=lambda target, online: jax.tree.map(jnp.copy, online),
        values=dqn_loss.bootstrapped(*critic),
    )


def random_targets(critic: Critic, scale: float = 100.0) -> Targets:
    r"""Targets that are random and never change: what a frozen random network says.

    .. math:: c \; Q_{random}(s, a)

    with a network of the same architecture, drawn once from the run's seed, apart from
    the online one. It stands in the place of the target network, no synchronization
    changes it, and checkpoints keep it. So the target of a transition is a fixed
    function of its state and action; reward, next state and terminal play no part.
    Sokar et al., ICML 2023, say no more of theirs than that targets are random and
    fixed: the frozen network is our choice, and so is its scale. On DemonAttack the
    outputs of a new Nature network vary by about 0.01 from state to state, which makes
    them next to constant; times 100 they vary as much as clipped rewards do.

    Args:
        critic: the network.
        scale: factor c on the network's outputs.
    """

    def values(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        del params
        return scale * dqn_loss.action_values(critic.apply, target_params, batch)

    return Targets(
        start=lambda online, other: other,
        follow=lambda target, online: target,
        values=values,
    )


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

    OWN_SETTINGS = (*RecycledDQNAgent.OWN_SETTINGS, "data", "targets")

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

    def _loss(self) -> Loss:
        elementwise = dqn_loss.elementwise_loss(self._loss_type)
        return dqn_loss.regression(self._apply, elementwise, self._values)

    def _values(self, params: Params, target_params: Params, batch: Batch) -> jax.Array:
        return call(
            "targets",
            self._targets.values,
            *(params, target_params, batch),
            of="a critic that gives Targets, whose values are [B]",
            shape=batch["reward"].shape,
            named=self._build_targets,
        )

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

    def _build(self) -> None:
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
        super()._build()
        state = self.preprocess_fn(self.state)
        draw = jax.jit(lambda key: self._draw_params(unrolled(key), state))
        # Apart from the agent's own stream, so that arms share parameters and data.
        key = jax.random.fold_in(jax.random.PRNGKey(self._seed), _TARGETS)
        self.target_network_params = self._targets.start(
            self.target_network_params, draw(key)
        )
        self._hard_update = jax.jit(
            self._targets.follow, donate_argnums=0, keep_unused=True
        )
