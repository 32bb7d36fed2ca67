"""Turns a run into numbers.

In: a `Run`. Out: plain values, Series and DataFrames. What a run did not record is
`nan`, zero rows or an empty list, never an exception.
"""

from typing import NamedTuple

import pandas as pd

from redo_dopamine.report import summary
from redo_dopamine.report.runs import Run

EVALUATION = "eval/average_return"
TRAINING = "train/average_return"
EPISODES = "train/episode_return"
# The one that is not the score is shown beside it, in a column of this name.
BESIDE = {
    TRAINING: (EVALUATION, "eval_return"),
    EVALUATION: (TRAINING, "train_return"),
}
_PART = 10


def points(run: Run, metric: str) -> pd.DataFrame:
    """Returns `iteration`, `frames` and `return` of a run's evaluation points.

    An iteration's average training return is the mean of the returns of the episodes
    that ended in it. Where a run recorded episodes and no averages, it is computed.
    """
    rows = summary.series(run, metric)
    if metric == TRAINING and not len(rows):
        rows = summary.series(run, EPISODES)
        means = rows.groupby("iteration").agg({"frames": "max", "value": "mean"})
    else:
        means = rows.drop_duplicates("iteration", keep="last")
    means = means.reset_index().rename(columns={"value": "return"})
    return means[["iteration", "frames", "return"]]


