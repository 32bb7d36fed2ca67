"""The one progress bar of a run, on standard error."""

import contextlib
import math
import sys
from collections.abc import Iterator

import tqdm

_FORMAT = (
    "{{desc}}{{percentage:3.0f}}%|{{bar}}| {{n_fmt}}/{{total_fmt}} {unit} "
    "[{{elapsed}}<{{remaining}}, {{rate_fmt}}{{postfix}}]"
)


class Progress:
    """Iteration, agent steps per second, time left, last return, dormant fraction.

    An iteration ends with an episode, so it may have more steps than it was meant
    to; the total grows with them.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str = "agent steps") -> None:
        self._format = _FORMAT.format(unit=unit)
        self._bar: tqdm.tqdm | None = None
        self._num_iterations = 0
        self._steps_per_iteration = 0
        self._steps_left = 0
        self._episode_return = math.nan
        self._dormant_fraction = math.nan

    @contextlib.contextmanager
    def over(
        self,
        start_iteration: int,
        num_iterations: int,
        steps_per_iteration: int,
        steps_done: int,
    ) -> Iterator[None]:
        """Show the bar while the block runs."""
        self._num_iterations = num_iterations
        self._steps_per_iteration = steps_per_iteration
        iterations_left = num_iterations - start_iteration
        with tqdm.tqdm(
            total=steps_done + iterations_left * steps_per_iteration,
            initial=steps_done,
            unit=" steps",
            bar_format=self._format,
            # A log file gets a line now and then, a terminal a lively bar.
            mininterval=0.2 if sys.stderr.isatty() else 30,
            dynamic_ncols=True,
        ) as self._bar:
            yield
        self._bar = None

    def start_iteration(self, iteration: int, steps_done: int = 0) -> None:
        """Name the iteration and allow for what it has left of its steps."""
        self._steps_left = max(0, self._steps_per_iteration - steps_done)
        if self._bar is not None:
            if steps_done > 0:
                self._bar.total -= self._steps_per_iteration - self._steps_left
            self._bar.set_description(
                f"Iteration {iteration + 1}/{self._num_iterations}", refresh=False
            )

    def start_evaluation(self, iteration: int) -> None:
        """Say that the steps to come do not count."""
        if self._bar is not None:
            self._bar.set_description(
                f"Evaluating {iteration + 1}/{self._num_iterations}"
            )

    def advance(self, dormant_fraction: float) -> None:
        """Count one step, and show a dormant fraction that is new."""
        if self._bar is None:
            return
        if self._steps_left > 0:
            self._steps_left -= 1
        else:
            self._bar.total += 1
        if dormant_fraction != self._dormant_fraction and dormant_fraction >= 0:
            self._dormant_fraction = dormant_fraction
            self._show()
        self._bar.update()

    def end_episode(self, episode_return: float) -> None:
        """Show the return of the last episode."""
        self._episode_return = episode_return
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            seen = {
                f"return {self._episode_return:g}": self._episode_return,
                f"dormant {self._dormant_fraction:.1%}": self._dormant_fraction,
            }
            known = [text for text, value in seen.items() if not math.isnan(value)]
            self._bar.set_postfix_str(", ".join(known), refresh=False)
