"""What batches hold besides transitions: priorities, and keys of the network's noise.

Agents of distributions stand on these.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.settings import UNDONE_LOSS
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity.learner import (
    Batch,
    Learner,
    Loss,
    make_update,
    make_update_with_errors,
)
from redo_dopamine.replay.buffer import FrameReplay, as_batch
from redo_dopamine.replay.prioritized import PrioritizedFrameReplay

_SCHEMES: dict[str, type[FrameReplay]] = {
    "uniform": FrameReplay,
    "prioritized": PrioritizedFrameReplay,
}
# As in Dopamine: so that no priority is 0.
_SMALLEST = 1e-10


class PrioritizedDQNAgent(RecycledDQNAgent):
    """Draw batches as `replay_scheme` says, which Dopamine's constructors set.

    Theirs set "uniform" over it again, so that their replay is never prioritized
    (google/dopamine issue 230). Here it is: a transition's priority is the root of its
    error when last drawn, and an error's weight 1 / sqrt(P), over the largest.

    Args:
        num_actions: number of actions.
        replay_ratio: as in `RecycledDQNAgent`, and so is `loss_term`.
        **settings: of `PlasticAgent` and of the Dopamine agent.
    """

    OWN_SETTINGS: tuple[str, ...] = (
        *PlasticAgent.OWN_SETTINGS,
        *("replay_ratio", "loss_term"),
    )
    UNDONE = (*PlasticAgent.UNDONE, UNDONE_LOSS)

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        **settings: Any,
    ):
        # What is bound to RecycledDQNAgent does not hold here.
        self._initialize(num_actions, replay_ratio, settings)

    _scheme: str | None = None
    _drawn: np.ndarray  # The numbers of the transitions that were drawn last.

    @property
    def _replay_scheme(self) -> str:
        return self._scheme or "uniform"

    @_replay_scheme.setter
    def _replay_scheme(self, scheme: str) -> None:
        # The first is what is asked for.
        if self._scheme is None:
            self._scheme = scheme

    def _replay_class(self) -> type[FrameReplay]:
        if self._replay_scheme not in _SCHEMES:
            raise ValueError(
                f"replay_scheme must be one of {sorted(_SCHEMES)}, but is "
                f"{self._replay_scheme!r}. Use 'prioritized', as Rainbow does."
            )
        return _SCHEMES[self._replay_scheme]

    @property
    def _is_prioritized(self) -> bool:
        return self._replay_scheme == "prioritized"

    def _make_update(self, loss: Loss) -> Any:
        make = make_update_with_errors if self._is_prioritized else make_update
        return make(loss, self.optimizer)

    def _gradient_update(self) -> jax.Array:
        if not self._is_prioritized:
            return super()._gradient_update()
        learner = Learner(self.online_params, self.optimizer_state)
        learner, (loss, errors) = self._update(
            learner, self.target_network_params, self._batch_and_term()
        )
        self._finish_update(learner, loss)
        errors = np.asarray(errors)
        if np.isfinite(errors).all():  # If not, the runner says so of the loss.
            self._replay.update(self._drawn, priorities=np.sqrt(errors + _SMALLEST))
        return loss

    def _next_batch(self) -> Batch:
        if not self._is_prioritized:
            return super()._next_batch()
        drawn, metadata = self._replay.sample(with_sample_metadata=True)
        self._drawn = metadata.keys
        return as_batch(drawn) | {
            "probability": metadata.probabilities.astype(np.float32)
        }

    def _example_next(self, size: int) -> Batch:
        example = super()._example_next(size)
        if not self._is_prioritized:
            return example
        return example | {"probability": jax.ShapeDtypeStruct((size,), np.float32)}

    def _prepare(self, batch: Batch) -> Batch:
        batch = super()._prepare(batch)
        if "probability" not in batch:
            return batch
        weight = 1.0 / jnp.sqrt(batch["probability"] + _SMALLEST)
        return batch | {"weight": weight / jnp.max(weight)}


class KeyedDQNAgent(RecycledDQNAgent):
    """Add keys to every batch that is learned from, for what is random in an update.

    Batches of tracking have none: neurons are scored without noise.
    """

    def _build(self) -> None:
        self._draw_keys = compiled(self._split)
        super()._build()

    def _split(self, rng: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The agent's key after an update, and the batch's keys by name."""
        raise NotImplementedError

    def _next_batch(self) -> Batch:
        self._rng, keys = self._draw_keys(self._rng)
        return super()._next_batch() | keys

    def _example_next(self, size: int) -> Batch:
        return super()._example_next(size) | jax.eval_shape(self._split, self._rng)[1]
