"""Every optimizer and wrapper of optax: recycled rightly, or refused with a reason.

The table is made of what optax has; a newcomer is tried with its defaults.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from helpers import networks, trees
from redo_dopamine.core import interventions, moments
from redo_dopamine.core.recycle import recycle

RATE = 1e-2
PARAMS = networks.params_of("mlp")
GRAPH = networks.CASES["mlp"].graph
MASKS = {layer.name: jnp.arange(6) < 2 for layer in GRAPH.layers}
# Which weights a recycle with these masks replaces.
CHANGED = jax.tree.map(
    lambda x: ~np.isnan(x),
    recycle(
        GRAPH,
        MASKS,
        jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), PARAMS),
        PARAMS,
        optax.identity().init(PARAMS),
        optax.identity(),
    )[0],
)
# Transformations of something else than a gradient: parts of others in the table.
PARTS = {"measure_with_ema": "monitor", "scale_by_muon": "muon"}
# Without a signature that says so.
UNSIGNED = {
    *("monitor", "dog", "dowg", "scale_by_factored_rms"),
    "hutchinson_estimator_diag_hessian",
}
REFUSED = {
    "adafactor": "optax.adafactor keeps one number for each row and column",
    "flatten": "does not start as such .* as with optax.flatten",
    "galore": "optax.contrib.galore keeps its moments in another basis",
    "lbfgs": "optax.lbfgs keeps differences of whole steps",
    "lookahead": "optax.lookahead has two sets of weights",
    "monitor": "optax.monitor begins with a state of another form",
    "novograd": "optax.novograd keeps one second moment for each kernel",
    "scale_by_backtracking_linesearch": "keeps the loss and gradient of the weights",
    "scale_by_distance_over_gradients": "has shape .* and its moment",
    "scale_by_factored_rms": "optax.adafactor keeps one number for each row",
    "scale_by_galore": "optax.contrib.galore keeps its moments in another basis",
    "scale_by_lbfgs": "optax.lbfgs keeps differences of whole steps",
    "scale_by_novograd": "optax.novograd keeps one second moment",
    "scale_by_sm3": "optax.sm3 keeps one number for each row and column",
    "scale_by_zoom_linesearch": "keeps the loss and gradient of the weights",
    "sm3": "optax.sm3 keeps one number for each row and column",
}
# What these do with a gradient of zero is no matter of what they remember.
MOVES_OF_ITSELF = {
    "differentially_private_aggregate": "adds noise",
    "dpsgd": "adds noise",
    "keep_params_nonnegative": "takes new weights that are negative to zero",
    "normalize": "divides by a norm of zero",
}
KEEPS_A_COPY = {
    *("cocob", "dog", "dowg", "madgrad", "mechanize", "prodigy", "sam"),
    *("scale_by_cocob", "scale_by_madgrad"),
    *("schedule_free", "schedule_free_adamw", "schedule_free_sgd"),
}


def adam():
    return optax.adam(RATE)


def kernels(params):
    return jax.tree.map(lambda x: x.ndim > 1, params)


def labels(params):
    return jax.tree.map(lambda x: "kernel" if x.ndim > 1 else "bias", params)


def always(step):
    return step >= 0


def norm(updates):
    return optax.tree.norm(updates)


BY_LABEL = {"kernel": adam(), "bias": optax.sgd(RATE, momentum=0.9)}
KEY = 0
# Those that do not begin with a learning rate, or nothing, alone.
SETTINGS = {
    "adaptive_grad_clip": (0.1,),
    "add_noise": (0.01, 0.5, KEY),
    "apply_if_finite": (adam(), 3),
    "chain": (optax.clip(1.0), adam()),
    "clip": (1.0,),
    "clip_by_block_rms": (1.0,),
    "clip_by_global_norm": (1.0,),
    "conditionally_mask": (adam(), always),
    "conditionally_transform": (adam(), always),
    "differentially_private_aggregate": (1.0, 0.1, KEY),
    "dpsgd": (RATE, 1.0, 0.1, KEY),
    "ema": (0.9,),
    "flatten": (adam(),),
    "freeze": (kernels,),
    "lookahead": (adam(), 5, 0.5),
    "masked": (adam(), kernels),
    "mechanize": (adam(),),
    "monitor": ({"norm": norm},),
    "multi_transform": (BY_LABEL, labels),
    "named_chain": (("clip", optax.clip(1.0)), ("adam", adam())),
    "partition": (BY_LABEL, labels(PARAMS)),
    "sam": (adam(), optax.sgd(RATE)),
    "scale": (-RATE,),
    "scale_by_backtracking_linesearch": (3,),
    "scale_by_schedule": (lambda step: -RATE,),
    "scale_by_zoom_linesearch": (3,),
    "schedule_free": (adam(), RATE),
    "snapshot": ("norm", norm),
    "split_real_and_imaginary": (adam(),),
    "stateless": (lambda updates, params: updates,),
    "stateless_with_tree_map": (lambda update, param: update,),
    "trace": (0.9,),
    "with_extra_args_support": (adam(),),
}


def transformations():
    """Everything public in optax that makes a transformation, by name."""
    found = {}
    for module in (optax, optax.contrib):
        for name, make in vars(module).items():
            if name.startswith("_") or not inspect.isfunction(make):
                continue
            returned = str(inspect.signature(make).return_annotation)
            if "GradientTransformation" in returned or name in UNSIGNED:
                found[name] = make
    return found


FACTORIES = transformations()


def build(name):
    make = FACTORIES.get(name)
    if name == "multi_steps":
        return optax.MultiSteps(adam(), 2).gradient_transformation()
    if name in ("inject_hyperparams", "inject_stateful_hyperparams"):
        return make(optax.adam)(learning_rate=RATE)
    if name == "selective_transform":
        return make(adam(), freeze_mask=kernels)
    if name in SETTINGS:
        return make(*SETTINGS[name])
    takes_a_rate = "learning_rate" in inspect.signature(make).parameters
    return make(RATE) if takes_a_rate else make()


NAMES = sorted({*FACTORIES, "multi_steps"} - PARTS.keys())
HANDLED = [name for name in NAMES if name not in REFUSED]


def test_the_table_has_what_optax_has():
    assert len(NAMES) > 100
    assert REFUSED.keys() | MOVES_OF_ITSELF.keys() | SETTINGS.keys() <= set(NAMES)
    assert {"schedule_free_adamw", "prodigy", "sm3", "lbfgs", "flatten"} <= set(NAMES)


def distance(params):
    parts = jax.tree.map(lambda x, y: jnp.sum((x - y - 0.3) ** 2), params, PARAMS)
    return sum(jax.tree.leaves(parts))


def step(name, optimizer, grads, state, params):
    """Parameters and state after one update, whatever the optimizer asks for."""
    more = {
        "value": distance(params),
        "value_fn": distance,
        "grad": grads,
        "obj_fn": distance,
    }
    if name == "sam":
        more = {}
    if name in ("dpsgd", "differentially_private_aggregate"):  # An example's each.
        grads = jax.tree.map(lambda x: jnp.stack([x, x]), grads)
    optimizer = optax.with_extra_args_support(optimizer)
    updates, state = optimizer.update(grads, state, params, **more)
    return optax.apply_updates(params, updates), state


def trained(name, optimizer):
    rng = np.random.default_rng(0)
    params, state = PARAMS, optimizer.init(PARAMS)
    for _ in range(3):
        grads = jax.tree.map(
            lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), params
        )
        params, state = step(name, optimizer, grads, state, params)
    return params, state


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HANDLED)
def test_a_recycled_weight_is_as_a_new_one_to_the_optimizer(name):
    optimizer = build(name)
    params, state = trained(name, optimizer)
    fresh = networks.params_of("mlp", 1)
    new, new_state = recycle(GRAPH, MASKS, params, fresh, state, optimizer)

    # What is kept per weight: of changed ones as at the start, of others as it was.
    begun = optimizer.init(new)
    per_weight = [moments._per_weight(optimizer, x) for x in (state, new_state, begun)]
    for before, after, start in zip(*per_weight, strict=True):
        if jax.tree.structure(before) != jax.tree.structure(params):
            continue  # Of a part of the weights alone.
        for mask, old, now, first in zip(
            *map(jax.tree.leaves, (CHANGED, before, after, start)), strict=True
        ):
            if old.dtype == bool:
                continue
            assert trees.same_bits(np.asarray(now)[~mask], np.asarray(old)[~mask])
            assert trees.same_bits(np.asarray(now)[mask], np.asarray(first)[mask])
            if name not in KEEPS_A_COPY:
                assert np.ptp(np.asarray(first)) == 0
    if name in MOVES_OF_ITSELF:
        return
    zero = jax.tree.map(jnp.zeros_like, new)
    moved, _ = step(name, optimizer, zero, new_state, new)
    drift = jax.tree.map(lambda x, y: np.abs(np.asarray(x - y)), moved, new)
    of_changed, of_others = (
        max(
            x[mask == which].max(initial=0)
            for x, mask in zip(
                jax.tree.leaves(drift), jax.tree.leaves(CHANGED), strict=True
            )
        )
        for which in (True, False)
    )
    assert of_changed <= of_others + 1e-7


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "make", [interventions.redo, interventions.prune, interventions.layer_reset]
)
def test_another_is_refused_by_its_name_before_the_first_step(make, name):
    optimizer = optax.chain(optax.clip(1.0), build(name))
    intervention = make()(GRAPH, lambda key: PARAMS, optimizer)
    with pytest.raises(ValueError, match=rf"(?s)Recycling needs .*{REFUSED[name]}"):
        intervention.init(PARAMS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [x for x in HANDLED if x != "normalize"])
def test_a_copy_of_the_weights_is_refused_where_all_of_them_change(name):
    for make in (
        interventions.shrink_and_perturb,
        interventions.weight_clipping,
        interventions.spectral_norm,
    ):
        intervention = make()(GRAPH, None, build(name))
        if name in KEEPS_A_COPY:
            with pytest.raises(ValueError, match="keeps no copy of them"):
                intervention.init(PARAMS)
        else:
            intervention.init(PARAMS)
