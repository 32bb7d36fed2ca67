"""Every intervention that the common properties are tried on.

An intervention joins by a line in `INTERVENTIONS`. All act at steps 20 and 30 alone.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from helpers import networks, trees
from helpers.optimizers import OPTIMIZERS, after_updates
from redo_dopamine.core import interventions, optimizers, parseval, schedules, upgd
from redo_dopamine.core.interventions import Intervention, InterventionFactory

# Between the scores of the small networks here, so that some neurons are dormant.
TAU = 0.6
WINDOW = {"period": 10, "start": 15, "stop": 40}
STEPS_IN, STEPS_OUT = (20, 30), (0, 1, 10, 19, 21, 40, 50)


def no_paths(graph):
    return set()


def all_paths(graph):
    return None


def paths_of_neurons(graph):
    """The weights into and out of the neurons that can be recycled."""
    layers = graph.recyclable_layers
    incoming = {path for x in layers for path in (x.kernel, x.bias)}
    return incoming | {edge.kernel for x in layers for edge in x.outgoing}


def paths_of_last_two_layers(graph):
    """Written for networks whose last graph layer is all that the heads read."""
    last = graph.layers[-1]
    modules = {last.kernel[:-1]} | {edge.kernel[:-1] for edge in last.outgoing}
    return {(*module, leaf) for module in modules for leaf in ("kernel", "bias")}


def gradients(params, activations):
    """A tree like the parameters, whose entries are not theirs."""
    del activations
    return jax.tree.map(lambda x: jnp.sin(100 * x), params)


def moved_tortoise(tortoise):
    """The state of hare and tortoise amid a run."""
    moved = jax.tree.map(lambda x: x + 1, tortoise.params)
    return tortoise._replace(params=moved, begun=jnp.array(True))


class Entry(NamedTuple):
    """An intervention and what it may change.

    Attributes:
        factory: as an agent is given it.
        may_touch: from a graph to the paths of parameters; None for all.
        moments: whether the optimizer's moments of those may change too.
        observed: from parameters and activations to what its `apply` looks at.
        counts: whether its counts may.
        goes_on: from the state at first to one in which it acts.
    """

    factory: InterventionFactory
    may_touch: Callable[[Any], set[trees.Path] | None] = paths_of_neurons
    moments: bool = True
    observed: Callable[[Any, Any], Any] = lambda params, activations: activations
    counts: bool = False
    goes_on: Callable[[Any], Any] = lambda state: state


def _budget(select: interventions.Selection) -> Entry:
    share = schedules.constant(0.3)
    return Entry(interventions.fixed_budget(share, select, **WINDOW))


INTERVENTIONS = {
    "none": Entry(interventions.none(), no_paths, moments=False),
    "normalize_and_project": Entry(
        interventions.normalize_and_project(), no_paths, moments=False
    ),
    "redo": Entry(interventions.redo(TAU, **WINDOW)),
    "redo_at_random": Entry(interventions.redo_at_random(TAU, **WINDOW)),
    "regrama": Entry(interventions.regrama(TAU, **WINDOW)),
    "adaptive_redo": Entry(interventions.adaptive_redo(0.34, 0.9, **WINDOW)),
    "lowest_score": _budget(interventions.lowest_score),
    "highest_score": _budget(interventions.highest_score),
    "at_random": _budget(interventions.at_random),
    "lowest_utility": _budget(interventions.lowest_utility),
    "continual_backprop": Entry(
        interventions.continual_backprop(0.5, maturity=0, **WINDOW)
    ),
    "self_normalized_resets": Entry(
        interventions.self_normalized_resets(threshold=1, **WINDOW)
    ),
    "dash": Entry(
        interventions.dash(**WINDOW), all_paths, moments=False, observed=gradients
    ),
    "dormant_perturbation": Entry(
        interventions.dormant_perturbation(tau=TAU, **WINDOW), all_paths, counts=True
    ),
    "hare_and_tortoise": Entry(
        interventions.hare_and_tortoise(average_period=10, **WINDOW),
        *(all_paths, False),
        goes_on=moved_tortoise,
    ),
    "optimizer_reset": Entry(
        interventions.optimizer_reset(**WINDOW), all_paths, counts=True
    ),
    "prune": Entry(interventions.prune(TAU, **WINDOW)),
    "layer_reset": Entry(
        interventions.layer_reset(2, **WINDOW), paths_of_last_two_layers
    ),
    "shrink_and_perturb": Entry(
        interventions.shrink_and_perturb(**WINDOW), all_paths, moments=False
    ),
    "shrink_and_reset": Entry(
        interventions.shrink_and_perturb(
            0.5, 0.5, **WINDOW, num_reset_layers=2, moments=0.0
        ),
        all_paths,
    ),
}

# Convolutional and not, one head and two, with and without biases, a residual stream
# that is not recycled, and several outputs per neuron.
NETWORKS = (
    "mlp_without_bias",
    "dueling",
    "nested",
    "drq_crelu_layer_norm",
    "impala_crelu",
)

REGULARIZED = {
    "l2_to_init": (optax.chain(optimizers.l2_to_init(0.1), optax.adam(1e-3)), 2),
    "coupled_decay": (
        optax.chain(optimizers.coupled_weight_decay(0.1), optax.adam(1e-3)),
        2,
    ),
    "parseval": (optax.chain(parseval.parseval([]), optax.adam(1e-3)), 2),
    "decoupled_decay": (
        optax.chain(optax.adam(1e-3), optimizers.decoupled_weight_decay(10.0, 1e-3)),
        2,
    ),
}
SCHEDULED = {
    "linear_decay": (
        optax.chain(optax.adam(1e-3), optimizers.linear_decay(0.1, 100)),
        2,
    ),
}
OWN_BIAS_CORRECTION = {
    "own_bias_correction": (
        optax.chain(optax.adam(1e-3), optimizers.own_bias_correction()),
        3,
    ),
}
UPGD = {
    "upgd": (optax.chain(upgd.upgd(), optax.sgd(1e-2)), 1),
    "adaptive_upgd": (optax.chain(upgd.adaptive_upgd(), optax.sgd(1e-3)), 3),
}
ALL_OPTIMIZERS = OPTIMIZERS | REGULARIZED | SCHEDULED | OWN_BIAS_CORRECTION | UPGD


class Subject(NamedTuple):
    """An intervention on a network, with what its `apply` takes."""

    intervention: Intervention
    apply: Callable[..., Any]
    params: Any
    opt_state: optax.OptState
    state: Any
    activations: interventions.Activations
    traces: list[None]

    def at(self, step: Any, key: Any = None, apply: Callable[..., Any] | None = None):
        """`(params, opt_state, state, metrics)` of `apply` at a step."""
        key = jax.random.PRNGKey(5) if key is None else key
        apply = apply or self.apply
        return apply(
            key, self.params, self.opt_state, self.state, self.activations, step
        )


@functools.cache
def trained(network: str, optimizer_name: str = "adam") -> tuple[Any, Any, Any]:
    """Parameters and state after updates, and activations of a batch."""
    optimizer, _ = ALL_OPTIMIZERS[optimizer_name]
    params, opt_state = after_updates(optimizer, networks.params_of(network))
    states = networks.ALL_CASES[network].states(8)
    return params, opt_state, networks.activations_of(network)(params, states)


@functools.cache
def subject(name: str, network: str, optimizer_name: str = "adam") -> Subject:
    """An entry of the table on a network, compiled once."""
    entry = INTERVENTIONS[name]
    made = make(entry.factory, network, optimizer_name)
    observed = entry.observed(made.params, made.activations)
    return made._replace(activations=observed, state=entry.goes_on(made.state))


def stand_in_draw(network: str) -> Callable[[jax.Array], Any]:
    """`key -> params` that compiles fast: one true draw, scaled by the key."""
    drawn = networks.params_of(network, 1)

    def draw(key: jax.Array) -> Any:
        scale = jax.random.uniform(key, minval=1, maxval=2)
        return jax.tree.map(lambda x: x * scale, drawn)

    return draw


def make(
    factory: InterventionFactory, network: str, optimizer_name: str = "adam"
) -> Subject:
    """Any intervention on a network."""
    graph = networks.ALL_CASES[network].graph
    optimizer, _ = ALL_OPTIMIZERS[optimizer_name]
    intervention = factory(graph, stand_in_draw(network), optimizer)
    params, opt_state, activations = trained(network, optimizer_name)
    traces: list[None] = []

    def apply(*args):
        traces.append(None)
        return intervention.apply(*args)

    state = intervention.init(params)
    jitted = jax.jit(apply)
    return Subject(intervention, jitted, params, opt_state, state, activations, traces)
