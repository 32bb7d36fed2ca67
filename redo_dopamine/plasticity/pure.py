"""`PurePlasticity`: track a network and intervene on it, as two pure functions."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from redo_dopamine.core import masks
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import (
    DrawParams,
    Intervention,
    InterventionFactory,
    Metrics,
    State,
)
from redo_dopamine.core.metrics.dormancy import dormant_fractions
from redo_dopamine.core.schedules import Periodic, Schedule, never
from redo_dopamine.plasticity.tracker import Observer
from redo_dopamine.tracing.traced import TracedNetwork

# What an intervention changes: parameters, optimizer state, and its own state.
Kept = tuple[Params, optax.OptState, State]


class PlasticityState(NamedTuple):
    """What `PurePlasticity` hands from update to update: arrays, for a scan's carry.

    Attributes:
        step: updates made so far.
        key: what all random numbers are folded from.
        intervention: the intervention's own state.
    """

    step: jax.Array
    key: jax.Array
    intervention: State


class PurePlasticity:
    """Tracks a network and intervenes on it in a loop under `jit`, `scan` or `vmap`.

    Its functions are pure, and have no batches to draw: neurons are scored on the
    inputs that the loop has at hand, all of them. At steps that are not due nothing is
    computed (`lax.cond`). Call `after_update` in a compiled function, such as the one
    that updates: by itself it is traced again at every call.

    Args:
        traced: the network, as `trace_network` returned it.
        intervention: what to do, and when: `redo()`, `none()` and so on.
        draw_params: `key -> params`, newly drawn, such as `network.init`.
        optimizer: the optax transformation of the loop.
        taus: thresholds to measure dormancy at, just before every intervention.
        tracking_period: updates between two measurements besides; None for none.

    Raises:
        TypeError: no traced network, or an intervention that is bound already.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        traced: TracedNetwork,
        intervention: InterventionFactory,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
        *,
        taus: Sequence[float] = (),
        tracking_period: int | None = None,
    ):
        if not isinstance(traced, TracedNetwork):
            raise TypeError(
                "PurePlasticity needs what trace_network returned, but traced is a "
                f"{type(traced).__name__}. Give trace_network(apply, params, example)."
            )
        if isinstance(intervention, Intervention) or not callable(intervention):
            raise TypeError(
                "intervention must not be bound to a network yet, as redo(tau=0.1), "
                f"but is a {type(intervention).__name__}."
            )
        self._traced = traced
        self._taus = masks.thresholds(taus)
        key = jax.random.PRNGKey(0)
        self._drawn: Any = jax.tree.structure(jax.eval_shape(draw_params, key))
        self._intervention = intervention(traced.graph, draw_params, optimizer)
        self._tracks: Schedule = (
            never if tracking_period is None else Periodic(tracking_period)
        )

    def init(self, learner: Any, key: jax.Array) -> PlasticityState:
        """The state before the first update.

        Args:
            learner: as for `after_update`.
            key: of all random numbers.

        Raises:
            ValueError: an optimizer that keeps no moments weight by weight.
        """
        params = self._taken(learner)[0]
        # Apart from what the caller makes of the key: split and fold_in give the same.
        key = jax.random.fold_in(key, _STREAM)
        return PlasticityState(jnp.int32(0), key, self._intervention.init(params))

    def after_update(
        self, learner: Any, state: PlasticityState, inputs: Any
    ) -> tuple[Any, PlasticityState, Metrics]:
        """Measure, then intervene, where the schedules say so.

        Args:
            learner: parameters and optimizer state after an update: a pair of both,
                where the first may be a whole equinox model; a flax `TrainState`, or
                a dataclass that has `params` and `opt_state`; or an nnx model
                with its `nnx.Optimizer`, both of which are changed in place.
            state: as `init` or the last call returned it.
            inputs: of the network, to score neurons on: like the example that it was
                traced with, or a batch of such.

        Returns:
            The learner, the state, and metrics, whose names are the same at all steps:
            the intervention's, and `dormant_fraction/<tau>` before it. Where nothing
            was measured or done, whole numbers are 0 and others NaN.
        """
        params, opt_state, put_back = self._taken(learner)
        step, acts = state.step + 1, self._intervention
        if acts.constrain is not None:
            params, opt_state = acts.constrain(params, opt_state, state.intervention)
        due = acts.schedule(step)

        def look(kept: Kept) -> tuple[Kept, Metrics]:
            activations = self._traced.collect(kept[0], inputs)
            observer = Observer(lambda _: activations, _no_gradients, _no_gradients)

            def act(kept: Kept) -> tuple[Kept, Metrics]:
                key = jax.random.fold_in(state.key, step)
                observed = acts.observe(observer)
                params, opt_state, own, done = acts.apply(key, *kept, observed, step)
                return (params, opt_state, own), done

            always = self._tracks is never
            kept, done = act(kept) if always else _only_if(due, act, kept)
            return kept, dormant_fractions(activations, self._taus) | done

        kept = params, opt_state, state.intervention
        (params, opt_state, own), found = _only_if(due | self._tracks(step), look, kept)
        return put_back(params, opt_state), PlasticityState(step, state.key, own), found

    def _taken(self, learner: Any) -> tuple[Params, optax.OptState, "_PutBack"]:
        """Parameters and optimizer state of a learner, and how it is made of new ones.

        Raises:
            TypeError: it has none.
        """
        if hasattr(learner, "params") and hasattr(learner, "opt_state"):
            replace = _replace_of(learner)
            return (
                learner.params,
                learner.opt_state,
                lambda params, opt_state: replace(params=params, opt_state=opt_state),
            )
        if not isinstance(learner, tuple | list) or len(learner) != 2:
            raise TypeError(
                "A learner must be (params, opt_state), a TrainState, or (model, "
                f"nnx.Optimizer), but is a {type(learner).__name__}."
            )
        model, opt_state = learner
        if isinstance(opt_state, nnx.Optimizer):
            return _taken_from_nnx(model, opt_state)
        if jax.tree.structure(model) == self._drawn:
            return model, opt_state, lambda params, opt_state: (params, opt_state)
        return (
            jax.tree.map(lambda x: x if _is_weight(x) else None, model),
            opt_state,
            lambda params, opt_state: (_filled_up(params, model), opt_state),
        )


