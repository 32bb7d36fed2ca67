import jax
import jax.numpy as jnp
import pytest

from redo_dopamine.core.graph import Edge, leaves_by_path, validate
from redo_dopamine.networks.nature import ConvClassifier

LAYERS = ["Conv_0", "Conv_1", "Conv_2", "Dense_0", "Dense_1"]


def shapes(image_shape=(28, 28, 1), **fields):
    network = ConvClassifier(num_classes=10, **fields)
    image = jax.ShapeDtypeStruct(image_shape, jnp.float32)
    return jax.eval_shape(network.init, jax.random.PRNGKey(0), image)


def test_logits_are_one_per_class():
    network, image = ConvClassifier(num_classes=7, width=0.125), jnp.ones((8, 8, 3))
    found, _ = jax.eval_shape(network.init_with_output, jax.random.PRNGKey(0), image)
    assert found.shape == (7,)


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, [32, 64, 64, 128, 10]), (2, [64, 128, 128, 256, 10]), (0.3, [10, 20, 20, 39])],
)
def test_width_multiplies_every_layer_but_the_head_and_rounds_up(width, expected):
    layers = shapes(width=width)["params"]
    found = [layers[name]["kernel"].shape[-1] for name in LAYERS]
    assert found[: len(expected)] == expected


def test_the_flatten_of_28_by_28_has_16_positions_of_64_channels():
    edge = Edge(("params", "Dense_0", "kernel"), copies=16)
    assert ConvClassifier(num_classes=10).graph().layers[2].outgoing == (edge,)
    assert leaves_by_path(shapes())[edge.kernel].shape == (1024, 128)


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 32, 3), (9, 14, 2)])
@pytest.mark.parametrize("width", [1, 0.3])
def test_the_graph_fits_the_parameters_at_any_size_and_width(image_shape, width):
    graph = ConvClassifier(num_classes=10, width=width).graph(image_shape[:2])
    assert validate(graph, shapes(image_shape, width=width)) is None
    assert graph.recyclable_layers == graph.layers
