"""What a network must offer to be tracked; the rest is tested through the agents."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.agents.learner import Learner
from redo_dopamine.agents.plasticity import Plasticity
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.networks.activations import record

GRAPH = NetworkGraph(
    (
        Layer(
            "hidden",
            ("params", "Dense_0", "kernel"),
            ("params", "Dense_0", "bias"),
            (Edge(("params", "Dense_1", "kernel")),),
        ),
    )
)
STATE = jnp.ones(3)


class Silent(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4)(x))
        return nn.Dense(2)(x)


class Recorded(nn.Module):
    units: int = 4

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4)(x))
        record(self, "hidden", x[: self.units])
        return nn.Dense(2)(x)


def plasticity(network, **settings):
    params = network.init(jax.random.PRNGKey(0), STATE)
    return params, Plasticity(
        network.apply,
        GRAPH,
        params,
        None,
        interventions.none()(GRAPH, None, None),
        STATE,
        **{
            "taus": (0.0, 0.1),
            "tracking_period": 2,
            "tracking_batch_size": 5,
            "seed": 1,
            **settings,
        },
    )


@pytest.mark.parametrize("network", [Silent(), Recorded(units=3)])
def test_a_network_must_record_what_its_graph_declares(network):
    with pytest.raises(ValueError, match=r"(?s)layer 'hidden'.*Call record\(self"):
        plasticity(network)


def test_a_graph_must_fit_the_parameters():
    class Shallow(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(4)(x)

    with pytest.raises(ValueError, match=r"params/Dense_1/kernel is not in the param"):
        plasticity(Shallow())


def test_every_measurement_has_its_own_repeatable_stream():
    params, first = plasticity(Recorded())
    _, second = plasticity(Recorded())
    seen = []

    def draw_batch(size, rng):
        seen.append(rng.normal(size=(size, 3)))
        return {"state": seen[-1]}

    for tracker in (first, second):
        for step in range(1, 7):
            _, metrics = tracker.after_update(
                Learner(params, ()), params, step, draw_batch
            )
            assert bool(metrics) == (step % 2 == 0)
    assert len(seen) == 6
    np.testing.assert_array_equal(seen[:3], seen[3:])
    assert not np.array_equal(seen[0], seen[1])
