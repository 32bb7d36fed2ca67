"""Turn the steps of an episode into transitions, as soon as each is complete.

A window function is called once a step and gets a trajectory of at most
`update_horizon + stack_size` steps, the newest of which has just been added; after the
last step of an episode the caller clears it. Records must come in the order of their
states.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from redo_dopamine.core.checks import SettingError, call, shown


class Record(NamedTuple):
    """One transition, its observations named by number.

    Attributes:
        frame: number of the state's last frame.
        depth: how many of the state's stacked frames are of its episode; the others,
            before them, are zeros.
        span: steps from the state to the next state.
        action: taken in the state.
        reward: discounted sum over the window.
        terminal: whether the value of the next state must not count.
        episode_end: whether the episode ends with this transition.
        rewards: those of the window, for who cuts it shorter (`horizons`).
        end: the least horizon with which `terminal` and `episode_end` still hold.
    """

    frame: int
    depth: int
    span: int
    action: Any
    reward: float
    terminal: bool
    episode_end: bool
    rewards: Sequence[float] = ()
    end: int = 0


class RecordRing:
    """The newest `capacity` records.

    Args:
        capacity: how many are kept.
        action: type of one action.
        action_shape: shape of one action; () for a discrete one.
        num_rewards: the rewards of a window that are kept; 0 where none is cut.

    Attributes:
        end: number that the next record will get.
    """

    def __init__(
        self,
        capacity: int,
        action: npt.DTypeLike,
        action_shape: Sequence[int],
        num_rewards: int = 0,
    ):
        self.num_rewards = num_rewards
        fields: list[tuple[Any, ...]] = [
            ("frame", np.int64),
            ("reward", np.float64),
            ("action", action, tuple(action_shape)),
            ("depth", np.int32),
            ("span", np.int32),
            ("terminal", np.bool_),
            ("episode_end", np.bool_),
        ]
        if num_rewards:
            fields += [("end", np.int32), ("rewards", np.float64, (num_rewards,))]
        self.dtype = np.dtype(fields, align=True)
        self.end = 0
        # Zeros, because the system hands out their memory only when it is written.
        self._slots = np.zeros(capacity, self.dtype)

    def __len__(self) -> int:
        return min(self.end, len(self._slots))

    @property
    def first(self) -> int:
        """Number of the oldest record."""
        return self.end - len(self)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, of what has been written."""
        return len(self) * self.dtype.itemsize

    def append(self, record: Record) -> None:
        """Add one, in the place of the oldest if the ring is full."""
        frame, depth, span, action, reward, terminal, episode_end, rewards, end = record
        values = (frame, reward, action, depth, span, terminal, episode_end)
        more: tuple[Any, ...] = ()
        if self.num_rewards:
            missing = self.num_rewards - len(rewards)
            more = (end, (*rewards, *[0.0] * missing))
        self._slots[self.end % len(self._slots)] = (*values, *more)
        self.end += 1

    def take(self, slots: npt.NDArray[np.integer]) -> np.ndarray:
        """Records [N] by their slots [N], a new structured array."""
        return self._slots.take(slots)

    def numbers(self, slots: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Which records lie in these slots [N]."""
        capacity = len(self._slots)
        newest = self.end - 1
        return newest - (newest - slots) % capacity

    def first_frame(self) -> int:
        """The first frame of the oldest record's state.

        Raises:
            IndexError: there is no record.
        """
        if not self:
            raise IndexError("A ring of records must not be empty to have an oldest.")
        oldest = self._slots[self.first % len(self._slots)]
        return int(oldest["frame"]) - int(oldest["depth"]) + 1

    def since(self, number: int) -> np.ndarray:
        """The records from this number on that are still there, oldest first."""
        start = max(number, self.first)
        return self.take(np.arange(start, self.end) % len(self._slots))

    def restore(self, records: np.ndarray, end: int) -> None:
        """Restore records [N] that end before this number, in the place of all."""
        numbers = np.arange(end - len(records), end)
        self._slots[numbers % len(self._slots)] = records
        self.end = end


class Step(NamedTuple):
    """What an agent saw and did at one time, and what came of it."""

    frame: int
    action: Any
    reward: float
    terminal: bool
    episode_end: bool


class WindowSettings(NamedTuple):
    """What a transition is made of: frames per state, steps, discount per step."""

    stack_size: int
    update_horizon: int
    gamma: float


WindowFn = Callable[[Sequence[Step], WindowSettings], Iterator[Record]]


def rehearse(windows: WindowFn, settings: WindowSettings, cuts: bool = False) -> None:
    """Call a window function on a short episode.

    Args:
        windows: the function.
        settings: what it is called with.
        cuts: whether its records are to be cut shorter, which takes their rewards.

    Raises:
        SettingError: it does not give such records.
    """
    of = "(steps, settings) that gives Records"
    last = settings.update_horizon + settings.stack_size
    # As far as the longest trajectory, or some steps where that would take long.
    for length in {1, min(2, last), min(last, 64)}:
        for ends in (False, True):
            steps = [Step(i, 0, 0.0, False, False) for i in range(length - 1)]
            steps.append(Step(length - 1, 0, 0.0, ends, ends))
            found = call(
                "windows",
                lambda steps: list(windows(steps, settings)),
                steps,
                of=of,
                named=windows,
            )
            if not all(isinstance(record, Record) for record in found):
                raise SettingError(
                    f"windows must be a function of {of}, but {shown(windows)} gives "
                    f"a {type(found[0]).__name__}. Use @dopamine_windows."
                )
            if cuts and not all(record.rewards for record in found):
                raise SettingError(
                    "windows must give Records with their rewards, where horizons "
                    f"change, but {shown(windows)} gives some without. Use "
                    "@complete_windows."
                )


def _discounted(steps: Sequence[Step], start: int, stop: int, gamma: float) -> float:
    """Sum of the rewards of steps[start:stop], discounted to the first."""
    total = 0.0
    # In this order and with these powers: floats then round as Dopamine's do.
    for k in range(stop - start):
        total += steps[start + k].reward * gamma**k
    return total


def _rewards(steps: Sequence[Step], start: int, stop: int) -> list[float]:
    return [steps[i].reward for i in range(start, stop)]


def dopamine_windows(
    steps: Sequence[Step], settings: WindowSettings
) -> Iterator[Record]:
    """Exactly the transitions of Dopamine's TransitionAccumulator (4.1.2).

    Step i becomes a transition when step i + n is there, the next state its
    observation. A terminal step begins no transition of its own: it completes, with
    shorter windows, those that are waiting. What is peculiar about it:

    - the last reward of an episode counts only in the windows that were shortened:
      with n = 1 never, although the transition is marked terminal;
    - at a terminal step the transition whose window is whole may come several times,
      every time with one frame less in its first state.

    Args:
        steps: the trajectory, its newest step the last.
        settings: stack size, n and gamma.

    Yields:
        The transitions of the newest step.
    """
    stack_size, horizon, gamma = settings
    length, last = len(steps), steps[-1]
    if not last.terminal and length <= horizon:
        return
    # A terminal step empties the trajectory from the left, down to itself.
    for left in range(length - 1 if last.terminal else 1):
        span = min(horizon, length - 1 - left)
        state = length - 1 - span
        stop = min(state + horizon, length)
        yield Record(
            frame=steps[state].frame,
            depth=min(stack_size, state - left + 1),
            span=span,
            action=steps[state].action,
            reward=_discounted(steps, state, stop, gamma),
            terminal=last.terminal,
            episode_end=last.terminal,
            rewards=_rewards(steps, state, stop),
            end=span,
        )


def complete_windows(
    steps: Sequence[Step], settings: WindowSettings
) -> Iterator[Record]:
    """Every step of an episode begins one transition, with its true n-step reward.

    It differs from Dopamine 4.1.2, whose windows stop before the terminal step: here
    the last step is a transition too, the last reward of an episode is in the window
    of each of its last n steps, only these are terminal, and none comes twice. One
    may want it where the reward comes with the end of an episode, such as in a game
    that is won or lost, since Dopamine's one-step transitions never see it.

    A terminal transition has the last step's observation as its next state, because
    none comes after it; its value must not count anyway. Of an episode that was cut
    off, the steps are transitions whose state n steps later has been seen.

    Args:
        steps: the trajectory, its newest step the last.
        settings: stack size, n and gamma.

    Yields:
        The transitions of the newest step.
    """
    stack_size, horizon, gamma = settings
    length, last = len(steps), steps[-1]
    # States before this one have been in a window since an earlier step.
    for state in range(
        max(0, length - 1 - horizon), length if last.terminal else length - horizon
    ):
        stop = min(state + horizon, length)
        terminal = last.terminal and stop == length
        yield Record(
            frame=steps[state].frame,
            depth=min(stack_size, state + 1),
            span=length - 1 - state,
            action=steps[state].action,
            reward=_discounted(steps, state, stop, gamma),
            terminal=terminal,
            episode_end=terminal or (last.episode_end and not last.terminal),
            rewards=_rewards(steps, state, stop),
            end=stop - state,
        )
