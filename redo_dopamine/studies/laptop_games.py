"""The replay ratio on more of MinAtar's games, with and without ReDo.

The plan, fixed before the first run, as `laptop` has it: `laptop_replay_ratio` on other
games, without its largest replay ratio and with fewer seeds. Breakout is a likely
counter-example, and kept in. Freeway was run, too, when these two had been seen.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="laptop_games",
    claim="On every game, more gradient updates per step bring more dormant neurons, "
    "and ReDo fewer.",
    source=f"{laptop.PAPER}: replay ratios; on MinAtar, at a laptop's size",
    axis="replay ratio",
    arms=laptop.replay_ratio_sweep(0.25, 1, 2),
    games=("Breakout", "Asterix"),
    games_by_name=("SpaceInvaders", "Seaquest", "Freeway"),
    seeds=laptop.THREE_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
