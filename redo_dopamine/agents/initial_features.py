"""Initial feature regularization (InFeR): features that still say what they first did.

`RecycledDQNAgent.loss_term = @initial_feature_regularization()`
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.agents.loss_terms import (
    AgentParts,
    Inputs,
    LossTerm,
    LossTermFactory,
    copied,
)
from redo_dopamine.core.checks import (
    LARGEST_COUNT,
    SettingError,
    check_setting,
    whole_setting,
)
from redo_dopamine.core.graph import Params


class Heads(NamedTuple):
    """Linear functions of features, one a column.

    Attributes:
        kernel: [N, k].
        bias: [k].
    """

    kernel: jax.Array
    bias: jax.Array

    def __call__(self, features: jax.Array) -> jax.Array:
        """What they say [B, k] of features [B, N]."""
        return features @ self.kernel + self.bias


class InitialFeatures(NamedTuple):
    """What initial feature regularization remembers.

    Attributes:
        params: those at first.
        first_heads: the heads at first.
        heads: the heads now, which learn.
        opt_state: of their optimizer.
    """

    params: Params
    first_heads: Heads
    heads: Heads
    opt_state: optax.OptState


def initial_feature_regularization(
    num_heads: int = 10,
    scale: float = 175.0,
    coefficient: float = 0.05,
    batch_size: int = 32,
) -> LossTermFactory:
    r"""Have heads say of the features what they said at first, times a factor (InFeR).

    .. math:: \alpha \; E_{x, i} \big(
                  g_i(\phi_\theta(x)) - \beta \, g_{i, 0}(\phi_{\theta_0}(x)) \big)^2

    with k linear functions g of the features phi that the network's output heads read,
    flattened where they are of a convolution or of each implicit quantile. These heads
    learn beside the network, by the agent's optimizer with a state of its own and the
    gradient at the parameters before the update: for Adam, RMSProp and SGD that is as
    if they were a part of the network. What the settings put beside the optimizer does
    not touch them.

    Lyle, Rowland and Dabney, "Understanding and Preventing Capacity Loss in
    Reinforcement Learning", ICLR 2022. Its figures could not be read: heads that learn,
    their initial weights (uniform in :math:`\pm 1 / \sqrt{N}`, biases too), the mean
    over them and the defaults are those of a reimplementation for double DQN
    (timoklein/infer). The states there are those that are learned from; here they are
    drawn apart, which costs three forward passes and a backward one of so many.

    Args:
        num_heads: k >= 1.
        scale: beta > 0.
        coefficient: alpha >= 0.
        batch_size: states that the term is averaged over.

    Returns:
        A function of an agent's parts that gives a `LossTerm`. It raises a ValueError
        where it is not known what the network's output heads read.

    Raises:
        ValueError: a setting out of its range.
    """
    check_setting("scale", scale, lambda x: x > 0, "a finite number > 0")
    rule = "a finite number >= 0"
    check_setting("coefficient", coefficient, lambda x: x >= 0, rule)
    count = whole_setting("num_heads", num_heads, high=LARGEST_COUNT)
    size = whole_setting("batch_size", batch_size, high=LARGEST_COUNT)

    def build(parts: AgentParts) -> LossTerm:
        if parts.num_features == 0:
            raise SettingError(
                "loss_term must be one that takes no features, since of this network "
                "it is not known what its output heads read. Use @churn_reduction(), "
                "or a network that declares its layers."
            )

        def init(params: Params) -> InitialFeatures:
            # A tree for the heads, and one for them at first: both are written to.
            heads, first = (_draw(parts, count) for _ in range(2))
            opt_state = parts.optimizer.init(heads)
            return InitialFeatures(copied(params), first, heads, opt_state)

        def loss(params: Params, inputs: Inputs) -> jax.Array:
            found = inputs["heads"](parts.features(params, inputs["states"]))
            return coefficient * jnp.mean((found - inputs["aims"]) ** 2)

        def before_update(
            params: Params, state: InitialFeatures, states: jax.Array
        ) -> tuple[InitialFeatures, Inputs]:
            aims = scale * state.first_heads(parts.features(state.params, states))
            inputs = {"states": states, "aims": aims, "heads": state.heads}
            gradients = jax.grad(lambda x: loss(params, {**inputs, "heads": x}))(
                state.heads
            )
            updates, opt_state = parts.optimizer.update(
                gradients, state.opt_state, state.heads
            )
            heads = optax.apply_updates(state.heads, updates)
            return state._replace(heads=heads, opt_state=opt_state), inputs

        def after_update(state: InitialFeatures, loss: jax.Array) -> InitialFeatures:
            del loss
            return state

        return LossTerm(size, init, before_update, loss, after_update)

    return build


def _draw(parts: AgentParts, count: int) -> Heads:
    limit = parts.num_features**-0.5
    kernel, bias = (
        jax.random.uniform(key, shape, minval=-limit, maxval=limit)
        for key, shape in zip(
            jax.random.split(parts.key),
            ((parts.num_features, count), (count,)),
            strict=True,
        )
    )
    return Heads(kernel, bias)
