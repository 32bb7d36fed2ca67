"""DQN at four replay ratios, with and without ReDo, on MinAtar's Space Invaders.

The plan, fixed before the first run, as `laptop` has it. What is looked at: the dormant
fraction along gradient steps and at the end, just after recycles too; the return; the
largest Q-value, since over-estimation rises with the replay ratio and may explain
returns.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="laptop_replay_ratio",
    claim="More gradient updates per step bring more dormant neurons and lower "
    "returns; ReDo cuts the first and recovers the second.",
    source=f"{laptop.PAPER}: replay ratios; on MinAtar, at a laptop's size",
    axis="replay ratio",
    arms=laptop.replay_ratio_sweep(0.25, 1, 2, 4),
    games=laptop.GAME,
    games_by_name=laptop.MORE_GAMES,
    seeds=laptop.SIX_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
