"""What a network with Q-values says of the states, now and at the last measurement."""

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Params
from redo_dopamine.core.metrics.base import Measured, Metric, View


def policy_churn() -> Metric:
    r"""`policy_churn`: states whose greedy action changed since the last measurement.

    .. math:: E_x \big[ \arg\max_a Q(x, a) \ne \arg\max_a Q_{prev}(x, a) \big]

    on the tracking batch of now, for the parameters now and at the previous
    measurement; the first compares with those that the run started with. The
    previous parameters are kept, in checkpoints too. Unlike the paper's, which is
    per update, this is per tracking period.

    Schaul et al., "The Phenomenon of Policy Churn", NeurIPS 2022.
    """

    def measure(view: View, previous: Params) -> tuple[Measured, Params]:
        now, before = (
            q_values("policy_churn", view, params) for params in (view.params, previous)
        )
        changed = jnp.argmax(now, axis=-1) != jnp.argmax(before, axis=-1)
        undefined = jnp.any(jnp.isnan(now) | jnp.isnan(before), axis=-1)
        churn = jnp.mean(jnp.where(undefined, jnp.nan, changed))
        return {"policy_churn": churn}, _copy(view.params)

    return Metric("policy_churn", lambda graph, params: _copy(params), measure)


def value_churn() -> Metric:
    r"""`value_churn`: how far Q-values have moved since the last measurement.

    .. math:: E_{x, a} \big| Q(x, a) - Q_{prev}(x, a) \big|

    on the states and at the parameters of `policy_churn`. Tang et al., "Mitigating
    Plasticity Loss in Continual Reinforcement Learning by Reducing Churn", ICML 2025
    (C-CHAIN), whose code takes this mean too, over an update and over some; here it is
    over a tracking period.
    """

    def measure(view: View, previous: Params) -> tuple[Measured, Params]:
        now, before = (
            q_values("value_churn", view, params) for params in (view.params, previous)
        )
        churn = jnp.mean(jnp.abs(now - before))
        return {"value_churn": churn}, _copy(view.params)

    return Metric("value_churn", lambda graph, params: _copy(params), measure)


def largest_q() -> Metric:
    r"""`largest_q`: the largest Q-value of the tracking batch.

    .. math:: \max_{x, a} Q(x, a)

    Beside what returns are possible, it tells of over-estimation, which rises with
    the replay ratio (Sokar et al., ICML 2023, do not report it).
    """

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        return {"largest_q": jnp.max(q_values("largest_q", view, view.params))}, state

    return Metric("largest_q", lambda graph, params: (), measure)


def q_values(metric: str, view: View, params: Params) -> jax.Array:
    """Q-values [B, A] of the view's states.

    Args:
        metric: what the error calls it that needs them.
        view: what to look at.
        params: whose values.

    Raises:
        TypeError: the network has none.
    """

    def of_state(state: jax.Array) -> jax.Array:
        output = view.apply(params, state)
        if not hasattr(output, "q_values"):
            raise TypeError(
                f"{metric} needs a network whose output has q_values, but this one "
                f"gives a {type(output).__name__}. Leave {metric}() out of metrics, or "
                "return Q-values."
            )
        return output.q_values

    return jax.vmap(of_state)(view.inputs)


def _copy(params: Params) -> Params:
    return jax.tree.map(jnp.copy, params)
