"""`PurePlasticity`: the same in a Python loop, under `jit`, `scan` and `vmap`."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.training.train_state import TrainState

from redo_dopamine import (
    PurePlasticity,
    adaptive_redo,
    none,
    prune,
    redo,
    regrama,
    trace_network,
    weight_clipping,
)
from redo_dopamine.plasticity.learner import Learner
from redo_dopamine.plasticity.pure import _STREAM

STATES = np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32)
OPTIMIZER = optax.adam(1e-2)
KEY = jax.random.PRNGKey(7)


def draw_params(key):
    keys = jax.random.split(key, 3)
    sizes = {"a": (5, 12), "b": (12, 10), "head": (10, 2)}
    return {
        name: jax.random.normal(k, size) / 3
        for k, (name, size) in zip(keys, sizes.items(), strict=True)
    }


def apply(params, x):
    hidden = jax.nn.relu(jax.nn.relu(x @ params["a"]) @ params["b"])
    return hidden @ params["head"]


TRACED = trace_network(apply, jax.eval_shape(draw_params, KEY), STATES)


def pure(intervention=None, **settings):
    intervention = intervention or redo(tau=0.3, period=3)
    made = PurePlasticity(TRACED, intervention, draw_params, OPTIMIZER, **settings)
    made.after_update = jax.jit(made.after_update)
    return made


def start(plasticity, key=KEY):
    params = draw_params(key)
    learner = params, OPTIMIZER.init(params)
    return learner, plasticity.init(learner, key)


def loop(plasticity, steps):
    """`(key) -> (learner, metrics of all steps)`: updates under a scan."""

    def train(key):
        targets = jax.random.normal(key, (16, 2))

        def update(carry, _):
            (params, opt_state), state = carry
            loss = lambda p: jnp.mean((apply(p, STATES) - targets) ** 2)  # noqa: E731
            updates, opt_state = OPTIMIZER.update(jax.grad(loss)(params), opt_state)
            learner = optax.apply_updates(params, updates), opt_state
            *carry, found = plasticity.after_update(learner, state, STATES)
            return tuple(carry), found

        (learner, _), found = jax.lax.scan(update, start(plasticity, key), length=steps)
        return learner, found

    return train


def test_it_does_what_the_intervention_does_by_hand():
    plasticity = pure()
    (params, opt_state), state = start(plasticity)
    opt_state = jax.tree.map(lambda x: x + 1, opt_state)
    for _ in range(3):
        learner, state, found = plasticity.after_update(
            (params, opt_state), state, STATES
        )
    intervention = redo(tau=0.3, period=3)(TRACED.graph, draw_params, OPTIMIZER)
    by_hand = intervention.apply(
        jax.random.fold_in(jax.random.fold_in(KEY, _STREAM), 3),
        *(params, opt_state, ()),
        TRACED.collect(params, STATES),
        3,
    )
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-6), learner, by_hand[:2]
    )
    assert found == by_hand[3]
    assert int(found["recycled/b"]) > 0


def test_under_scan_and_vmap_it_acts_when_due_with_metrics_alike():
    plasticity = pure(taus=(0.1,), tracking_period=2)
    keys = jax.random.split(jax.random.PRNGKey(1), 2)
    _, found = jax.jit(jax.vmap(loop(plasticity, 7)))(keys)
    recycled = found["recycled/a"] + found["recycled/b"]
    assert np.flatnonzero(recycled.sum(0)).tolist() == [2, 5]
    measured = np.isfinite(found["dormant_fraction/0.1/a"])
    for seed in measured:
        assert (np.flatnonzero(seed) + 1).tolist() == [2, 3, 4, 6]
    _, alone = jax.jit(loop(plasticity, 7))(keys[1])
    for name, values in alone.items():
        np.testing.assert_array_equal(found[name][1], values, name)


@pytest.mark.parametrize("settings", [{}, {"tracking_period": 2}])
def test_seeds_share_the_step_so_that_nothing_is_computed_in_vain(settings):
    train = loop(pure(**settings), 4)
    mapped = jax.make_jaxpr(jax.vmap(train))(jax.random.split(KEY, 2))
    assert str(mapped).count("cond[") == str(jax.make_jaxpr(train)(KEY)).count("cond[")
    assert "cond[" in str(mapped)


def test_at_tau_zero_outputs_stay_and_dead_neurons_live():
    plasticity = pure(redo(tau=0.0, period=1))
    (params, opt_state), state = start(plasticity)
    params["a"] = params["a"].at[:, :3].set(0.0)
    (after, _), _, found = plasticity.after_update((params, opt_state), state, STATES)
    assert int(found["recycled/a"]) == 3
    np.testing.assert_array_equal(jax.jit(apply)(after, STATES), apply(params, STATES))
    assert np.all(np.any(TRACED.collect(after, STATES)["a"][:, :3] > 0, axis=0))


class Named(NamedTuple):
    opt_state: optax.OptState
    params: dict
    other: int


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Plain:
    params: dict
    opt_state: optax.OptState


def test_every_form_of_a_learner_is_given_back_in_its_form():
    plasticity = pure(redo(tau=0.3, period=1))
    (params, opt_state), state = start(plasticity)
    expected, _, _ = plasticity.after_update((params, opt_state), state, STATES)
    train_state = TrainState.create(apply_fn=apply, params=params, tx=OPTIMIZER)
    for learner in (
        Learner(params, opt_state),
        Named(opt_state, params, 3),
        Plain(params, opt_state),
        train_state,
        [params, opt_state],
    ):
        assert (
            plasticity.init(learner, KEY)[1] == jax.random.fold_in(KEY, _STREAM)
        ).all()
        after, _, _ = plasticity.after_update(learner, state, STATES)
        if isinstance(learner, list):
            after = Learner(*after)
        else:
            assert type(after) is type(learner)
        assert np.any(after.params["b"] != params["b"])
        jax.tree.map(
            np.testing.assert_array_equal, (after.params, after.opt_state), expected
        )
        assert getattr(after, "other", 3) == 3


def test_what_holds_after_every_update_holds():
    plasticity = pure(weight_clipping(0.01))
    learner, state = start(plasticity)
    (params, _), _, found = plasticity.after_update(learner, state, STATES)
    assert found == {}
    assert max(float(jnp.max(jnp.abs(x))) for x in params.values()) <= 0.01
    plasticity = pure(prune(tau=0.3, period=2, stop=3))
    (params, _), _ = jax.jit(loop(plasticity, 6))(KEY)
    silent = np.all(params["b"] == 0, axis=0)
    assert np.any(silent)
    assert np.all(params["head"][silent] == 0)


def test_what_was_not_found_is_nan_or_zero():
    plasticity = pure(adaptive_redo(period=2), taus=(0.1,))
    learner, state = start(plasticity)
    rows = []
    for _ in range(2):
        learner, state, found = plasticity.after_update(learner, state, STATES)
        rows.append(found)
    assert rows[0].keys() == rows[1].keys()
    assert {x.dtype for x in rows[0].values()} == {x.dtype for x in rows[1].values()}
    assert np.isnan(rows[0]["adaptive_tau/a"])
    assert np.isnan(rows[0]["dormant_fraction/0.1"])
    assert rows[0]["recycled/a"] == 0
    assert rows[1]["adaptive_tau/a"] <= 0.1
    assert 0 <= rows[1]["dormant_fraction/0.1"] <= 1


def test_without_an_intervention_it_measures():
    plasticity = pure(none(), taus=(0.1,), tracking_period=2)
    _, found = jax.jit(loop(plasticity, 4))(KEY)
    measured = np.isfinite(found["dormant_fraction/0.1"])
    assert measured.tolist() == [False, True, False, True]


def test_inputs_may_have_another_size_or_an_axis_more():
    plasticity = pure(redo(tau=0.3, period=1))
    learner, state = start(plasticity)
    for inputs in (STATES[:3], np.stack([STATES, STATES])):
        _, _, found = plasticity.after_update(learner, state, inputs)
        assert int(found["recycled/b"]) >= 0


def test_wrong_calls():
    with pytest.raises(TypeError, match=r"Give trace_network\(apply, params"):
        PurePlasticity(TRACED.graph, redo(), draw_params, OPTIMIZER)
    bound = redo()(TRACED.graph, draw_params, OPTIMIZER)
    for wrong in (bound, 3):
        with pytest.raises(TypeError, match="must not be bound to a network yet"):
            pure(wrong)
    with pytest.raises(ValueError, match="tau"):
        pure(taus=(-1,))
    with pytest.raises(ValueError, match="period must be a whole number"):
        pure(tracking_period=0)
    plasticity = pure()
    with pytest.raises(TypeError, match="A learner must be"):
        plasticity.init(draw_params(KEY), KEY)
    learner, state = start(pure(regrama(period=1)))
    with pytest.raises(TypeError, match=r"traced\.loss_gradients"):
        pure(regrama(period=1)).after_update(learner, state, STATES)
