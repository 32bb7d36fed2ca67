"""The probe's initial parameters, perturbations at a new task, and optimizers.

Evolution strategies need the extra [evolution].
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.graph import (
    Layer,
    NetworkGraph,
    Params,
    leaves_by_path,
    shapes_by_path,
)
from redo_dopamine.core.graph import Path as LeafPath
from redo_dopamine.core.neuron_index import spread
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint

# From new parameters, the name of an environment and a seed to the initial ones.
InitFn = Callable[[Params, str, int], Params]


class TaskSwitch(NamedTuple):
    """Where a network stands when a new task begins."""

    params: Params  # As it has learned them.
    zero_gradient: Mapping[str, jax.Array]  # Which neurons [N], per layer.
    graph: NetworkGraph
    drawn: Params  # New ones from the initializers.
    key: jax.Array  # For noise.


# To the parameters that the new task begins with.
Perturbation = Callable[[TaskSwitch], Params]

_PARAMS = "agent['online_params']"


def fresh_network(drawn: Params, environment_id: str, seed: int) -> Params:
    """Begin with new parameters from the initializers."""
    del environment_id, seed
    return drawn


def aged_network(
    drawn: Params,
    environment_id: str,
    seed: int,
    root: str = "runs/ppo_activation",
    arm: str = "relu",
) -> Params:
    """Begin with the value network of a PPO run of the same environment and seed.

    Args:
        drawn: new parameters of the same network.
        environment_id: that it has learned in.
        seed: of the run.
        root: directory of the study that the run is of.
        arm: of the study.

    Raises:
        UserError: there is no such run, or its network is another one.
    """
    directory = Path(root) / arm / environment_id / str(seed) / "checkpoints"
    numbers = checkpoint.numbers(directory)
    if not numbers:
        raise UserError(
            f"An aged network must come from a run, but there is no checkpoint in "
            f"{directory}. Launch the study {Path(root).name} first, and start this "
            "where its directory lies, or bind aged_network.root. Runs unpacked from "
            "results/ have none: launch it into another --base_dir."
        )
    path = checkpoint.path_of(directory, numbers[0])
    arrays, _ = checkpoint.read(path)
    names = checkpoint.flatten(drawn, _PARAMS)
    own = {name: array for name, array in arrays.items() if name in names}
    try:
        aged = checkpoint.unflatten(drawn, own, _PARAMS)
    except ValueError as error:
        raise UserError(
            "An aged network must be of the network that RegressionProbe.network "
            f"names, but that of {path} is another one: {error}"
        ) from error
    return jax.tree.map(jnp.array, aged)


def undisturbed(switch: TaskSwitch) -> Params:
    """Leave the parameters as they are."""
    return switch.params


def redrawn(switch: TaskSwitch) -> Params:
    """Reinitialize the parameters: nothing of what was learned is left."""
    return switch.drawn


def disturb_zero_gradient(switch: TaskSwitch, std: float = 0.1) -> Params:
    r"""Add Gaussian noise to the incoming weights of zero-gradient neurons alone.

    .. math:: W_{\cdot i} \leftarrow W_{\cdot i} + \epsilon, \quad
              \epsilon \sim N(0, \text{std}^2)

    He, 2026 (arXiv 2603.21173); the standard deviation, in units of the weights, is
    ours.
    """
    return _disturbed(switch, switch.zero_gradient, std)


def disturb_at_random(switch: TaskSwitch, std: float = 0.1) -> Params:
    """Add the same noise to as many neurons of each layer, drawn at random."""
    stream = jax.random.fold_in(switch.key, 1)
    chosen = {
        name: jax.random.permutation(jax.random.fold_in(stream, i), mask)
        for i, (name, mask) in enumerate(switch.zero_gradient.items())
    }
    return _disturbed(switch, chosen, std)


def _disturbed(
    switch: TaskSwitch, chosen: Mapping[str, jax.Array], std: float
) -> Params:
    fed = {
        weights.path: (layer.name, weights.neurons)
        for layer in switch.graph.layers
        for weights in layer.fed_by(shapes_by_path(switch.params))
        if weights.is_kernel
    }
    leaves = []
    for i, (path, leaf) in enumerate(leaves_by_path(switch.params).items()):
        if path in fed:
            layer, index = fed[path]
            noise = jax.random.normal(jax.random.fold_in(switch.key, i + 2), leaf.shape)
            leaf = jnp.where(spread(chosen[layer], index), leaf + std * noise, leaf)
        leaves.append(leaf)
    return jax.tree.unflatten(jax.tree.structure(switch.params), leaves)


class ProbeOptimizer(NamedTuple):
    """An optimizer, and how often an update of it evaluates the loss of a batch.

    It makes an update of a gradient, or of the `value_fn` that it is given.
    """

    transformation: optax.GradientTransformation
    evaluations: int = 1


# From where the network stands, and a learning rate.
MakeOptimizer = Callable[[TaskSwitch, float], ProbeOptimizer]


def adam(switch: TaskSwitch, learning_rate: float) -> ProbeOptimizer:
    """Take Adam's steps on all weights."""
    del switch
    return ProbeOptimizer(optax.adam(learning_rate))


