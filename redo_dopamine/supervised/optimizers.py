"""How a network that is taught a task looks for better weights: with gradients or not.

What comes in: where the network stands at the beginning, and a step size. What leaves:
an optax transformation, and what it costs. Evolution strategies need the extra
[evolution].
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.graph import Layer, Params, Path, leaves_by_path
from redo_dopamine.errors import UserError
from redo_dopamine.supervised.perturbations import Moment


class Search(NamedTuple):
    """A search for better weights.

    Attributes:
        optimizer: makes an update of a gradient, or of the `value_fn` that it is given:
            the loss of a batch, of parameters.
        evaluations: how often an update evaluates that loss.
    """

    optimizer: optax.GradientTransformation
    evaluations: int = 1


# From where the network stands, and a learning rate.
MakeSearch = Callable[[Moment, float], Search]


def adam(moment: Moment, learning_rate: float) -> Search:
    """Adam on all weights."""
    del moment
    return Search(optax.adam(learning_rate))


def adam_on_trapped_layer(moment: Moment, learning_rate: float) -> Search:
    """Adam on the weights into `trapped_layer` alone; the others stay."""
    chosen = _weights_into(trapped_layer(moment))

    def others(params: Params) -> Params:
        held = [path not in chosen for path in leaves_by_path(params)]
        return jax.tree.unflatten(jax.tree.structure(params), held)

    hold_others = optax.masked(optax.set_to_zero(), others)
    return Search(optax.chain(optax.adam(learning_rate), hold_others))


def evolution_on_trapped_layer(
    moment: Moment, learning_rate: float, population_size: int = 20, std: float = 0.02
) -> Search:
    r"""Evolution strategies on the weights into `trapped_layer` alone.

    .. math:: g = \frac{1}{P \sigma} \sum_{p=1}^{P} r_p \epsilon_p, \quad
              \epsilon_p \sim N(0, I), \quad \epsilon_{P/2 + p} = -\epsilon_p

    where r_p is the centered rank of the loss at :math:`W + \sigma \epsilon_p`, and g
    goes into Adam in the gradient's place. The networks' own gradient is not used, so
    a neuron without one can move.

    Salimans et al., 2017 (arXiv 1703.03864), as evosax has it. Population and standard
    deviation are ours.

    Args:
        moment: where the network stands.
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
    chosen = _weights_into(trapped_layer(moment))
    search = _evolution(chosen, moment.key, population_size, learning_rate, std)
    return Search(search, population_size)


def trapped_layer(moment: Moment) -> Layer:
    """The layer with the largest share of zero-gradient neurons.

    Of several, the one nearest the output.
    """
    shares = [np.mean(moment.zero_gradient[x.name]) for x in moment.graph.layers]
    last = max(range(len(shares)), key=lambda i: (shares[i], i))
    return moment.graph.layers[last]


class _EvolutionState(NamedTuple):
    key: jax.Array
    search: Any


def _evolution(
    chosen: frozenset[Path],
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


def _weights_into(layer: Layer) -> frozenset[Path]:
    return frozenset(path for path in (layer.kernel, layer.bias) if path is not None)


def _part(params: Params, chosen: frozenset[Path]) -> dict[str, jax.Array]:
    return {
        "/".join(path): leaf
        for path, leaf in leaves_by_path(params).items()
        if path in chosen
    }


def _whole(params: Params, part: Mapping[str, jax.Array]) -> Params:
    leaves = [
        part.get("/".join(path), leaf) for path, leaf in leaves_by_path(params).items()
    ]
    return jax.tree.unflatten(jax.tree.structure(params), leaves)
