"""Hare and tortoise on a small network, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import hare_and_tortoise

GRAPH = NetworkGraph((Layer("h", ("in",), ("b",), (Edge(("out",)),)),))
OPTIMIZER = optax.adam(0.1)


def params(value):
    return {"in": jnp.full((1, 1), value), "b": jnp.zeros(1), "out": jnp.ones((1, 1))}


def run(moves, **settings):
    """Hare, tortoise and distance after each step, of a hare that is so moved."""
    first = params(100.0)
    bound = hare_and_tortoise(**settings)(GRAPH, lambda key: first, OPTIMIZER)
    state, opt_state, hare, found = bound.init(first), OPTIMIZER.init(first), 0.0, []
    for step, move in enumerate(moves, 1):
        new, after, state, metrics = bound.apply(
            *(jax.random.PRNGKey(0), params(hare + move), opt_state, state, {}, step)
        )
        assert after is opt_state
        np.testing.assert_array_equal(new["out"], [[1.0]])
        hare = float(new["in"][0, 0])
        tortoise = float(state.params["in"][0, 0])
        found.append((hare, tortoise, float(metrics["tortoise_distance"])))
    return found


def test_the_tortoise_is_an_average_and_the_hare_returns_to_it():
    found = run([8.0, 8.0, 8.0, 4.0, 4.0, 8.0], momentum=0.75, period=3)
    # It begins with the first weights, 8; then 8 + 8 / 4, and 10 + 14 / 4.
    expected = [(8, 8, 0), (16, 10, 6), (13.5, 13.5, 10.5)]
    # From 13.5 on both: 14.5 = 13.5 + 4 / 4, and 14.5 + 7 / 4, 16.25 + 13.25 / 4.
    expected += [(17.5, 14.5, 3), (21.5, 16.25, 5.25), (19.5625, 19.5625, 9.9375)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_begins_at_its_start_and_ends_at_its_stop():
    found = run([8.0] * 6, momentum=0.5, period=2, start=3, stop=5)
    # 24 are the first weights that count; at step 4 32 becomes (24 + 32) / 2.
    hares = [8, 16, 24, 28, 36, 44]
    tortoises = [100, 100, 24, 28, 28, 28]
    np.testing.assert_allclose(np.array(found)[:, :2].T, [hares, tortoises])


def test_weights_may_be_averaged_less_often():
    found = run([8.0] * 4, momentum=0.5, period=4, average_period=2)
    np.testing.assert_allclose([x[0] for x in found], [8, 16, 24, 24])
    np.testing.assert_allclose([x[1] for x in found], [100, 16, 16, 24])


def test_with_no_momentum_nothing_changes():
    assert [x[0] for x in run([0.1, 0.7], momentum=0.0, period=1)] == [
        *np.cumsum(np.float32([0.1, 0.7]))
    ]


def test_an_optimizer_that_keeps_a_copy_of_the_weights_is_refused():
    optimizer = optax.contrib.schedule_free_sgd()
    bound = hare_and_tortoise()(GRAPH, lambda key: params(1.0), optimizer)
    with pytest.raises(ValueError, match="keeps no copy"):
        bound.init(params(1.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\], but is 1.5"),
        ({"momentum": "a"}, r"momentum must be in \[0, 1\], but is a"),
        ({"period": 0}, "^period must be a whole number"),
        ({"average_period": 0}, "average_period must be a whole number"),
        ({"average_period": 3}, "period must be a multiple of average_period, 3, but"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        hare_and_tortoise(**settings)
