"""From the steps of an episode to transitions.

What comes in: the last steps of a running episode, the newest of which has just been
added. What leaves: the transitions that are complete now, as records.

A window function is called once a step and gets a trajectory of at most
`update_horizon + stack_size` steps; after the last step of an episode the caller
clears it. Records must come in the order of their states.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from redo_dopamine.core.calling import SettingError, call, shown
from redo_dopamine.replay.records import Record


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


def rehearse(windows: WindowFn, settings: WindowSettings) -> None:
    """Call a window function on a short episode.

    Raises:
        SettingError: it does not give records.
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


def _discounted(steps: Sequence[Step], start: int, stop: int, gamma: float) -> float:
    """Sum of the rewards of steps[start:stop], discounted to the first."""
    total = 0.0
    # In this order and with these powers: floats then round as Dopamine's do.
    for k in range(stop - start):
        total += steps[start + k].reward * gamma**k
    return total


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
        )
