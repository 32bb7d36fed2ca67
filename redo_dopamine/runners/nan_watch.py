"""Stop a run whose losses or parameters are not finite, by a `NotFiniteError`.

In the loop nothing waits for the device: a number is looked at once it is there.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core.checks import not_finite
from redo_dopamine.errors import NotFiniteError

# Gradient steps between two looks at all parameters; every loss is looked at.
_PERIOD = 1000


class _Pending(NamedTuple):
    gradient_step: int
    all_finite: Any  # An array, perhaps still on its way.


class Watch:
    """Looks at the losses and parameters of an agent.

    Args:
        agent: with `recent_losses`, `gradient_step`, `training_steps`, and `TREES`:
            the attributes that a checkpoint must never hold with a NaN in them.
    """

    def __init__(self, agent: Any):
        self._agent = agent
        self._pending: _Pending | None = None
        self._looked_at = agent.gradient_step
        self._all_finite = jax.jit(_all_finite)

    def look(self) -> None:
        """Look at what the device has finished by now, without waiting for it.

        Raises:
            NotFiniteError: a number is not finite.
        """
        losses = self._agent.recent_losses
        while losses and losses[0][1].is_ready():
            self._check_loss(*losses.popleft())
        step = self._agent.gradient_step
        if self._pending is not None:
            if self._pending.all_finite.is_ready():
                pending, self._pending = self._pending, None
                if not pending.all_finite:
                    self._fail(f"by gradient step {pending.gradient_step} some are not")
        elif step - self._looked_at >= _PERIOD:
            self._looked_at = step
            self._pending = _Pending(step, self._all_finite(self._agent.online_params))

    def look_at_all(self) -> None:
        """Wait for the device and look at everything that a checkpoint would hold.

        Raises:
            NotFiniteError: a number is not finite.
        """
        losses = self._agent.recent_losses
        while losses:
            self._check_loss(*losses.popleft())
        if next(self._damaged(), None) is not None:
            self._fail(f"by gradient step {self._agent.gradient_step} some are not")

    def _check_loss(self, gradient_step: int, loss: Any) -> None:
        value = float(loss)
        if not math.isfinite(value):
            self._fail(f"the loss of gradient step {gradient_step} is {value}")

    def _damaged(self) -> Iterator[str]:
        for name in self._agent.TREES:
            yield from not_finite({name: getattr(self._agent, name)})

    def _fail(self, what: str) -> None:
        found = list(self._damaged())
        where = "all parameters are finite"
        if found:
            more = f", and {len(found) - 1} more arrays" if found[1:] else ""
            where = f"not finite: {found[0]}{more}"
        raise NotFiniteError(
            "The losses and parameters of a run must be finite, but at agent step "
            f"{self._agent.training_steps} {what} ({where})."
        )


def _all_finite(params: Mapping[str, Any]) -> jax.Array:
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]
    return jnp.stack(leaves).all()
