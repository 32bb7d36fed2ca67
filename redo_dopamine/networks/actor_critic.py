"""The networks of PPO and SAC for continuous control, and their graphs.

A policy and its value networks are one module with one parameter tree and one
graph, as in Dopamine. The layers of each have its name in front
(`policy/Dense_0`, `value/Dense_1`), so that what is measured is told apart.
"""

import math
from collections import namedtuple
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer, glorot_uniform, orthogonal, zeros

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.networks.layers import (
    ActionLimits,
    Activation,
    Gaussian,
    MakeNormalization,
    Nonlinearity,
    kernel,
    scale_width,
)

# Dopamine's agents read these fields of what a network returns.
ActorCriticOutput = namedtuple("ActorCriticOutput", ["actor", "critic"])

# Outputs of a layer, from its name and its pre-activations [N].
Activate = Callable[[str, jax.Array], jax.Array]


def identity(x: jax.Array) -> jax.Array:
    """The activation function of a network without one: a linear network."""
    return x


class Hidden(nn.Module):
    """A stack of dense layers and the linear head that reads the last.

    Attributes:
        num_outputs: outputs of the head.
        num_layers: hidden layers, at least 1.
        num_neurons: neurons of each.
        kernel_init: initializer of the hidden layers.
        head_init: initializer of the head.
    """

    num_outputs: int
    num_layers: int
    num_neurons: int
    kernel_init: Initializer
    head_init: Initializer

    @nn.compact
    def __call__(self, x: jax.Array, activate: Activate) -> jax.Array:
        """Outputs [num_outputs] of one input, flattened."""
        x = hidden_layers(self, x, activate)
        return nn.Dense(self.num_outputs, kernel_init=self.head_init)(x)


class HiddenWithStd(Hidden):
    """A `Hidden` of means, and log standard deviations that no input changes."""

    @nn.compact
    def __call__(self, x: jax.Array, activate: Activate) -> jax.Array:
        """Means and log standard deviations [2 num_outputs] of one input."""
        x = hidden_layers(self, x, activate)
        mean = nn.Dense(self.num_outputs, kernel_init=self.head_init)(x)
        # As in Dopamine, a dense layer of ones: it reads no neuron.
        log_std = nn.Dense(self.num_outputs, kernel_init=zeros)(jnp.ones_like(x))
        return jnp.concatenate([mean, log_std])


def hidden_layers(module: Hidden, x: jax.Array, activate: Activate) -> jax.Array:
    """What the head reads. Call it inside a compact method of the module."""
    x = x.astype(jnp.float32).reshape(-1)
    for i in range(module.num_layers):
        x = nn.Dense(module.num_neurons, kernel_init=module.kernel_init)(x)
        x = activate(f"Dense_{i}", x)
    return x


class ActorCritic(nn.Module):
    """A policy and its value networks; the base of those of PPO and SAC.

    Attributes:
        action_shape: shape of an action.
        num_layers: hidden layers of each network, at least 1.
        hidden_units: neurons of each hidden layer at width 1.
        action_limits: lowest and highest action, or None.
        activation: the activation function of every layer (`layers.Nonlinearity`);
            `identity` for none.
        width: factor on every layer's neurons, rounded up.
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    action_shape: tuple[int, ...]
    num_layers: int = 2
    hidden_units: int = 256
    action_limits: ActionLimits | None = None
    activation: Activation = nn.relu
    width: float = 1
    normalize: MakeNormalization | None = None

    def policy_of(self, outputs: jax.Array) -> Gaussian:
        """The policy of means and log standard deviations [2 A]."""
        mean, log_std = jnp.split(outputs, 2)
        return Gaussian(mean, jnp.exp(log_std), self.action_limits)

    def activate_as(self, network: str) -> Activate:
        """Activates and records under the network's name, not its parameters' name."""
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        return lambda layer, x: nonlinearity(self, f"{network}/{layer}", x)

    def graph_of(self, networks: dict[str, str]) -> NetworkGraph:
        """The hidden layers of networks, from names to modules of the parameters."""
        copies = Nonlinearity(self.activation).copies
        return NetworkGraph(
            tuple(
                Layer(
                    f"{name}/Dense_{i}",
                    kernel(module, f"Dense_{i}"),
                    ("params", module, f"Dense_{i}", "bias"),
                    (Edge(kernel(module, f"Dense_{i + 1}"), copies),),
                )
                for name, module in networks.items()
                for i in range(self.num_layers)
            ),
            heads=tuple(
                kernel(module, f"Dense_{self.num_layers}")
                for module in networks.values()
            ),
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


# Dopamine's agent reads these fields.
SACActorOutput = namedtuple(
    "SACActorOutput", ["mean_action", "sampled_action", "log_probability"]
)
SACCriticOutput = namedtuple("SACCriticOutput", ["q_value1", "q_value2"])


class SACNetwork(ActorCritic):
    """A policy and two Q-networks (Haarnoja et al., 2018), apart from each other.

    Equal at width 1 to Dopamine's `ActorCriticNetwork`, parameter names included.

    Attributes:
        kernel_initializer: draws all weights.
    """

    kernel_initializer: Initializer = glorot_uniform()

    def setup(self) -> None:
        """Name the networks as Dopamine does; the names are the parameters'."""
        sizes = self.num_layers, scale_width(self.hidden_units, self.width)
        inits = self.kernel_initializer, self.kernel_initializer
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
        """Return what the networks say of one state and its mean or sampled action."""
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
        """The mean action of one state, one sampled, and the log density [] of that.

        Args:
            state: one state, of any shape.
            key: samples the action; without it, the sampled action is the mean one.
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
