"""Metrics of Q-values: what a policy is, and how much it promises itself."""

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import NetworkGraph, Params
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

    def init(graph: NetworkGraph, params: Params) -> Params:
        del graph
        return jax.tree.map(jnp.copy, params)

    def measure(view: View, previous: Params) -> tuple[Measured, Params]:
        now, before = (
            _q_values("policy_churn", view, params)
            for params in (view.params, previous)
        )
        changed = jnp.argmax(now, axis=-1) != jnp.argmax(before, axis=-1)
        undefined = jnp.any(jnp.isnan(now) | jnp.isnan(before), axis=-1)
        churn = jnp.mean(jnp.where(undefined, jnp.nan, changed))
        return {"policy_churn": churn}, jax.tree.map(jnp.copy, view.params)

    return Metric("policy_churn", init, measure)


def largest_q() -> Metric:
    r"""`largest_q`: the largest Q-value of the tracking batch.

    .. math:: \max_{x, a} Q(x, a)

    Beside what returns are possible, it tells of over-estimation, which rises with
    the replay ratio (Sokar et al., ICML 2023, do not report it).
    """

    def init(graph: NetworkGraph, params: Params) -> tuple[()]:
        del graph, params
        return ()

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        return {"largest_q": jnp.max(_q_values("largest_q", view, view.params))}, state

    return Metric("largest_q", init, measure)


def _q_values(metric: str, view: View, params: Params) -> jax.Array:
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
