"""The convolutions that Rainbow's heads may stand on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from helpers import trees
from redo_dopamine.networks.bodies import impala_body, unit_range
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.networks.rainbow import RainbowNetwork

STATE = np.random.default_rng(0).integers(0, 256, (12, 10, 2), np.uint8)
KEY = jax.random.PRNGKey(3)


def test_on_impala_with_one_atom_it_is_the_impala_network():
    plain = ImpalaNetwork(3, width=0.25, stack_sizes=(16, 20))
    body = impala_body((16, 20))
    rainbow = RainbowNetwork(
        3, 1, dueling=False, distributional=False, width=0.25, body=body
    )
    params = jax.jit(plain.init)(KEY, STATE)
    found = rainbow.apply(params, STATE, None).q_values
    assert trees.same_bits(found, plain.apply(params, STATE).q_values)
    assert rainbow.graph((12, 10)) == plain.graph((12, 10))


def test_a_noisy_dense_layer_reads_the_last_stream():
    network = RainbowNetwork(3, 5, noisy=True, body=impala_body())
    *_, stream, dense = network.graph().layers
    assert stream.name == "Stack_2/Conv_4"
    assert not stream.recyclable
    assert {x.path[1:] for x in stream.outgoing} == {
        ("NoisyNetwork_0", "kernel_mu"),
        ("NoisyNetwork_0", "kernel_sigma"),
    }
    assert dense.name == "NoisyNetwork_0"


def test_bbfs_sizes_at_width_4():
    network = RainbowNetwork(6, 51, width=4, body=impala_body(rescale=unit_range))
    state = jax.ShapeDtypeStruct((84, 84, 4), np.uint8)
    init = functools.partial(network.init, support=jnp.zeros(51))
    shapes = jax.eval_shape(init, KEY, state)["params"]
    stacks = [shapes[f"Stack_{i}"]["Conv_4"]["kernel"].shape for i in range(3)]
    assert stacks == [(3, 3, 64, 64), (3, 3, 128, 128), (3, 3, 128, 128)]
    assert shapes["Dense_0"]["kernel"].shape == (11 * 11 * 128, 2048)
    assert shapes["Dense_1"]["kernel"].shape == (2048, 6 * 51)


def test_blocks_begin_with_weights_of_the_networks_own_kind():
    # Xavier-uniform: sqrt(6 / (fan in + fan out)), which a normal draw exceeds.
    network = RainbowNetwork(3, 1, distributional=False, body=impala_body((32,)))
    params = jax.jit(lambda key: network.init(key, STATE, None))(KEY)
    inner = params["params"]["Stack_0"]["Conv_1"]["kernel"]
    bound = (6 / (2 * 9 * 32)) ** 0.5
    assert 0.99 * bound < float(jnp.abs(inner).max()) <= bound


def test_features_in_the_unit_range_by_hand():
    found = unit_range(jnp.array([[2.0, 4.0], [6.0, 3.0]]))
    expected = np.array([[0.0, 2.0], [4.0, 1.0]]) / (4 + 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not jnp.any(unit_range(jnp.full(3, 7.0)))
