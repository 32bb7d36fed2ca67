"""A run in numbers.

What a run did not record is `nan`, zero rows or an empty list, never an exception.
"""

import math
from typing import NamedTuple

import pandas as pd

from redo_dopamine.report.runs import Run

EVALUATION = "eval/average_return"
TRAINING = "train/average_return"
EPISODES = "train/episode_return"
# The one that is not the score is shown beside it, in a column of this name.
BESIDE = {
    TRAINING: (EVALUATION, "eval_return"),
    EVALUATION: (TRAINING, "train_return"),
}
KEY = ["arm", "game", "seed"]  # Of a run in a study.
LAST_EPISODES = 10


class BeforeAndAfter(NamedTuple):
    """Mean dormant fractions just before recycles, and at the next measurements."""

    before: float
    after: float
    recycles: int


def series(run: Run, name: str) -> pd.DataFrame:
    """Return the rows of one metric, in time order, with their `frames`.

    In a study that counts something else than frames, the column counts that.
    """
    rows = run.metrics[run.metrics["name"] == name].reset_index(drop=True)
    return rows.assign(frames=rows["agent_step"] * run.units_per_step)


def points(run: Run, metric: str) -> pd.DataFrame:
    """Return `iteration`, `frames` and `return` of a run's evaluation points.

    An iteration's average training return is the mean of the returns of the episodes
    that ended in it. Where a run recorded episodes and no averages, it is computed.
    """
    rows = series(run, metric)
    if metric == TRAINING and not len(rows):
        by_iteration = series(run, EPISODES).groupby("iteration")
        rows = by_iteration.agg({"frames": "max", "value": "mean"}).reset_index()
    rows = rows.drop_duplicates("iteration", keep="last", ignore_index=True)
    return rows.rename(columns={"value": "return"})[["iteration", "frames", "return"]]


def before_last_tenth(iterations: pd.Series) -> int:
    """Return the number of the iteration before the last tenth of them, from 0."""
    last = int(iterations.max())
    return last - -(-(last + 1) // 10)


def final_score(run: Run, metric: str) -> float:
    """Return the return by which a run is judged.

    In training, Dopamine's convention: the mean over the last tenth of the iterations
    of their average returns. An iteration has a fixed number of agent steps, so this is
    the last tenth of these. Of evaluations it is the last one.
    """
    found = points(run, metric)
    if metric == TRAINING and len(found):
        found = found[found["iteration"] > before_last_tenth(found["iteration"])]
        return float(found["return"].mean(skipna=False))
    return _last(found["return"])


def taus(*runs: Run) -> list[float]:
    """Return the thresholds at which any measured dormancy, in rising order."""
    return sorted(set().union(*map(_pooled_names, runs)))


def pooled_dormant_fraction(run: Run, tau: float | None) -> pd.DataFrame:
    """Return the rows of the dormant fraction over all layers, at one threshold."""
    return series(run, "" if tau is None else _pooled_names(run).get(tau, ""))


def final_dormant_fraction(run: Run, tau: float | None) -> float:
    """Return the last measured dormant fraction over all layers."""
    return _last(pooled_dormant_fraction(run, tau)["value"])


def per_layer(
    run: Run, metric: str, tau: float | None = None
) -> dict[str, pd.DataFrame]:
    """Return the rows of `<metric>/<layer>`, or `<metric>/<tau>/<layer>`, by layer.

    In the order in which the run first wrote them.
    """
    found = {}
    for name in run.metrics["name"].unique():
        head, _, layer = name.partition("/")
        if tau is not None:
            text, _, layer = layer.partition("/")
            if _number(text) != tau:
                continue
        if head == metric and layer:
            found[layer] = series(run, name)
    return found


def recycles(run: Run) -> pd.DataFrame:
    """Return how many neurons each recycle recycled: a row each, by `gradient_step`.

    One integer column per layer, and their `total`, which is 0 where no neuron was
    dormant.
    """
    counts = {
        layer: rows.set_index("gradient_step")["value"].groupby(level=0).last()
        for layer, rows in per_layer(run, "recycled").items()
    }
    table = pd.DataFrame(counts).sort_index().fillna(0).astype("int64")
    table.index = table.index.astype("int64").rename("gradient_step")
    return table.assign(total=table.sum(axis=1).astype("int64"))


def recycled_per_layer(run: Run) -> pd.Series:
    """Return the neurons recycled over the whole run, by layer."""
    return recycles(run).drop(columns="total").sum().astype("int64").rename("recycled")


def recycle_steps(run: Run) -> list[int]:
    """Return the gradient steps at which a neuron was recycled."""
    return recycles(run).query("total > 0").index.tolist()


def before_and_after(run: Run, tau: float) -> BeforeAndAfter:
    """Compare the pooled dormant fraction at a recycle with the one measured next.

    Dormancy is measured just before a recycle where both fall on the same gradient
    step, so the effect of a recycle shows in the next measurement. The means are
    over the recycles that recycled a neuron and have both measurements.
    """
    rows = pooled_dormant_fraction(run, tau).dropna(subset="value")
    measured = rows.set_index("gradient_step")["value"].sort_index()
    pairs = pd.DataFrame({"before": measured, "after": measured.shift(-1)}).dropna()
    pairs = pairs[pairs.index.isin(recycle_steps(run))]
    before, after = pairs.mean()
    return BeforeAndAfter(float(before), float(after), len(pairs))


def steps_per_second(run: Run) -> float:
    """Return the median over iterations of the agent steps per wall-clock second."""
    return float(series(run, "train/steps_per_second")["value"].median())


def final_return(run: Run, episodes: int = LAST_EPISODES) -> float:
    """Return the mean return of the last training episodes.

    Where no episode was recorded, the last iteration's average stands in.
    """
    returns = series(run, EPISODES)["value"]
    if len(returns):
        return float(returns.tail(episodes).mean())
    return _last(series(run, TRAINING)["value"])


def overview(runs: list[Run]) -> pd.DataFrame:
    """Return one row per run, indexed by label; what `run.json` does not say is None.

    With one `dormant_fraction/<tau>`, at the end, per threshold of any run.
    """
    names, at = ["game", "agent", "seed"], taus(*runs)
    rows = [
        {
            **{name: run.info.get(name) for name in names},
            "agent_steps": max(run.metrics["agent_step"], default=0),
            "gradient_steps": max(run.metrics["gradient_step"], default=0),
            "episodes": len(series(run, EPISODES)),
            "final_return": final_return(run),
            **{f"dormant_fraction/{x:g}": final_dormant_fraction(run, x) for x in at},
            "recycled": int(recycles(run)["total"].sum()),
            "steps_per_second": steps_per_second(run),
        }
        for run in runs
    ]
    labels = pd.Index([run.label for run in runs], name="run")
    # As objects, so that a missing seed is None and the others stay whole numbers.
    table = pd.DataFrame(rows, index=labels, dtype=object)
    numbers = table.columns.difference(names, sort=False)
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return table


def _pooled_names(run: Run) -> dict[float, str]:
    """Return threshold -> name of the pooled dormant fraction."""
    names = {}
    for name in run.metrics["name"].unique():
        head, _, text = name.partition("/")
        tau = _number(text)
        if head == "dormant_fraction" and tau is not None:
            names[tau] = name
    return names


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _last(values: pd.Series) -> float:
    return float(values.iloc[-1]) if len(values) else math.nan
