"""What the Q-values of a fixed data set's actions are regressed to.

What comes in: how to apply a network. What leaves: a target network's start, what a
synchronisation makes of it, and the targets of a batch: three pure functions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.agents import losses
from redo_dopamine.agents.learner import Batch, TargetsFn
from redo_dopamine.core.graph import Params


class Critic(NamedTuple):
    """What targets are made with.

    Attributes:
        apply: `network.apply` of a network that takes one state.
        cumulative_gamma: the discount to the power of n.
        bootstrap: what the next state is worth.
    """

    apply: Callable[..., Any]
    cumulative_gamma: float
    bootstrap: losses.Bootstrap = losses.largest_target_value


class Targets(NamedTuple):
    """A regression's targets, by way of a target network.

    Attributes:
        start: the target network's parameters at first, of `(online, other)`: the
            online network's, and others drawn apart from them.
        follow: those after a synchronisation, of `(target_params, online_params)`.
        values: targets [B] of `(params, target_params, batch)`.
    """

    start: Callable[[Params, Params], Params]
    follow: Callable[[Params, Params], Params]
    values: TargetsFn


TargetsFactory = Callable[[Critic], Targets]


def td_targets(critic: Critic) -> Targets:
    r"""DQN's targets, which move as it learns: a reward, and the value that follows.

    .. math:: r + \gamma^n (1 - d) \, \max_{a'} Q_{target}(s', a')

    with a target network that is the online one of the last synchronisation (Mnih et
    al., 2015); or of double DQN, where `RecycledDQNAgent.bootstrap` says so.

    Args:
        critic: the network.
    """
    return Targets(
        start=lambda online, other: online,
        follow=lambda target, online: jax.tree.map(jnp.copy, online),
        values=losses.bootstrapped(*critic),
    )


def random_targets(critic: Critic, scale: float = 100.0) -> Targets:
    r"""Targets that are random and never change: what a frozen random network says.

    .. math:: c \; Q_{random}(s, a)

    with a network of the same architecture, drawn once from the run's seed, apart from
    the online one. It stands in the place of the target network, no synchronisation
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
        return scale * losses.action_values(critic.apply, target_params, batch)

    return Targets(
        start=lambda online, other: other,
        follow=lambda target, online: target,
        values=values,
    )
