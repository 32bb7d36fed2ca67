"""The runs that `results/` keeps, and what pages may say of them.

Means over seeds have 95% t intervals, and differences Welch's: computed here from the
runs themselves, apart from the report.
"""

import csv
import functools
import io
import itertools
import json
import zipfile

import numpy as np
import pandas as pd
from scipy import stats

from helpers import documents

RESULTS = documents.ROOT / "results"


def runs(study):
    """`{(arm, game, seed): {name: [value, ...]}}`, in time order."""
    return _columns(study, "value")


def steps(study):
    """The same of the gradient steps at which the values were measured."""
    return _columns(study, "gradient_step")


@functools.cache
def _columns(study, column):
    found = {}
    with zipfile.ZipFile(RESULTS / study / "runs.zip") as archive:
        for entry in archive.namelist():
            if entry.endswith("/metrics.csv"):
                values = {}
                text = io.StringIO(archive.read(entry).decode())
                for row in csv.DictReader(text):
                    values.setdefault(row["name"], []).append(float(row[column]))
                found[tuple(entry.split("/")[:3])] = values
    return found


@functools.cache
def infos(study):
    """`{(arm, game, seed): content of run.json}`."""
    with zipfile.ZipFile(RESULTS / study / "runs.zip") as archive:
        return {
            tuple(entry.split("/")[:3]): json.loads(archive.read(entry))
            for entry in archive.namelist()
            if entry.endswith("/run.json")
        }


def of_arm(study, arm, game=None):
    """The runs of an arm, by seed."""
    found = runs(study)
    return [
        found[key] for key in sorted(found) if key[0] == arm and game in (None, key[1])
    ]


def ends(study, arm, name):
    """The last value of a metric in each run of an arm."""
    return np.array([run[name][-1] for run in of_arm(study, arm)])


def t_interval(values):
    """`(mean, low, high)`; of one value without an interval."""
    mean, n = np.mean(values), len(values)
    if n < 2:
        return mean, np.nan, np.nan
    half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def number(value, digits):
    """`.033`, `1.002` or `-.016`; of digits that would be all 0, no minus."""
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def interval(mean, low, high, digits, limits=(-np.inf, np.inf)):
    """`.033 [.012, .054]`, cut off at the limits; or the mean alone."""
    if np.isnan(low):
        return number(mean, digits)
    low, high = np.clip([low, high], *limits)
    return f"{number(mean, digits)} [{number(low, digits)}, {number(high, digits)}]"


def shown(values, digits, limits=(-np.inf, np.inf)):
    """The mean of runs with its t interval."""
    return interval(*t_interval(values), digits, limits)


def end(study, arm, game, metric, digits):
    """A metric where the report's `ends.csv` has an arm's end, with its t interval.

    Of the same mean as there.
    """
    rows = pd.read_csv(RESULTS / study / "ends.csv")
    here = (rows["arm"] == arm) & (rows["game"] == game) & (rows["metric"] == metric)
    if not here.any():
        return "–"
    row = rows[here].sort_values("gradient_step").iloc[-1]
    found = steps(study)
    values = [
        np.interp(row["gradient_step"], found[key][metric], run[metric])
        for key, run in runs(study).items()
        if key[:2] == (arm, game)
    ]
    np.testing.assert_allclose(np.mean(values), row["mean"], atol=1e-6)
    limits = (0, 1) if "fraction" in metric else (0, np.inf)
    return shown(values, digits, limits)


def beats(first, second):
    """How likely a run of the first beats one of the second, and the exact p-value."""
    wins = np.mean([(x > y) + 0.5 * (x == y) for x in first for y in second])
    ranks = stats.rankdata(np.concatenate([first, second]))
    sums = [sum(x) for x in itertools.combinations(ranks, len(first))]
    middle = np.mean(sums)
    far = abs(sum(ranks[: len(first)]) - middle) - 1e-9
    p = np.mean([abs(x - middle) >= far for x in sums])
    return f"{number(wins, 2)}, p = {number(p, 3)}"


def told_apart(first, second):
    """ "more", "less" or "open": what Welch's test at 5% says of the first."""
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    if interval.low > 0:
        return "more"
    return "less" if interval.high < 0 else "open"


def table(head, rows):
    """The lines of a Markdown table."""
    lines = [
        " | ".join(["", *head, ""]).strip(),
        "|---" + "|--:" * (len(head) - 1) + "|",
    ]
    lines += [" | ".join(["", *row, ""]).strip() for row in rows]
    return "\n".join(lines) + "\n"
