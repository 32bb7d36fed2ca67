"""Draw slots with probabilities in proportion to numbers that change."""

import numpy as np
import numpy.typing as npt


class SumTree:
    """Numbers >= 0 by slot, and sums of them, so that a draw takes log2(N) steps.

    It has the part of Dopamine's `SumTree` that its agents use. A sum is always that
    of its two halves, never added to: rounding does not pile up over a run.

    Args:
        capacity: N, how many slots there are.

    Attributes:
        max_recorded_priority: the largest number so far, and at least 1.
    """

    def __init__(self, capacity: int):
        self._depth = max(1, int(np.ceil(np.log2(capacity))))
        # Node 1 is the root, 2 i and 2 i + 1 are the halves of i.
        self._nodes = np.zeros(2 << self._depth)
        self._first_leaf = 1 << self._depth
        self._capacity = capacity
        self.max_recorded_priority = 1.0

    @property
    def root(self) -> float:
        """The sum of all."""
        return float(self._nodes[1])

    def get(self, slots: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """The numbers of slots [N]."""
        return self._nodes[self._first_leaf + slots]

    def set(self, slots: npt.NDArray[np.integer], values: npt.ArrayLike) -> None:
        """Set the numbers of slots [N]; of a slot that comes twice, the last counts.

        Raises:
            ValueError: a value is negative or not finite.
        """
        values = np.broadcast_to(np.asarray(values, np.float64), slots.shape)
        if not np.all(np.isfinite(values) & (values >= 0)):
            raise ValueError(
                f"Priorities must be finite and >= 0, but the smallest is "
                f"{values.min()} and the largest {values.max()}. Check the losses."
            )
        if not values.size:
            return
        self.max_recorded_priority = max(self.max_recorded_priority, values.max())
        nodes = self._first_leaf + slots
        self._nodes[nodes] = values
        for _ in range(self._depth):
            nodes = np.unique(nodes // 2)
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def query(self, targets: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The slots [N] in which running sums pass targets [N] in [0, root)."""
        nodes, rest = np.ones(targets.shape, np.int64), targets.copy()
        for _ in range(self._depth):
            left = self._nodes[2 * nodes]
            # By rounding a target can pass the end; it never goes where nothing is.
            right = (rest >= left) & (self._nodes[2 * nodes + 1] > 0)
            rest -= np.where(right, left, 0.0)
            nodes = 2 * nodes + right
        return nodes - self._first_leaf

    def values(self) -> npt.NDArray[np.float64]:
        """The numbers of all slots [capacity]."""
        return self._nodes[self._first_leaf :][: self._capacity]
