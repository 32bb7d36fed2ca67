"""The evaluation points of a run.

In: a `Run` and the metric that is the score. Out: its returns, point by point.
"""

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


def final_return(run: Run, metric: str) -> float:
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
