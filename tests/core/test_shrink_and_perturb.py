"""Weights moved towards a fresh draw, by layer, and what the optimizer keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from redo_dopamine.core.interventions import shrink_and_perturb

ADAM = optax.adam(1e-3)


def applied(step, **settings):
    """By module: weights after it of a network of ones, with fresh weights of 5.

    And Adam's first moments, which were 8, and its count.
    """
    params = jax.tree.map(jnp.ones_like, networks.params_of("dueling"))
    adam, *rest = ADAM.init(params)
    eights = jax.tree.map(lambda x: 8 * x, params)
    state = (adam._replace(count=jnp.int32(3), mu=eights, nu=eights), *rest)
    graph = networks.ALL_CASES["dueling"].graph
    intervention = shrink_and_perturb(0.5, 0.25, 10, **settings)(
        graph, lambda key: jax.tree.map(lambda x: 5 * x, params), ADAM
    )
    memory = intervention.init(params)
    params, (adam, *_), _, metrics = intervention.apply(
        jax.random.PRNGKey(0), params, state, memory, {}, jnp.int32(step)
    )

    def by_module(tree):
        found = {}
        for path, x in trees.by_path(tree).items():
            found.setdefault("/".join(path[1:-1]), []).append(np.unique(x).tolist())
        return {k: v[0] if v[0] == v[1] else v for k, v in found.items()}

    found = by_module(params), by_module(adam.mu), by_module(adam.nu)
    return (*found, int(adam.count), float(metrics["perturbation_norm"]))


# 0.5 * 1 + 0.25 * 5, and 5 where a layer is reset.
MOVED, FRESH = [1.75], [5.0]
LAYERS = ("Conv_0", "Conv_1", "Dense_0", "advantage", "value")


@pytest.mark.parametrize(
    ("num_reset_layers", "reset"),
    [
        (0, ()),
        (1, ("advantage", "value")),
        (2, ("Dense_0", "advantage", "value")),
    ],
)
def test_the_last_layers_are_fresh_and_the_others_moved(num_reset_layers, reset):
    weights, mu, nu, count, norm = applied(10, num_reset_layers=num_reset_layers)
    assert weights == {x: FRESH if x in reset else MOVED for x in LAYERS}
    assert mu == nu == {x: [0.0] if x in reset else [8.0] for x in LAYERS}
    assert count == 3
    changed = jax.tree_util.tree_leaves_with_path(networks.params_of("dueling"))
    squares = sum(
        x.size * (4.0**2 if path[1].key in reset else 0.75**2) for path, x in changed
    )
    np.testing.assert_allclose(norm, squares**0.5, rtol=1e-5)


@pytest.mark.parametrize(("share", "left"), [(0.0, 0.0), (0.25, 2.0)])
def test_a_share_of_the_other_moments_stays(share, left):
    weights, mu, nu, _, _ = applied(10, num_reset_layers=1, moments=share)
    assert weights["Dense_0"] == MOVED
    heads = ("advantage", "value")
    assert mu == nu == {x: [0.0] if x in heads else [left] for x in LAYERS}


def test_outside_its_schedule_it_changes_nothing():
    weights, mu, _, _, norm = applied(11, num_reset_layers=2, moments=0.0)
    assert weights == {x: [1.0] for x in LAYERS}
    assert mu == {x: [8.0] for x in LAYERS}
    assert norm == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_reset_layers": -1}, "num_reset_layers must be a whole number"),
        ({"num_reset_layers": 5}, "at most the number of layers .* 4 .* but is 5"),
        ({"moments": 1.5}, r"moments must be in \[0, 1\], but is 1.5"),
    ],
)
def test_settings_out_of_their_range_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        applied(10, **settings)
