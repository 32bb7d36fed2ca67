"""Which neurons a fixed budget goes to: a number per neuron, the least go first."""

from collections.abc import Callable

import jax

from redo_dopamine.core import scores
from redo_dopamine.core.graph import leaves_by_path
from redo_dopamine.core.interventions.recycling import View

# What is kept longest has the highest number, [N].
Selection = Callable[[View], jax.Array]


def lowest_score(view: View) -> jax.Array:
    """The least active neurons, by dormancy score.

    Args:
        view: a layer and what was observed of it.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return scores.dormancy_score(view.activation)


def highest_score(view: View) -> jax.Array:
    """The most active neurons: a control that is meant to do harm.

    Args:
        view: a layer and what was observed of it.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return -scores.dormancy_score(view.activation)


def at_random(view: View) -> jax.Array:
    """Neurons drawn without replacement, anew at each recycle.

    Args:
        view: a layer, for its width and its key.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return jax.random.uniform(view.key, view.activation.shape[-1:])


def lowest_utility(view: View) -> jax.Array:
    """The least useful neurons by the measure of continual backprop.

    See `scores.utility`. A neuron that was just recycled has outgoing weights of
    zero and so the least utility of all; continual backprop spares young neurons,
    the comparison of Sokar et al. (ICML 2023) is taken not to, nor does this.

    Args:
        view: a layer, what was observed of it, and its weights.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    weights = leaves_by_path(view.params)
    return scores.utility(
        view.activation,
        weights[view.layer.kernel],
        [weights[edge.kernel] for edge in view.layer.outgoing],
    )
