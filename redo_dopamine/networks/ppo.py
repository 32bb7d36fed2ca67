"""The network of PPO for continuous control."""

import math
from collections import namedtuple

import flax.linen as nn
import jax
from jax.nn.initializers import orthogonal

from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.networks.layers import Activation, scale_width
from redo_dopamine.networks.mlp import (
    ActorCritic,
    ActorCriticOutput,
    Hidden,
    HiddenWithStd,
)

# Dopamine's agent reads these fields.
PPOActorOutput = namedtuple(
    "PPOActorOutput", ["sampled_action", "log_probability", "entropy"]
)
PPOCriticOutput = namedtuple("PPOCriticOutput", ["q_value"])


class PPONetwork(ActorCritic):
    """A policy and a value network (Schulman et al., 2017), apart from each other.

    Equal at width 1 to Dopamine's `PPOActorCriticNetwork`, parameter names
    included.
    """

    hidden_units: int = 64
    activation: Activation = nn.tanh

    def setup(self) -> None:
        """Name the networks as Dopamine does; the names are the parameters'."""
        sizes = self.num_layers, scale_width(self.hidden_units, self.width)
        hidden_init = orthogonal(math.sqrt(2))
        num_actions = math.prod(self.action_shape)
        self._actor = HiddenWithStd(num_actions, *sizes, hidden_init, orthogonal(0.1))
        self._critic = Hidden(1, *sizes, hidden_init, orthogonal(1.0))

    def __call__(
        self, state: jax.Array, key: jax.Array | None = None
    ) -> ActorCriticOutput:
        """What both networks say of one state; a random action if given a key."""
        return ActorCriticOutput(self.actor(state, key), self.critic(state))

    def actor(
        self,
        state: jax.Array,
        key: jax.Array | None = None,
        action: jax.Array | None = None,
    ) -> PPOActorOutput:
        """An action of one state, its log density [] and the policy's entropy [].

        Args:
            state: one state, of any shape.
            key: draws the action; without it, and without `action`, the action is
                that of the policy's mean.
            action: the action to use.
        """
        outputs = self._actor(state, self.activate_as("policy"))
        policy = self.policy_of(outputs)
        if action is not None:
            u = policy.from_action(action.reshape(-1))
        else:
            u = policy.mean if key is None else policy.draw(key)
            action = policy.to_action(u)
        return PPOActorOutput(
            action.reshape(self.action_shape),
            policy.log_probability(u),
            policy.entropy(),
        )

    def critic(self, state: jax.Array) -> PPOCriticOutput:
        """The value [1] of one state."""
        return PPOCriticOutput(self._critic(state, self.activate_as("value")))

    def graph(self) -> NetworkGraph:
        """The hidden layers: `policy/Dense_0`, ..., `value/Dense_0`, ..."""
        return self.graph_of({"policy": "_actor", "value": "_critic"})


class ValueNetwork(ActorCritic):
    """The value network of `PPONetwork` by itself, with the names it has there.

    So that what an agent has learned can be taught something else.
    """

    action_shape: tuple[int, ...] = ()  # It has no part in this one.
    hidden_units: int = 64
    activation: Activation = nn.tanh

    def setup(self) -> None:
        """Name the network as it is named in the whole."""
        sizes = self.num_layers, scale_width(self.hidden_units, self.width)
        self._critic = Hidden(1, *sizes, orthogonal(math.sqrt(2)), orthogonal(1.0))

    def __call__(self, state: jax.Array) -> jax.Array:
        """The value [] of one state."""
        return self._critic(state, self.activate_as("value"))[0]

    def graph(self, input_shape: tuple[int, ...] = ()) -> NetworkGraph:
        """The hidden layers: `value/Dense_0`, ... The input's shape is no matter."""
        del input_shape
        return self.graph_of({"value": "_critic"})
