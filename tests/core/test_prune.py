import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from helpers.interventions import ALL_OPTIMIZERS, make, trained
from redo_dopamine.core.interventions import prune
from redo_dopamine.plasticity.plasticity import say_unscored

TAU = 0.6


def is_silent(name, params, pruned):
    """Whether all weights into and out of the pruned neurons are zero."""
    leaves = trees.by_path(params)
    for layer in networks.ALL_CASES[name].graph.recyclable_layers:
        mask = np.asarray(pruned[layer.name])
        parts = [leaves[layer.kernel][..., mask]]
        if layer.bias is not None:
            parts.append(leaves[layer.bias][mask])
        for edge in layer.outgoing:
            kernel = leaves[edge.kernel]
            rows = kernel.reshape(
                *kernel.shape[:-2], edge.copies, mask.size, kernel.shape[-1]
            )
            parts.append(rows[..., mask, :])
        if any(part.any() for part in parts):
            return False
    return True


@pytest.mark.parametrize(
    "optimizer_name", ["adam", "l2_to_init", "coupled_decay", "decoupled_decay"]
)
@pytest.mark.parametrize("name", ["dueling", "drq_crelu_layer_norm"])
def test_pruned_neurons_stay_silent_under_further_updates(name, optimizer_name):
    optimizer, _ = ALL_OPTIMIZERS[optimizer_name]
    case = make(prune(TAU, 10), name, optimizer_name)
    params, opt_state, pruned, metrics = case.at(jnp.int32(10))
    counts = {f"pruned/{k}": int(mask.sum()) for k, mask in pruned.items()}
    assert {k: int(v) for k, v in say_unscored(metrics, 10).items()} == counts
    assert 0 < sum(counts.values()) < sum(mask.size for mask in pruned.values())
    assert is_silent(name, params, pruned)

    @jax.jit
    def step(params, opt_state, grads):
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        return case.intervention.constrain(params, opt_state, pruned)

    rng = np.random.default_rng(0)
    for i in range(100):
        grads = jax.tree.map(
            lambda x: rng.normal(size=x.shape).astype(np.float32), params
        )
        params, opt_state = step(params, opt_state, grads)
        assert i % 20 or is_silent(name, params, pruned)
    assert is_silent(name, params, pruned)
    # And the rest learns.
    kept = ~np.asarray(pruned[networks.ALL_CASES[name].graph.layers[0].name])
    kernel = trees.by_path(params)[networks.ALL_CASES[name].graph.layers[0].kernel]
    assert np.all(kernel[..., kept] != 0)


def test_without_constrain_an_update_wakes_them():
    # So that the test above tests something: the initial weights pull.
    optimizer, _ = ALL_OPTIMIZERS["l2_to_init"]
    case = make(prune(TAU, 10), "dueling", "l2_to_init")
    params, opt_state, pruned, _ = case.at(jnp.int32(10))
    grads = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(grads, opt_state, params)
    assert not is_silent("dueling", optax.apply_updates(params, updates), pruned)


def test_the_pruned_accumulate_and_outlive_the_window():
    case = make(prune(TAU, 10, stop=30), "mlp_without_bias")
    first = case.activations | {
        "Dense_0": jnp.ones((4, 6)).at[:, 2].set(0.0),
        "Dense_1": jnp.ones((4, 6)),
    }
    _, _, state, metrics = case._replace(activations=first).at(jnp.int32(10))
    assert {k: int(v) for k, v in say_unscored(metrics, 10).items()} == {
        "pruned/Dense_0": 1,
        "pruned/Dense_1": 0,
    }
    other = first | {"Dense_0": jnp.ones((4, 6)).at[:, 4].set(0.0)}
    case = case._replace(activations=other, state=state)
    _, _, state, _ = case.at(jnp.int32(20))
    assert np.flatnonzero(state["Dense_0"]).tolist() == [2, 4]
    after = case._replace(activations=first, state=state).at(jnp.int32(30))
    trees.assert_same_bits(after[2], state)
    held, _ = case.intervention.constrain(case.params, case.opt_state, state)
    assert is_silent("mlp_without_bias", held, state)


def test_at_tau_zero_no_output_changes():
    params, _, _ = trained("dueling")
    leaves = trees.by_path(params)
    leaves["params", "Conv_1", "bias"][1] = -1e3
    leaves["params", "Dense_0", "bias"][2] = -1e3
    params, states = trees.from_paths(leaves), networks.CASES["dueling"].states(8)
    activations = networks.activations_of("dueling")(params, states)
    case = make(prune(0.0, 10), "dueling")
    case = case._replace(params=params, activations=activations)
    found, _, pruned, _ = case.at(jnp.int32(10))
    assert pruned["Conv_1"][1]
    assert pruned["Dense_0"][2]
    outputs = networks.outputs_of("dueling")
    assert np.max(np.abs(outputs(found, states) - outputs(params, states))) == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": -1.0}, "tau must be .* but is -1.0"),
        ({"period": 0}, "period must be .* but is 0"),
        ({"score_batch_size": 0}, "score_batch_size must be .* but is 0"),
    ],
)
def test_a_setting_out_of_range_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        prune(**settings)
