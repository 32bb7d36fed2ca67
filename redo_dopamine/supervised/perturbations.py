"""What a network begins a new task with: parameters, and noise on some of them.

What comes in: newly drawn parameters, or the checkpoint of a run. What leaves:
parameters.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import NetworkGraph, Params, leaves_by_path
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint

# From new parameters, the name of an environment and a seed to those to begin with.
Start = Callable[[Params, str, int], Params]


class Moment(NamedTuple):
    """Where a network stands when a new task begins.

    Attributes:
        params: as it has learned them.
        zero_gradient: which neurons are zero-gradient [N], per layer.
        graph: the network's layers.
        drawn: new parameters from the initializers.
        key: for noise.
    """

    params: Params
    zero_gradient: Mapping[str, jax.Array]
    graph: NetworkGraph
    drawn: Params
    key: jax.Array


# To the parameters that the new task begins with.
Perturbation = Callable[[Moment], Params]

_PARAMS = "agent['online_params']"


def fresh_network(drawn: Params, environment_id: str, seed: int) -> Params:
    """A network that has learned nothing: new parameters from the initializers."""
    del environment_id, seed
    return drawn


def aged_network(
    drawn: Params,
    environment_id: str,
    seed: int,
    root: str = "runs/ppo_activation",
    arm: str = "relu",
) -> Params:
    """The value network of a PPO run: of the same environment and seed.

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


def undisturbed(moment: Moment) -> Params:
    """No noise: the parameters as they are."""
    return moment.params


def redrawn(moment: Moment) -> Params:
    """New parameters: nothing of what was learned is left."""
    return moment.drawn


def disturb_zero_gradient(moment: Moment, std: float = 0.1) -> Params:
    r"""Gaussian noise on the incoming weights of zero-gradient neurons alone.

    .. math:: W_{\cdot i} \leftarrow W_{\cdot i} + \epsilon, \quad
              \epsilon \sim N(0, \text{std}^2)

    He, 2026 (arXiv 2603.21173); the standard deviation is ours.

    Args:
        moment: where the network stands.
        std: in units of the weights.
    """
    return _disturbed(moment, moment.zero_gradient, std)


def disturb_at_random(moment: Moment, std: float = 0.1) -> Params:
    """The same noise on as many neurons of each layer, drawn at random.

    Args:
        moment: where the network stands.
        std: in units of the weights.
    """
    stream = jax.random.fold_in(moment.key, 1)
    chosen = {
        name: jax.random.permutation(jax.random.fold_in(stream, i), mask)
        for i, (name, mask) in enumerate(moment.zero_gradient.items())
    }
    return _disturbed(moment, chosen, std)


def _disturbed(moment: Moment, chosen: Mapping[str, jax.Array], std: float) -> Params:
    layers = {layer.kernel: layer.name for layer in moment.graph.layers}
    leaves = []
    for i, (path, leaf) in enumerate(leaves_by_path(moment.params).items()):
        if path in layers:
            noise = jax.random.normal(jax.random.fold_in(moment.key, i + 2), leaf.shape)
            leaf = jnp.where(chosen[layers[path]], leaf + std * noise, leaf)
        leaves.append(leaf)
    return jax.tree.unflatten(jax.tree.structure(moment.params), leaves)
