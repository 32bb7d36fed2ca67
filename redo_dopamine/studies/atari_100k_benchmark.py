"""DrQ(ε) on Atari 100K as the benchmark asks: 100K agent steps, replay ratio 1.

The paper's own study of these games, `atari_100k`, trains four times as long. The last
arm was added when a run of each other had been seen (Frostbite, seed 0): with ReDo most
new neurons were silent again before the next recycle. It is to tell whether that comes
of the length of their first steps; if so, fewer are dormant in it.
"""

import dataclasses

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import DRQ_EPS, Study

_DRQ, _REDO = arms.replay_ratio_sweep(
    (1,), "DrQ(ε)", "drq_eps", prefix="drq", speed="drq_eps"
)
_OWN_BIAS = dataclasses.replace(
    _REDO,
    name="redo_own_bias",
    label="DrQ(ε) + ReDo, own bias correction",
    settings={
        **_REDO.settings,
        "RecycledDrQEpsAgent.after_optimizer": "[@own_bias_correction()]",
    },
    series="DrQ(ε) + ReDo, own bias correction",
)

STUDY = Study(
    name="atari_100k_benchmark",
    claim="After the benchmark's own 100K agent steps ReDo has cost DrQ(ε) no score.",
    source="This project's own question, by the protocol of Kaiser et al., 2020",
    axis="replay ratio",
    arms=(_DRQ, _REDO, _OWN_BIAS),
    games=games.ATARI_100K_GAMES,
    seeds=games.TEN_SEEDS,
    length=400_000,  # frames; 100K agent steps
    protocol=DRQ_EPS,
)