def last_tenth(last: int) -> int:
    """Returns how many iterations are the last tenth, by the last one's number."""
    return -(-(last + 1) // _PART)


def final_score(run: Run, metric: str) -> float:
    """Returns the return by which a run is judged; NaN where there is none.

    In training, Dopamine's convention: the mean over the last tenth of the iterations
    of their average returns. An iteration has a fixed number of agent steps, so this is
    the last tenth of these. Of evaluations it is the last one.
    """
    found = points(run, metric)
    if not len(found):
        return float("nan")
    if metric == TRAINING:
        last = int(found["iteration"].max())
        found = found[found["iteration"] > last - last_tenth(last)]
        return float(found["return"].mean(skipna=False))
    return float(found["return"].iloc[-1])


LAST_EPISODES = 10


class BeforeAndAfter(NamedTuple):
    """Dormant fractions around a run's recycles.

    Attributes:
        before: mean at the recycles, measured just before them.
        after: mean at the measurements that came next.
        recycles: the number of recycles that the two means are over.
    """

    before: float
    after: float
    recycles: int


def series(run: Run, name: str) -> pd.DataFrame:
    """Returns the rows of one metric, in time order, with their `frames`.

    In a study that counts something else than frames, the column counts that.
    """
    rows = run.metrics[run.metrics["name"] == name].reset_index(drop=True)
    return rows.assign(frames=rows["agent_step"] * run.units_per_step)


def taus(run: Run) -> list[float]:
    """Returns the thresholds at which dormancy was measured, in rising order."""
    return sorted(_pooled_names(run))


def pooled_dormant_fraction(run: Run, tau: float) -> pd.DataFrame:
    """Returns the rows of the dormant fraction over all layers, at one threshold."""
    return series(run, _pooled_names(run).get(tau, ""))


def per_layer(
    run: Run, metric: str, tau: float | None = None
) -> dict[str, pd.DataFrame]:
    """Returns the rows of a metric that is recorded per layer.

    Args:
        run: the run.
        metric: `dormant_fraction`, `overlap`, `recycled`, or any `<metric>` of
            `<metric>/<layer>`.
        tau: the threshold in `<metric>/<tau>/<layer>`; None where the name has none.

    Returns:
        Layer name -> rows, in the order in which the run first wrote them.
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
    """Returns how many neurons each recycle recycled.

    Returns:
        One row per recycle, indexed by `gradient_step`; one integer column per layer,
        and their `total`. A recycle that found no dormant neuron has total 0.
    """
    counts = {
        layer: rows.set_index("gradient_step")["value"].groupby(level=0).last()
        for layer, rows in per_layer(run, "recycled").items()
    }
    table = pd.DataFrame(counts).sort_index().fillna(0).astype("int64")
    table.index = table.index.astype("int64").rename("gradient_step")
    return table.assign(total=table.sum(axis=1).astype("int64"))


def recycled_per_layer(run: Run) -> pd.Series:
    """Returns the neurons recycled over the whole run, by layer."""
    return recycles(run).drop(columns="total").sum().astype("int64").rename("recycled")


def before_and_after(run: Run, tau: float) -> BeforeAndAfter:
    """Compares the pooled dormant fraction at a recycle with the one measured next.

    Dormancy is measured just before a recycle where both fall on the same gradient
    step, so the effect of a recycle shows in the next measurement. The means are
    over the recycles that recycled a neuron and have both measurements.
    """
    rows = pooled_dormant_fraction(run, tau).dropna(subset="value")
    measured = rows.set_index("gradient_step")["value"].sort_index()
    pairs = pd.DataFrame({"before": measured, "after": measured.shift(-1)}).dropna()
    done = recycles(run)
    pairs = pairs[pairs.index.isin(done.index[done["total"] > 0])]
    return BeforeAndAfter(
        float(pairs["before"].mean()), float(pairs["after"].mean()), len(pairs)
    )


def final_dormant_fraction(run: Run, tau: float) -> float:
    """Returns the last measured dormant fraction over all layers."""
    return _last(pooled_dormant_fraction(run, tau))


def steps_per_second(run: Run) -> float:
    """Returns the median over iterations of the agent steps per wall-clock second."""
    return float(series(run, "train/steps_per_second")["value"].median())


def episode_returns(run: Run) -> pd.DataFrame:
    """Returns one row per training episode, with its return as `value`."""
    return series(run, "train/episode_return")


def final_return(run: Run, episodes: int = LAST_EPISODES) -> float:
    """Returns the mean return of the last training episodes.

    Where no episode was recorded, the last iteration's average stands in.
    """
    returns = episode_returns(run)["value"]
    if len(returns):
        return float(returns.tail(episodes).mean())
    return _last(series(run, "train/average_return"))


def overview(runs: list[Run]) -> pd.DataFrame:
    """Returns one row per run, indexed by label.

    Columns: `game`, `agent`, `seed` (None where `run.json` does not say),
    `agent_steps`, `gradient_steps`, `episodes`, `final_return`, one
    `dormant_fraction/<tau>` per threshold of any run (at the end of the run),
    `recycled` (neurons in total) and `steps_per_second`.
    """
    thresholds = sorted({tau for run in runs for tau in taus(run)})
    rows = []
    for run in runs:
        steps = run.metrics[["agent_step", "gradient_step"]].max().fillna(0)
        row: dict[str, object] = {
            "game": run.info.get("game"),
            "agent": run.info.get("agent"),
            "seed": run.info.get("seed"),
            "agent_steps": int(steps["agent_step"]),
            "gradient_steps": int(steps["gradient_step"]),
            "episodes": len(episode_returns(run)),
            "final_return": final_return(run),
        }
        for tau in thresholds:
            row[f"dormant_fraction/{tau:g}"] = final_dormant_fraction(run, tau)
        row["recycled"] = int(recycles(run)["total"].sum())
        row["steps_per_second"] = steps_per_second(run)
        rows.append(row)
    labels = pd.Index([run.label for run in runs], name="run")
    # As objects, so that a missing seed is None and the others stay whole numbers.
    table = pd.DataFrame(rows, index=labels, dtype=object)
    numbers = table.columns.difference(["game", "agent", "seed"], sort=False)
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return table


def _pooled_names(run: Run) -> dict[float, str]:
    """Returns threshold -> name of the pooled dormant fraction."""
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


def _last(rows: pd.DataFrame) -> float:
    return float(rows["value"].iloc[-1]) if len(rows) else float("nan")
