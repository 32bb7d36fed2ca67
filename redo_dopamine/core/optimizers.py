"""Links of an optax chain, to stand beside an optimizer.

    optax.chain(coupled_weight_decay(1e-5), optax.adam(6.25e-5))
    optax.chain(l2_to_init(1e-4), optax.adam(6.25e-5))
    optax.chain(optax.adam(6.25e-5), decoupled_weight_decay(1e-2, 6.25e-5))
    optax.chain(optax.adam(6.25e-5), own_bias_correction())
    optax.chain(optax.adam(6.25e-5), linear_decay(0.1, 100_000))

Each combines with every intervention.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from redo_dopamine.core.checks import is_number, whole


def coupled_weight_decay(strength: float) -> optax.GradientTransformation:
    r"""Weight decay as part of the gradient; stands before the optimizer.

    .. math:: g \leftarrow g + \lambda \theta

    That is the gradient of :math:`\frac{\lambda}{2} \|\theta\|^2`, which Adam then
    rescales like the rest. Sokar et al., ICML 2023, have it as a baseline, with 1e-5
    the best of 1e-6 to 1e-3.

    Args:
        strength: lambda >= 0.

    Raises:
        ValueError: a negative or infinite strength.
    """
    _validate_strength("strength", strength)
    return optax.add_decayed_weights(strength)


def all_but_vectors(parameter: jax.Array) -> bool:
    """Whether a parameter has other than one axis: kernels do, biases do not."""
    return jnp.ndim(parameter) != 1


def decoupled_weight_decay(
    strength: float,
    learning_rate: float,
    decays: Callable[[jax.Array], bool] | None = None,
) -> optax.GradientTransformation:
    r"""Weight decay apart from the gradient; stands after the optimizer.

    .. math:: u \leftarrow u - \eta \lambda \theta

    where u is the update that the optimizer made of the gradient. Behind
    `optax.adam(learning_rate)` this is `optax.adamw(learning_rate,
    weight_decay=strength)`.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
    Algorithm 2, with the learning rate in the place of their schedule.

    Args:
        strength: lambda >= 0.
        learning_rate: eta >= 0, that of the optimizer.
        decays: which parameters do, such as `all_but_vectors`, as in BBF (Schwarzer et
            al., ICML 2023), with lambda 0.1 at 1e-4; None for all.

    Raises:
        ValueError: a negative or infinite setting.
    """
    _validate_strength("strength", strength)
    _validate_strength("learning_rate", learning_rate)
    factor = -learning_rate * strength
    if decays is None:
        return optax.add_decayed_weights(factor)
    return optax.add_decayed_weights(
        factor, mask=lambda params: jax.tree.map(decays, params)
    )


def linear_decay(final: float, num_steps: int) -> optax.GradientTransformation:
    r"""A learning rate that falls along a line; stands after the optimizer.

    .. math:: u \leftarrow u \left( 1 + (f - 1) \min(t / T, \, 1) \right)

    where t are the updates made so far. Lyle et al., NeurIPS 2024, give agents a
    schedule beside `normalize_and_project`, since the weights that it keeps from
    growing no longer slow the learning down. Its values could not be read: these
    settings have no defaults.

    Args:
        final: f in [0, 1], the share of the learning rate that is left at the end.
        num_steps: T, the updates until then.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(final) and 0 <= final <= 1):
        raise ValueError(
            f"final must be a share of the learning rate in [0, 1], but is {final}. 1 "
            "keeps the learning rate; to do so leave this link out of the chain."
        )
    rule = "num_steps must be a whole number of updates"
    steps = whole(num_steps, 1, rule, "Give those of the whole run.")
    return optax.scale_by_schedule(optax.linear_schedule(1.0, final, steps))


class L2ToInitState(NamedTuple):
    """The initial parameters, as one vector.

    It must not have the form of the parameters: whoever maps over the moments of an
    optimizer (`optax.tree_map_params`), as recycling does, would take it for one and
    set parts of it to zero.
    """

    initial: jax.Array


def l2_to_init(strength: float) -> optax.GradientTransformation:
    r"""A pull towards the initial weights; stands before the optimizer.

    .. math:: g \leftarrow g + 2 \lambda (\theta - \theta_0)

    That is the gradient of :math:`\lambda \|\theta - \theta_0\|^2`, added to the
    loss. The initial weights are those that the optimizer was started with; neurons
    that an intervention reinitializes are pulled to the same ones, and so is a network
    that has been given a new task (`begin_again`).

    Kumar, Marklund and Van Roy, "Maintaining Plasticity in Continual Learning via
    Regenerative Regularization", 2023 (arXiv 2308.11958), Section 4.

    Args:
        strength: lambda >= 0.

    Raises:
        ValueError: a negative or infinite strength.
    """
    _validate_strength("strength", strength)

    def init(params: optax.Params) -> L2ToInitState:
        # A copy: an update may donate the memory of the parameters.
        return L2ToInitState(jnp.array(ravel_pytree(params)[0], copy=True))

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None
    ) -> tuple[optax.Updates, optax.OptState]:
        if params is None:
            raise ValueError(
                "l2_to_init needs the parameters: call update(grads, state, params)."
            )
        _, unravel = ravel_pytree(params)
        pulled = jax.tree.map(
            lambda g, p, p0: g + (2 * strength * (p - p0)).astype(g.dtype),
            updates,
            params,
            unravel(state.initial),
        )
        return pulled, state

    return optax.GradientTransformation(init, update)


