"""What the page shows, in its order: figures with captions, tables with headings.

In: a list of runs. Out: `Section` values and DataFrames whose column names are ready
to be read.
"""

import dataclasses
from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from redo_dopamine.report import curves, figures, summary
from redo_dopamine.report.runs import Run


@dataclasses.dataclass(frozen=True)
class Section:
    """One figure of the page.

    Attributes:
        slug: the name of its PNG file, without the ending.
        heading: what it is about.
        caption: how to read it, in one to three sentences.
        draw: draws the runs; None where no run recorded what it shows.
        needs: the metrics it is drawn from, as named in `metrics.csv`.
    """

    slug: str
    heading: str
    caption: str
    draw: Callable[[list[Run]], Figure | None]
    needs: str


SECTIONS = (
    Section(
        "return",
        "Return",
        "Each faint dot is one training episode; the strong line is the mean of the "
        "last 10 episodes, or of the last fortieth of the run's episodes where that "
        "is more. Squares are the averages of a training iteration, diamonds those of "
        "an evaluation. One agent step is 4 frames.",
        curves.returns,
        "train/episode_return, train/average_return, eval/average_return",
    ),
    Section(
        "dormant_fraction",
        "Dormant neurons",
        "The score of neuron i is s_i = mean|h_i(x)| divided by the layer's mean of "
        "that, over a batch (and over space for a convolution channel), with h the "
        "output after the activation; the neuron is dormant where s_i ≤ τ. "
        "Vertical lines, or triangles at the foot, mark recycles that recycled at "
        "least one neuron; dormancy is measured just before, so look for their effect "
        "at the next measurement.",
        figures.dormant_fraction,
        "dormant_fraction/<tau>",
    ),
    Section(
        "dormant_fraction_per_layer",
        "Dormant neurons by layer",
        "The same fraction within each layer, at the largest τ that was tracked; "
        "all panels have the same scale. Recycles are marked as above.",
        figures.dormant_fraction_per_layer,
        "dormant_fraction/<tau>/<layer>",
    ),
    Section(
        "overlap_per_layer",
        "Overlap of dormant neurons",
        "The overlap coefficient |X ∩ Y| / min(|X|, |Y|) of the dormant set now, X, "
        "and at the previous measurement, Y. At 1 the smaller set lies within the "
        "larger: neurons stay dormant; at 0 no neuron is in both. The curve has a gap "
        "where either set is empty.",
        figures.overlap_per_layer,
        "overlap/<tau>/<layer>",
    ),
    Section(
        "recycled_per_layer",
        "Neurons recycled",
        "How many neurons of each layer a recycle gave new incoming weights and zero "
        "outgoing weights. A recycle that found no dormant neuron counts 0.",
        figures.recycled_per_layer,
        "recycled/<layer>",
    ),
    Section(
        "loss",
        "Loss",
        "The training loss as recorded (faint) and its running mean over a fortieth "
        "of the recorded values (strong). Its scale follows the value function, so "
        "compare shapes rather than heights between games.",
        curves.loss,
        "loss",
    ),
)


def overview_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns `summary.overview` under readable headings, and its decimals."""
    table = summary.overview(runs)
    headings = {
        "game": ("game", None),
        "agent": ("agent", None),
        "seed": ("seed", None),
        "agent_steps": ("agent steps", 0),
        "gradient_steps": ("gradient steps", 0),
        "episodes": ("episodes", 0),
        "final_return": (f"return, last {summary.LAST_EPISODES} episodes", 1),
        "recycled": ("neurons recycled", 0),
        "steps_per_second": ("agent steps per s", 1),
    }
    for name in table.columns:
        if name.startswith("dormant_fraction/"):
            # Without breaks, so that a narrow column keeps the equation whole.
            equation = f"τ = {name.split('/')[1]}".replace(" ", "\N{NO-BREAK SPACE}")
            headings[name] = (f"dormant at {equation}", 3)
    return _with_headings(table, headings)


def recycling_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]] | None:
    """Returns what recycling did, by run and τ, and the table's decimals.

    None where no run has recycled a neuron between two measurements.
    """
    rows = []
    for run in runs:
        for tau in summary.taus(run):
            effect = summary.before_and_after(run, tau)
            if effect.recycles:
                rows.append({"run": run.label, "tau": f"{tau:g}", **effect._asdict()})
    if not rows:
        return None
    headings = {
        "tau": ("τ", None),
        "before": ("dormant at the recycle", 3),
        "after": ("dormant at the next measurement", 3),
        "recycles": ("recycles averaged", 0),
    }
    return _with_headings(pd.DataFrame(rows).set_index("run"), headings)


def recycled_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns the neurons recycled over each whole run, by layer."""
    totals = {run.label: summary.recycled_per_layer(run) for run in runs}
    # Built row by row: the layers keep the order in which they were written.
    names = [layer for row in totals.values() for layer in row.index]
    layers = list(dict.fromkeys(names))
    table = pd.DataFrame(
        [row.reindex(layers, fill_value=0) for row in totals.values()],
        index=pd.Index(list(totals), name="run"),
        columns=layers,
    )
    return table, {layer: 0 for layer in layers}


def _with_headings(
    table: pd.DataFrame, headings: dict[str, tuple[str, int | None]]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Renames columns; returns the decimals of those that hold numbers."""
    renamed = table.rename(columns={name: new for name, (new, _) in headings.items()})
    decimals = {new: digits for new, digits in headings.values() if digits is not None}
    return renamed, decimals
