"""A quarter-width Nature network on a whole Atari game: what two cores can afford.

The paper finds that dormancy hardly depends on the width of the network, from the usual
width to four times it; that this goes on below is assumed. So a network of 8, 16 and 16
channels and 128 dense neurons on the standard game, 84 x 84 pixels and sticky actions,
is a real Atari experiment. Settings are those of `dqn.gin` and of the paper's study of
replay ratios, but for the width and a tracking batch of 256 states.

The plan, committed before the first counted run. A pilot (replay ratio 1, seed 0, not
counted, not kept) was run to some 220,000 agent steps: the dormant fraction at tau .1
fell from .290 to .267 at 80,000 updates and grew to .339 by then; at tau .025 it grew
from .135 to .15, and at tau 0 it fell from .10 to .02.

**Length**: 1.25M agent steps (5M frames), then 2.5M (10M frames, the paper's) by going
on with the same runs, for as many seeds as time allows. **Seeds**: 100 to 104, all arms
of a seed before the next. The plan is whole at three seeds or more; with fewer than
five the number is said. **It ends** with the seeds that time allows; no result is
looked at to decide. **Score**: the mean training return of the last tenth of the agent
steps.

**Hypotheses** on DemonAttack; all intervals are 95% t or Welch intervals over seeds,
and H1 is primary.

- H1: the dormant fraction (tau .1) of `dqn_rr1` grows: its mean over the last 50,000
  updates minus its mean over updates 50,000 to 100,000 is above 0. Holds if the lower
  bound is > 0, contradicted if the upper bound is < 0, else open. tau 0 and .025 are
  reported beside it.
- H2: at the end it is higher in `dqn_rr1` than in `dqn_rr0.25`, over the last tenth of
  the agent steps. The difference at equal updates is reported beside it, either way.
- H3: `redo_rr1` has less than half of the dormant fraction of `dqn_rr1` over the last
  tenth of the agent steps: half of the latter minus the former is above 0.
- H4: the difference in log score, `redo_rr1` minus `dqn_rr1`, is above 0. Holds if the
  lower bound is > 0; otherwise refuted if the upper bound is < log 1.5, else open.
- H5: the score of `dqn_rr1` is below that of `dqn_rr0.25`.

H2 to H5 are tested with Holm's correction. Asterix, and width .5 on DemonAttack by
`--gin_bindings`, come afterwards, without hypotheses of their own.
"""

from redo_dopamine.studies import arms
from redo_dopamine.studies.study import DQN, Arm, Setting, Study

_SMALL: dict[str, Setting] = {
    "NatureNetwork.width": 0.25,
    "RecycledDQNAgent.tracking_batch_size": 256,
}


def _arm(ratio: float, with_redo: bool) -> Arm:
    series = "DQN + ReDo" if with_redo else "DQN"
    return Arm(
        name=f"{'redo' if with_redo else 'dqn'}_rr{ratio:g}",
        label=f"{series}, RR {ratio:g}",
        gin_file="dqn_redo.gin" if with_redo else "dqn.gin",
        replay_ratio=ratio,
        settings={**(arms.REDO if with_redo else {}), **_SMALL},
        series=series,
        x=ratio,
        speed="nature_width0.25",
    )


SMALL_ATARI = Study(
    name="small_atari",
    claim="More gradient updates per step bring more dormant neurons and lower "
    "returns; ReDo cuts the first and recovers the second.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): replay ratios; at a quarter "
    "of the width",
    axis="replay ratio",
    arms=(_arm(0.25, False), _arm(1, False), _arm(1, True)),
    games=("DemonAttack",),
    games_by_name=("Asterix",),
    seeds=(100, 101, 102, 103, 104),
    length=5_000_000,  # frames
    differs="A quarter of the paper's width, and half of its 10 million frames.",
    protocol=DQN,
)