def begin_again(
    optimizer: optax.GradientTransformation,
    opt_state: optax.OptState,
    params: optax.Params,
    due: Any = True,
) -> optax.OptState:
    """The state of an optimizer that forgets all but the run's initial weights.

    Moments and counts begin again, as at a new task. The weights that `l2_to_init`
    pulls to are no memory of the last task: they stay.

    Args:
        optimizer: the transformation that made `opt_state`.
        opt_state: its state until now.
        params: those to go on from.
        due: whether it does; a boolean, which may be traced.
    """

    def is_anchor(state: optax.OptState) -> bool:
        return isinstance(state, L2ToInitState)

    return jax.tree.map(
        lambda old, new: old if is_anchor(old) else jnp.where(due, new, old),
        opt_state,
        optimizer.init(params),
        is_leaf=is_anchor,
    )


class OwnBiasCorrectionState(NamedTuple):
    """How many updates there were, and how many each weight's moments have seen.

    `age` has the form of the parameters, so that what sets moments to zero, as
    recycling does, sets it to zero with them.
    """

    updates: jax.Array
    age: optax.Params


def own_bias_correction(
    b1: float = 0.9, b2: float = 0.999
) -> optax.GradientTransformation:
    r"""Adam's bias correction by the age of each weight's moments; stands after Adam.

    .. math:: u \leftarrow u \frac{r(a)}{r(t)}, \quad
        r(n) = \frac{\sqrt{1 - \beta_2^n}}{1 - \beta_1^n}

    where t is the number of updates, as Adam counts it, and a of those since the
    weight's moments were last set to zero. Adam takes all moments to be as old as the
    network, so that where a recycle has set them to zero the next steps are up to six
    times too long. Weights whose moments never were are updated as without this link,
    bit for bit.

    Kingma and Ba, "Adam", ICLR 2015, Section 2, in the form that it gives there for
    efficiency: :math:`\epsilon` counts beside the uncorrected moment.

    Args:
        b1: decay of Adam's first moment, in [0, 1).
        b2: decay of its second moment, in [0, 1).

    Raises:
        ValueError: a decay out of its range.
    """
    for name, decay in (("b1", b1), ("b2", b2)):
        if not (is_number(decay) and 0 <= decay < 1):
            raise ValueError(
                f"{name} must be in [0, 1), but is {decay}. Give Adam's own; the usual "
                "ones are 0.9 and 0.999."
            )

    log_b1, log_b2 = (math.log(x) if x else -math.inf for x in (b1, b2))

    def correction(number: jax.Array) -> jax.Array:
        # By exp, since XLA takes powers of a vector one by one.
        return jnp.sqrt(1 - jnp.exp(number * log_b2)) / (1 - jnp.exp(number * log_b1))

    def init(params: optax.Params) -> OwnBiasCorrectionState:
        age = jax.tree.map(lambda p: jnp.zeros_like(p, jnp.float32), params)
        return OwnBiasCorrectionState(jnp.zeros([], jnp.float32), age)

    def update(
        updates: optax.Updates,
        state: OwnBiasCorrectionState,
        params: optax.Params | None = None,
    ) -> tuple[optax.Updates, OwnBiasCorrectionState]:
        del params
        # Float32 stops at 2^24, where both corrections have long been 1.
        count, age = jax.tree.map(lambda n: n + 1, (state.updates, state.age))
        whole = correction(count)

        def correct(updated: jax.Array, own: jax.Array) -> jax.Array:
            # Of vectors and of numbers, exp may differ in the last bit.
            factor = jnp.where(own == count, 1, correction(own) / whole)
            return updated * factor.astype(updated.dtype)

        corrected = jax.tree.map(correct, updates, age)
        return corrected, OwnBiasCorrectionState(count, age)

    return optax.GradientTransformation(init, update)


def _validate_strength(name: str, value: float) -> None:
    if not (is_number(value) and value >= 0):
        raise ValueError(
            f"{name} must be a finite number >= 0, but is {value}. To switch a "
            "regulariser off leave it out of the chain."
        )
