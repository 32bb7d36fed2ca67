"""Networks of every library are recycled inside jit, scan and vmap, no weight named."""

import functools

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from redo_dopamine.core import masks, scores
from redo_dopamine.core.interventions import redo, regrama
from redo_dopamine.core.metrics.catalogue import (
    gradient_norm,
    magi,
    srank,
    weight_norm,
)
from redo_dopamine.core.neuron_index import NeuronIndex
from redo_dopamine.core.recycle import recycle
from redo_dopamine.plasticity.learner import Learner
from redo_dopamine.plasticity.plasticity import Plasticity
from redo_dopamine.tracing import trace_network

STATES = np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32)
OPTIMIZER = optax.adam(1e-2)


def with_linen():
    layers = [linen.Dense(12), linen.relu, linen.Dense(10), linen.relu, linen.Dense(2)]
    network = linen.Sequential(layers)
    return network.apply, lambda key: network.init(key, STATES)


def with_nnx():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.a = nnx.Linear(5, 12, rngs=rngs)
            self.b = nnx.Linear(12, 10, rngs=rngs)
            self.head = nnx.Linear(10, 2, rngs=rngs)

        def __call__(self, x):
            return self.head(nnx.relu(self.b(nnx.relu(self.a(x)))))

    def draw(key):
        return nnx.split(Net(nnx.Rngs(key)))[1]

    graphdef = nnx.split(Net(nnx.Rngs(0)))[0]
    return (lambda params, x: nnx.merge(graphdef, params)(x)), draw


def with_haiku():
    @hk.without_apply_rng
    @hk.transform
    def network(x):
        return hk.nets.MLP([12, 10, 2])(x)

    return network.apply, lambda key: network.init(key, STATES)


def with_equinox():
    def make(key):
        return eqx.nn.MLP(5, 2, 12, 2, key=key)

    static = eqx.partition(make(jax.random.PRNGKey(0)), eqx.is_inexact_array)[1]

    def apply(params, x):
        return jax.vmap(eqx.combine(params, static))(x)

    return apply, lambda key: eqx.filter(make(key), eqx.is_inexact_array)


def with_plain_jax():
    def draw(key):
        keys = jax.random.split(key, 3)
        sizes = [(12, 5), (10, 12), (2, 10)]
        return [jax.random.normal(k, s) / 3 for k, s in zip(keys, sizes, strict=True)]

    def apply(params, x):
        *hidden, head = params
        for w in hidden:
            x = jax.nn.relu(x @ w.T)
        return x @ head.T

    return apply, draw


LIBRARIES = {
    "linen": with_linen,
    "nnx": with_nnx,
    "haiku": with_haiku,
    "equinox": with_equinox,
    "plain": with_plain_jax,
}
every_library = pytest.mark.parametrize("library", LIBRARIES)


@every_library
def test_a_loop_under_scan_and_vmap_recycles(library):
    apply, draw_params = LIBRARIES[library]()
    traced = trace_network(apply, draw_params(jax.random.PRNGKey(0)), STATES)
    recycling = redo(tau=0.3, period=3)(traced.graph, draw_params, OPTIMIZER)

    def train(key):
        params = draw_params(key)
        targets = jax.random.normal(key, (16, 2))

        def update(carry, step):
            params, opt_state, state = carry
            loss = lambda p: jnp.mean((apply(p, STATES) - targets) ** 2)  # noqa: E731
            updates, opt_state = OPTIMIZER.update(jax.grad(loss)(params), opt_state)
            params = optax.apply_updates(params, updates)
            *learner, state, found = recycling.apply(
                jax.random.fold_in(key, step),
                params,
                opt_state,
                state,
                traced.collect(params, STATES),
                step,
            )
            return (*learner, state), found

        start = params, OPTIMIZER.init(params), recycling.init(params)
        return jax.lax.scan(update, start, jnp.arange(1, 7))

    keys = jax.random.split(jax.random.PRNGKey(1), 2)
    (params, *_), found = jax.jit(jax.vmap(train))(keys)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(params))
    recycled = sum(found[f"recycled/{x.name}"] for x in traced.graph.layers)
    assert recycled.shape == (2, 6)
    assert np.flatnonzero(recycled.sum(0)).tolist() == [2, 5]  # Steps 3 and 6.


@every_library
def test_recycling_at_tau_zero_changes_no_output(library):
    apply, draw_params = LIBRARIES[library]()
    params, fresh = (draw_params(jax.random.PRNGKey(seed)) for seed in (0, 1))
    traced = trace_network(apply, params, STATES)
    assert [x.num_neurons for x in traced.graph.recyclable_layers][:1] == [12]
    assert traced.declined == ()
    # Two neurons of each layer never fire.
    none = {x.name: np.arange(x.num_neurons) < 2 for x in traced.graph.layers}
    run = functools.partial(recycle, traced.graph, optimizer=OPTIMIZER)
    nothing = jax.tree.map(jnp.zeros_like, params)
    state = OPTIMIZER.init(params)
    params, state = run(none, params, nothing, opt_state=state)

    activations = traced.collect(params, STATES)
    dormant = {
        k: masks.dormant(scores.dormancy_score(h), 0.0) for k, h in activations.items()
    }
    assert all(np.all(dormant[name][:2]) for name in none)
    recycled, _ = run(dormant, params, fresh, opt_state=state)
    outputs = jax.jit(apply)
    before, after = outputs(params, STATES), outputs(recycled, STATES)
    assert float(jnp.max(jnp.abs(after - before))) == 0.0
    first = traced.graph.layers[0].name
    assert np.any(traced.collect(recycled, STATES)[first][:, :2] > 0)


