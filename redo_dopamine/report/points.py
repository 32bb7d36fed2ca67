"""The evaluation points of a run.

In: a `Run` and the metric that is the score. Out: its returns, point by point.
"""

import pandas as pd

from redo_dopamine.report import summary
from redo_dopamine.report.runs import Run

EVALUATION = "eval/average_return"
TRAINING = "train/average_return"
EPISODES = "train/episode_return"


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


def final_return(run: Run, metric: str) -> float:
    """Returns the return of the last point; NaN where there is none."""
    values = points(run, metric)["return"]
    return float(values.iloc[-1]) if len(values) else float("nan")