def _replace_of(learner: Any) -> Callable[..., Any]:
    """How a learner is made anew: as flax, named tuples or dataclasses do it.

    Raises:
        TypeError: it is none of them.
    """
    for name in ("replace", "_replace"):
        if hasattr(learner, name):
            return getattr(learner, name)
    if dataclasses.is_dataclass(learner) and not isinstance(learner, type):
        return functools.partial(dataclasses.replace, learner)
    raise TypeError(
        "A learner that has params and opt_state must be a TrainState, a dataclass or "
        f"a named tuple, but is a {type(learner).__name__}. Give (params, opt_state)."
    )


def _no_gradients(size: int) -> Any:
    raise TypeError(
        "PurePlasticity has no loss to differentiate, but the intervention takes "
        "gradients, as regrama and dash do. Give it them by hand, as "
        "traced.loss_gradients has regrama's, or use Plasticity."
    )


def _only_if(
    due: Any, act: Callable[[Kept], tuple[Kept, Metrics]], kept: Kept
) -> tuple[Kept, Metrics]:
    """Act, or else change nothing, with metrics of the same names that say nothing."""
    shapes = jax.eval_shape(act, kept)[1]

    def nothing(x: jax.ShapeDtypeStruct) -> jax.Array:
        said_not = jnp.nan if jnp.issubdtype(x.dtype, jnp.floating) else 0
        return jnp.full(x.shape, said_not, x.dtype)

    def rest(kept: Kept) -> tuple[Kept, Metrics]:
        return kept, jax.tree.map(nothing, shapes)

    return jax.lax.cond(due, act, rest, kept)


# Puts new parameters and a new optimizer state in the place of the old ones.
_STREAM = 0x5ED0
_PutBack = Callable[[Params, optax.OptState], Any]


def _is_weight(x: Any) -> bool:
    """Whether a leaf of a model is one of its weights; not a function or a count."""
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.inexact)


def _filled_up(params: Params, model: Any) -> Any:
    """A model's weights, and what else is in it as it was."""
    return jax.tree.map(
        lambda new, old: old if new is None else new,
        *(params, model),
        is_leaf=lambda x: x is None,
    )


def _taken_from_nnx(
    model: nnx.Module, optimizer: nnx.Optimizer
) -> tuple[Params, optax.OptState, _PutBack]:
    params = nnx.state(model, optimizer.wrt)
    # nnx wraps each array of the optimizer's state; optax knows it without.
    variables = jax.tree.leaves(
        optimizer.opt_state, is_leaf=lambda x: isinstance(x, nnx.Variable)
    )
    structure = jax.tree.structure(jax.eval_shape(optimizer.tx.init, params))
    opt_state = jax.tree.unflatten(structure, [x.value for x in variables])

    def put_back(params: Params, opt_state: optax.OptState) -> Any:
        nnx.update(model, params)
        for variable, value in zip(variables, jax.tree.leaves(opt_state), strict=True):
            variable.value = value
        return model, optimizer

    return params, opt_state, put_back