def test_a_batch_of_another_size_is_traced_again():
    apply, draw_params = with_plain_jax()
    params = draw_params(jax.random.PRNGKey(0))
    traced = trace_network(apply, params, STATES)
    whole = traced.collect(params, STATES)
    part = traced.collect(params, STATES[:3])
    for name, activation in part.items():
        np.testing.assert_allclose(activation, whole[name][:3], rtol=1e-6)
    with pytest.raises(ValueError, match="inputs of the structure"):
        traced.collect(params, (STATES, STATES))
    many = traced.collect(params, np.stack([STATES, STATES]))
    assert {x.shape[:2] for x in many.values()} == {(2, 16)}


def test_wrong_calls():
    with pytest.raises(TypeError, match="needs a function"):
        trace_network(None, {"a": jnp.ones(2)}, STATES)
    with pytest.raises(ValueError, match="their tree has no leaf"):
        trace_network(lambda p, x: x, {}, STATES)


def test_what_jax_cannot_trace_says_what_was_expected():
    with pytest.raises(TypeError) as caught:
        trace_network(
            lambda params, x: x @ params["w"], jnp.ones(3), {"w": jnp.ones(3)}
        )
    assert "apply(params, example)" in "".join(caught.value.__notes__)


def test_verification_needs_finite_outputs():
    apply, draw_params = with_plain_jax()
    params = draw_params(jax.random.PRNGKey(0))
    traced = trace_network(lambda p, x: jnp.log(-1 - apply(p, x) ** 2), params, STATES)
    with pytest.raises(ValueError, match="only where its outputs are finite"):
        traced.verify(params, STATES)


def test_verification_finds_a_wrong_order():
    apply, draw_params = with_plain_jax()
    params = draw_params(jax.random.PRNGKey(0))
    traced = trace_network(apply, params, STATES)
    first, *rest = traced.graph.layers
    weights = first.outgoing[0]
    turned = weights._replace(
        neurons=type(weights.neurons)(weights.neurons.array[:, ::-1])
    )
    wrong = first._replace(outgoing=(turned,))
    traced.graph = traced.graph._replace(layers=(wrong, *rest))
    for whole in (True, False):
        with pytest.raises(ValueError, match=rf"{first.name!r}: the outgoing weights"):
            traced.verify(params, STATES, whole=whole)
    fed = first.incoming[0]
    turned = fed._replace(neurons=NeuronIndex(fed.neurons.array[::-1]))
    wrong = first._replace(incoming=(turned,))
    traced.graph = traced.graph._replace(layers=(wrong, *rest))
    with pytest.raises(ValueError, match=rf"{first.name!r}: incoming weights must"):
        traced.verify(params, STATES)


def test_plasticity_takes_a_traced_network():
    apply, draw_params = with_plain_jax()
    params = draw_params(jax.random.PRNGKey(0))
    traced = trace_network(apply, params, STATES)
    batch = {"state": STATES, "target": np.zeros((16, 2), np.float32)}

    def loss(params, target_params, batch):
        return jnp.mean((apply(params, batch["state"]) - batch["target"]) ** 2)

    def made(intervention):
        return Plasticity(
            apply,
            lambda batch: batch["state"],
            traced,
            params,
            loss,
            intervention(traced.graph, draw_params, OPTIMIZER),
            STATES,
            taus=(0.1,),
            tracking_period=2,
            tracking_batch_size=16,
            seed=0,
            metrics=(srank(), magi(), weight_norm(), gradient_norm()),
        )

    draw = lambda size, rng: batch  # noqa: E731
    plasticity = made(redo(tau=0.3, period=2))
    learner = Learner(params, OPTIMIZER.init(params))
    learner = jax.tree.map(jnp.copy, learner)
    for step in (1, 2):
        learner, found = plasticity.after_update(learner, params, step, draw)
        assert bool(found) == (step == 2)
    for layer in traced.graph.layers:
        names = (f"recycled/{layer.name}", f"dormant_fraction/0.1/{layer.name}")
        assert {*names, f"magi/{layer.name}", f"srank/{layer.name}"} <= found.keys()
    by_gradient = made(regrama(tau=0.3, period=3))
    _, found = by_gradient.after_update(learner, params, 3, draw)
    assert {f"recycled/{x.name}" for x in traced.graph.layers} <= found.keys()
