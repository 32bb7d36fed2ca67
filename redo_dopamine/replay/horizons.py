"""Cut transitions to a shorter horizon when they are drawn.

A buffer stores them at the longest horizon, with every reward of the window, so that
the horizon and the discount may change from batch to batch.
"""

from collections.abc import Callable

import numpy as np

# The horizon and the discount per step of the next batch.
DrawAt = Callable[[], tuple[int, float]]


def cut(rows: np.ndarray, horizon: int, gamma: float) -> np.ndarray:
    r"""Records as they are with another horizon n and another discount.

    .. math:: R = \sum_{k < \min(n, m)} \gamma^k r_k

    of the m rewards of a window. The next state is n steps on, or where the episode
    ended; a transition whose window stops before the end is not terminal. At the
    horizon and the discount that they were stored with, they are the same bit for bit.

    Args:
        rows: records [B] with `rewards` [B, longest], a `RecordRing`'s; they are
            overwritten.
        horizon: n >= 1, at most the longest.
        gamma: discount per step.

    Returns:
        The rows.

    Raises:
        ValueError: a horizon that was not stored.
    """
    longest = rows["rewards"].shape[1]
    if horizon != int(horizon) or not 1 <= horizon <= longest:
        raise ValueError(
            "The horizon of a batch must be a whole number from 1 to update_horizon, "
            f"{longest}, but is {horizon}. Raise update_horizon to the longest."
        )
    total = np.zeros(len(rows))
    # In this order and with these powers, as `windows` sums them.
    for k in range(int(horizon)):
        total += rows["rewards"][:, k] * gamma**k
    rows["reward"] = total
    rows["span"] = np.minimum(rows["span"], horizon)
    reaches_end = rows["end"] <= horizon
    rows["terminal"] &= reaches_end
    rows["episode_end"] &= reaches_end
    return rows
