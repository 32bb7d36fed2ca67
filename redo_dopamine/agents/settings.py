"""Checks of what an agent is given."""

from typing import Any

from dopamine.jax import networks as dopamine_networks

from redo_dopamine.networks.nature import NatureNetwork


def updates_per_train_step(replay_ratio: float | None, update_period: int) -> int:
    """Gradient updates every `update_period` agent steps.

    The replay ratio is the number of gradient updates per agent step, so this is
    `replay_ratio * update_period`.

    Args:
        replay_ratio: updates per agent step, or None for one update a train step.
        update_period: agent steps between two train steps.

    Raises:
        ValueError: the product is not a whole number >= 1.
    """
    if replay_ratio is None:
        return 1
    updates = replay_ratio * update_period
    if not updates >= 0.5 or abs(updates - round(updates)) > 1e-6:
        possible = ", ".join(f"{n / update_period:g}" for n in range(1, 5))
        raise ValueError(
            f"replay_ratio * update_period must be a whole number >= 1, but "
            f"{replay_ratio} * {update_period} = {updates:g}. With update_period = "
            f"{update_period} the possible replay ratios are {possible}, ..."
        )
    return round(updates)


def with_graph(network: Any) -> Any:
    """A network that knows its layers, for one that Dopamine's bindings name.

    Raises:
        ValueError: a network without a `graph()`.
    """
    if hasattr(network, "graph"):
        return network
    if isinstance(network, dopamine_networks.NatureDQNNetwork):
        return NatureNetwork(network.num_actions, network.inputs_preprocessed)
    raise ValueError(
        "A network must say which weights feed and read its neurons, but "
        f"{type(network).__name__} has no graph(). Use @NatureNetwork, or add a "
        "graph() method and record its activations (README, 'Your own network')."
    )
