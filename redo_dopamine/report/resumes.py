"""Finds the rows of a `metrics.csv` that are out of order, and why.

Within one metric, every counter only grows. A run that is resumed cuts the file back
to its checkpoint, so as a rule no row is out of order. Where a file was not cut back
(a copy, or another writer), a resume shows as this: from some row on, *all* metrics
are written again from an earlier agent step on. Then the later rows stand. Anything
else is damage.
"""

import bisect
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class OutOfOrder(NamedTuple):
    """The rows to leave out.

    Attributes:
        superseded: a resumed run wrote them again, as a mask [rows].
        damaged: no resume explains them, as a mask [rows].
        resumes: how many resumes superseded rows.
    """

    superseded: np.ndarray
    damaged: np.ndarray
    resumes: int


def out_of_order(
    names: np.ndarray, counters: Sequence[np.ndarray], most_resumes: int | None
) -> OutOfOrder:
    """Returns the rows that are out of order.

    Args:
        names: of the metrics, as whole numbers from 0 [rows].
        counters: agent steps first, then others that only grow, each [rows].
        most_resumes: how often the run was resumed; None where that is not known.
    """
    superseded = np.zeros(len(names), bool)
    resumes = 0
    if most_resumes != 0 and _falls(names, counters[0]).any():
        resumes = _supersede(names, counters[0], most_resumes, superseded)
    damaged = np.zeros(len(names), bool)
    for counter in counters:
        rows = np.flatnonzero(~(superseded | damaged))
        fell = _falls(names[rows], counter[rows])
        for name in np.unique(names[rows][fell]):
            of_name = rows[names[rows] == name]
            damaged[of_name] = ~_longest_rise(counter[of_name])
    return OutOfOrder(superseded, damaged, resumes)


def _falls(names: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Tells which rows are below the row of the same name before them."""
    order = np.argsort(names, kind="stable")
    fell = np.zeros(len(names), bool)
    same = names[order[1:]] == names[order[:-1]]
    fell[order[1:]] = same & (steps[order[1:]] < steps[order[:-1]])
    return fell


def _supersede(
    names: np.ndarray, steps: np.ndarray, most: int | None, superseded: np.ndarray
) -> int:
    """Marks what resumed runs wrote again; returns how many resumes there were.

    One pass: of each name the rows that stand are on a stack, and a resume takes
    those beyond its checkpoint off. A row is put on and taken off once.
    """
    number = int(names.max()) + 1
    places = [np.flatnonzero(names == name) for name in range(number)]
    standing: list[list[int]] = [[] for _ in range(number)]  # Steps,
    indices: list[list[int]] = [[] for _ in range(number)]  # and their rows.
    seen = [0] * number  # How many rows of each name came before.
    resumes = 0
    for row, (name, step) in enumerate(
        zip(names.tolist(), steps.tolist(), strict=True)
    ):
        of_name = standing[name]
        if of_name and step < of_name[-1]:
            again = [_next(places[m], seen[m], steps) for m in range(number)]
            # Its own row is the one in question: the one after it has to tell.
            again[name] = _next(places[name], seen[name] + 1, steps)
            if (most is None or resumes < most) and _is_resume(standing, again, step):
                resumes += 1
                for m in range(number):
                    # At the checkpoint's own step only what is written again goes.
                    first = _next(places[m], seen[m], steps)
                    kept = bisect.bisect_left(standing[m], step + (first != step))
                    superseded[indices[m][kept:]] = True
                    del standing[m][kept:], indices[m][kept:]
            elif sum(len(x) - bisect.bisect_right(x, step) for x in standing) == 1:
                # One row that is too high, not all others that are too low.
                of_name.pop()
                indices[name].pop()
        if not of_name or step >= of_name[-1]:
            of_name.append(step)
            indices[name].append(row)
        seen[name] += 1
    return resumes


def _next(places: np.ndarray, number: int, steps: np.ndarray) -> int | None:
    """Returns the step of a name's row of that number, from 0; None where none is."""
    return int(steps[places[number]]) if number < len(places) else None


def _is_resume(
    standing: Sequence[Sequence[int]], again: Sequence[int | None], step: int
) -> bool:
    """Whether all names are written again from `step` on.

    Most rows beyond it must lie beyond what the same names are written with next,
    and be more than one: a single row is as likely to be a wrong digit.

    Args:
        standing: the steps of each name so far, in rising order.
        again: the next step of each name; None where it has no more rows.
        step: of that row.
    """
    beyond = rewritten = total = 0
    for steps, following in zip(standing, again, strict=True):
        lost = len(steps) - bisect.bisect_right(steps, step)
        total += lost
        if following is not None:
            beyond += lost
            rewritten += min(lost, len(steps) - bisect.bisect_left(steps, following))
    return total > 1 and 2 * rewritten > beyond


def _longest_rise(steps: np.ndarray) -> np.ndarray:
    """Marks the longest subsequence that never falls, by patience sorting."""
    tails: list[int] = []
    at_tail: list[int] = []
    before = np.full(len(steps), -1)
    for row, step in enumerate(steps.tolist()):
        pile = bisect.bisect_right(tails, step)
        before[row] = at_tail[pile - 1] if pile else -1
        tails[pile : pile + 1] = [step]
        at_tail[pile : pile + 1] = [row]
    kept = np.zeros(len(steps), bool)
    row = at_tail[-1] if at_tail else -1
    while row >= 0:
        kept[row] = True
        row = int(before[row])
    return kept
