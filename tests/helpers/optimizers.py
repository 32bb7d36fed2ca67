"""The optimizers that recycling is tried with, and states with history."""

from typing import Any

import jax
import numpy as np
import optax

# By name, with the number of moments that each keeps per parameter.
OPTIMIZERS = {
    "adam": (optax.adam(1e-3), 2),
    "adamw": (optax.adamw(1e-3, weight_decay=1e-2), 2),
    "decay_then_adam": (
        optax.chain(optax.add_decayed_weights(1e-5), optax.adam(1e-3)),
        2,
    ),
    "centered_rmsprop": (optax.rmsprop(1e-3, centered=True), 2),
    "momentum_sgd": (optax.sgd(1e-2, momentum=0.9), 1),
    "scheduled_adam": (optax.adam(optax.linear_schedule(1e-3, 1e-4, 100)), 2),
}


def after_updates(
    optimizer: optax.GradientTransformation, params: Any, num_updates: int = 2
) -> tuple[Any, optax.OptState]:
    """Parameters and optimizer state after updates with random gradients.

    The gradients are drawn, not derived, so that no moment of any entry is zero.
    """
    rng = np.random.default_rng(0)
    update = jax.jit(optimizer.update)
    opt_state = optimizer.init(params)
    for _ in range(num_updates):
        grads = jax.tree.map(
            lambda p: rng.normal(size=p.shape).astype(np.float32), params
        )
        updates, opt_state = update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    return params, opt_state