def adam_on_trapped_layer(switch: TaskSwitch, learning_rate: float) -> ProbeOptimizer:
    """Take Adam's steps on the weights into `trapped_layer` alone."""
    chosen = _weights_into(trapped_layer(switch))

    def others(params: Params) -> Params:
        held = [path not in chosen for path in leaves_by_path(params)]
        return jax.tree.unflatten(jax.tree.structure(params), held)

    hold_others = optax.masked(optax.set_to_zero(), others)
    return ProbeOptimizer(optax.chain(optax.adam(learning_rate), hold_others))


def evolution_on_trapped_layer(
    switch: TaskSwitch,
    learning_rate: float,
    population_size: int = 20,
    std: float = 0.02,
) -> ProbeOptimizer:
    r"""Use evolution strategies on the weights into `trapped_layer` alone.

    .. math:: g = \frac{1}{P \sigma} \sum_{p=1}^{P} r_p \epsilon_p, \quad
              \epsilon_p \sim N(0, I), \quad \epsilon_{P/2 + p} = -\epsilon_p

    where r_p is the centered rank of the loss at :math:`W + \sigma \epsilon_p`, and g
    goes into Adam in the gradient's place. The networks' own gradient is not used, so
    a neuron without one can move.

    Salimans et al., 2017 (arXiv 1703.03864), as evosax has it. Population and standard
    deviation are ours.

    Args:
        switch: with the initial network.
        learning_rate: of Adam.
        population_size: P, even: evaluations of the loss an update.
        std: sigma, in units of the weights.

    Raises:
        UserError: evosax is not installed.
        ValueError: a setting out of its range.
    """
    if population_size < 2 or population_size % 2:
        raise ValueError(
            "evolution_on_trapped_layer.population_size must be even and at least 2, "
            f"but is {population_size}. Members come in pairs, W + noise and W - noise."
        )
    if not std > 0:
        raise ValueError(
            f"evolution_on_trapped_layer.std must be > 0, but is {std}. Without noise "
            "every member of the population is the same."
        )
    chosen = _weights_into(trapped_layer(switch))
    optimizer = _evolution(chosen, switch.key, population_size, learning_rate, std)
    return ProbeOptimizer(optimizer, population_size)


def trapped_layer(switch: TaskSwitch) -> Layer:
    """Find the layer with the most zero-gradient neurons; the last one of several."""
    shares = [np.mean(switch.zero_gradient[x.name]) for x in switch.graph.layers]
    last = max(range(len(shares)), key=lambda i: (shares[i], i))
    return switch.graph.layers[last]


class _EvolutionState(NamedTuple):
    key: jax.Array
    search: Any


def _evolution(
    chosen: frozenset[LeafPath],
    key: jax.Array,
    population_size: int,
    learning_rate: float,
    std: float,
) -> optax.GradientTransformationExtraArgs:
    """Evolution strategies in the form of an optimizer, which needs `value_fn`."""
    try:
        from evosax.algorithms import Open_ES
    except ImportError as error:
        raise UserError(
            "Evolution strategies need evosax, which is not installed. Install the "
            "extra: pip install 'redo-dopamine[evolution]'."
        ) from error

    def make(params: Params) -> Any:
        return Open_ES(
            population_size,
            _part(params, chosen),
            optimizer=optax.adam(learning_rate),
            std_schedule=optax.constant_schedule(std),
        )

    def init(params: Params) -> _EvolutionState:
        strategy = make(params)
        mean = _part(params, chosen)
        state = strategy.init(key, mean, strategy.default_params)
        # A copy: the state is donated, and may be made more than once.
        return _EvolutionState(jnp.array(key), jax.tree.map(jnp.asarray, state))

    def update(
        updates: optax.Updates,
        state: _EvolutionState,
        params: Params | None = None,
        *,
        value_fn: Callable[[Params], jax.Array],
        **extra: Any,
    ) -> tuple[optax.Updates, _EvolutionState]:
        del updates, extra
        strategy = make(params)
        settings = strategy.default_params
        key, ask_key, tell_key = jax.random.split(state.key, 3)
        members, searched = strategy.ask(ask_key, state.search, settings)
        losses = jax.vmap(lambda part: value_fn(_whole(params, part)))(members)
        searched, _ = strategy.tell(tell_key, members, losses, searched, settings)
        found = _whole(params, strategy.get_mean(searched))
        moved = jax.tree.map(lambda new, old: new - old, found, params)
        return moved, _EvolutionState(key, searched)

    return optax.GradientTransformationExtraArgs(init, update)


def _weights_into(layer: Layer) -> frozenset[LeafPath]:
    return frozenset(weights.path for weights in layer.incoming)


def _part(params: Params, chosen: frozenset[LeafPath]) -> dict[str, jax.Array]:
    leaves = leaves_by_path(params).items()
    return {"/".join(path): leaf for path, leaf in leaves if path in chosen}


def _whole(params: Params, part: Mapping[str, jax.Array]) -> Params:
    leaves = leaves_by_path(params).items()
    whole = [part.get("/".join(path), leaf) for path, leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(params), whole)


GIN_NAMES: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(fresh_network, aged_network),
        *(undisturbed, redrawn, disturb_zero_gradient, disturb_at_random),
        *(adam, adam_on_trapped_layer, evolution_on_trapped_layer),
    )
}
