"""The network of SAC."""

import math
from collections import namedtuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import glorot_uniform

from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.networks.layers import scale_width
from redo_dopamine.networks.mlp import ActorCritic, ActorCriticOutput, Hidden

# Dopamine's agent reads these fields.
SACActorOutput = namedtuple(
    "SACActorOutput", ["mean_action", "sampled_action", "log_probability"]
)
SACCriticOutput = namedtuple("SACCriticOutput", ["q_value1", "q_value2"])


class SACNetwork(ActorCritic):
    """A policy and two Q-networks (Haarnoja et al., 2018), apart from each other.

    Equal at width 1 to Dopamine's `ActorCriticNetwork`, parameter names included.
    """

    def setup(self) -> None:
        """Name the networks as Dopamine does; the names are the parameters'."""
        sizes = self.num_layers, scale_width(self.hidden_units, self.width)
        inits = glorot_uniform(), glorot_uniform()
        num_actions = math.prod(self.action_shape)
        self._actor = Hidden(2 * num_actions, *sizes, *inits)
        self._critic1 = Hidden(1, *sizes, *inits)
        self._critic2 = Hidden(1, *sizes, *inits)

    def __call__(
        self,
        state: jax.Array,
        key: jax.Array | None = None,
        mean_action: bool = True,
    ) -> ActorCriticOutput:
        """What the networks say of one state and the policy's mean or drawn action."""
        actor = self.actor(state, key)
        action = actor.mean_action if mean_action else actor.sampled_action
        return ActorCriticOutput(actor, self.critic(state, action))

    def judge(
        self, state: jax.Array, action: jax.Array | None = None
    ) -> ActorCriticOutput:
        """What the networks say of one state and action, by default the policy's."""
        actor = self.actor(state)
        chosen = actor.mean_action if action is None else action
        return ActorCriticOutput(actor, self.critic(state, chosen))

    def actor(self, state: jax.Array, key: jax.Array | None = None) -> SACActorOutput:
        """The mean action of one state, one drawn, and the log density [] of that.

        Args:
            state: one state, of any shape.
            key: draws the action; without it, the drawn action is the mean one.
        """
        outputs = self._actor(state, self.activate_as("actor"))
        policy = self.policy_of(outputs)
        u = policy.mean if key is None else policy.draw(key)
        return SACActorOutput(
            policy.to_action(policy.mean).reshape(self.action_shape),
            policy.to_action(u).reshape(self.action_shape),
            policy.log_probability(u),
        )

    def critic(self, state: jax.Array, action: jax.Array) -> SACCriticOutput:
        """The two Q-values, [1] each, of one state and action."""
        x = jnp.concatenate([state.astype(jnp.float32).reshape(-1), action.reshape(-1)])
        return SACCriticOutput(
            self._critic1(x, self.activate_as("critic1")),
            self._critic2(x, self.activate_as("critic2")),
        )

    def graph(self) -> NetworkGraph:
        """The hidden layers: `actor/Dense_0`, ..., `critic1/Dense_0`, ..."""
        modules = {"actor": "_actor", "critic1": "_critic1", "critic2": "_critic2"}
        return self.graph_of(modules)
