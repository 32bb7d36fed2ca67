"""Draw transitions by priority: Dopamine's prioritized replay, of frames."""

import base64
from collections.abc import Mapping
from typing import Any

import gin
import numpy as np
import numpy.typing as npt
import snappy
from dopamine.jax.replay_memory import elements, samplers

from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.replay.segments import Contents
from redo_dopamine.replay.sum_tree import SumTree


class SlotPriorities(samplers.PrioritizedSamplingDistribution):
    """The settings of Dopamine's distribution, over the slots of a buffer.

    Args:
        seed: of the draws.
        max_capacity: how many slots there are.
        **dopamine_settings: `priority_exponent`, to be given here or bound to
            `PrioritizedSamplingDistribution`.
    """

    def __init__(self, seed: Any, max_capacity: int, **dopamine_settings: Any):
        super().__init__(seed, max_capacity=max_capacity, **dopamine_settings)
        self._sum_tree = SumTree(max_capacity)

    @property
    def exponent(self) -> float:
        """Alpha of Schaul et al., of the priorities that are handed over."""
        return self._priority_exponent


@gin.configurable(module="redo_dopamine", allowlist=["windows"])
class PrioritizedFrameReplay(FrameReplay):
    r"""Prioritized replay (Schaul et al., ICLR 2016), with Dopamine's interface.

    .. math:: P(i) = p_i^\alpha / \sum_j p_j^\alpha

    A transition is drawn with this probability, with replacement, and has the largest
    priority so far until it is updated. With a generator that is not the buffer's own,
    as tracking has one, all transitions are as likely.

    Args:
        seed: of the draws.
        **settings: of `FrameReplay`.
    """

    def __init__(self, *, seed: Any, **settings: Any):
        super().__init__(seed=seed, **settings)
        self._sampling_distribution = SlotPriorities(seed, self._max_capacity)

    @property
    def _tree(self) -> SumTree:
        return self._sampling_distribution._sum_tree

    def _slots(self, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        return np.asarray(numbers, np.int64) % self._max_capacity

    def _powers(self, priorities: Any) -> npt.NDArray[np.float64]:
        return (
            np.asarray(priorities, np.float64) ** self._sampling_distribution.exponent
        )

    def add(
        self, transition: elements.TransitionElement, *, priority: float | None = None
    ) -> None:
        """Add a step of the running episode, and the transitions it completes.

        Args:
            transition: a step in Dopamine's terms.
            priority: of the transitions that it completes; None for the largest so far.

        Raises:
            ValueError: a negative priority; an observation or action whose type or
                shape is not that of the first.
        """
        first = self.add_count
        super().add(transition)
        value = (
            self._tree.max_recorded_priority
            if priority is None
            else self._powers(priority)
        )
        self._tree.set(self._slots(np.arange(first, self.add_count)), value)

    def clear(self) -> None:
        """Forget every transition and priority; the draws go on."""
        super().clear()
        self._sampling_distribution._sum_tree = SumTree(self._max_capacity)

    def sample(
        self,
        size: int | None = None,
        *,
        with_sample_metadata: bool = False,
        rng: np.random.Generator | None = None,
    ) -> Any:
        """Draw transitions by priority; uniformly if it is with a generator `rng`.

        Returns:
            As `FrameReplay.sample`; metadata hold `probabilities` besides.
        """
        size = self._batch_size if size is None else size
        root = self._tree.root
        if rng is not None or root == 0 or size < 1:
            drawn, metadata = super().sample(size, with_sample_metadata=True, rng=rng)
            probabilities = np.full(size, 1 / self.num_transitions)
            keys = metadata.keys
        else:
            slots = self._tree.query(self._rng.uniform(0, root, size))
            drawn, keys = self.transitions(slots), self._numbers(slots)
            probabilities = self._tree.get(slots) / root
        if not with_sample_metadata:
            return drawn
        return drawn, samplers.PrioritizedSampleMetadata(keys, probabilities)

    def update(self, keys: Any, **kwargs: Any) -> None:
        """Give transitions new priorities; those that are gone are left out.

        Args:
            keys: the transitions' numbers [N], from a sample's metadata.
            **kwargs: `priorities` [N].

        Raises:
            ValueError: a priority is negative or not finite.
        """
        keys, priorities = np.atleast_1d(keys), np.atleast_1d(kwargs["priorities"])
        there = keys >= self.add_count - self.num_transitions
        self._tree.set(self._slots(keys[there]), self._powers(priorities[there]))

    # What a checkpoint holds.

    def _checked_settings(self) -> dict[str, Any]:
        return {
            **super()._checked_settings(),
            "priority_exponent": self._sampling_distribution.exponent,
        }

    def _state(self) -> dict[str, Any]:
        values = self._tree.values()[: self.num_transitions]
        packed = base64.b64encode(snappy.compress(values.tobytes())).decode()
        return {
            **super()._state(),
            "priorities": packed,
            "largest_priority": float(self._tree.max_recorded_priority),
        }

    def _restore(self, state: Mapping[str, Any], contents: Contents | None) -> None:
        packed = base64.b64decode(state["priorities"], validate=True)
        values = np.frombuffer(snappy.uncompress(packed), np.float64)
        count = 0 if contents is None else len(contents.records)
        if len(values) != count:
            raise ValueError(f"{count} transitions have {len(values)} priorities")
        tree = SumTree(self._max_capacity)
        tree.set(np.arange(count), values)
        tree.max_recorded_priority = float(state["largest_priority"])
        super()._restore(state, contents)
        self._sampling_distribution._sum_tree = tree
