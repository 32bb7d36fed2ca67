"""What this machine has memory for."""

import math
import os
from collections.abc import Callable
from typing import Any

import jax

BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
# A network, its target network, a gradient, and two moments of the optimizer.
_COPIES = 5


def check_network(draw_params: Callable[[jax.Array], Any]) -> None:
    """Refuse a network that cannot be trained in this memory, before it is drawn.

    Args:
        draw_params: new parameters from a key; it is only asked for their shapes.

    Raises:
        ValueError: the network is too large.
    """
    shapes = jax.tree.leaves(jax.eval_shape(draw_params, jax.random.PRNGKey(0)))
    needed = _COPIES * sum(math.prod(x.shape) * x.dtype.itemsize for x in shapes)
    if needed > BYTES:
        raise ValueError(
            "width must leave room for the network, its gradient and the optimizer, "
            f"but they need {needed / 2**30:,.0f} GiB and this machine has "
            f"{BYTES / 2**30:,.0f}. Make the network narrower."
        )
