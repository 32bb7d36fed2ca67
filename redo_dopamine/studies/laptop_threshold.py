"""ReDo's threshold and period, on MinAtar.

The plan, fixed before the first run, as `laptop` has it, at replay ratio 2.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="laptop_threshold",
    claim="A threshold of 0.1 every 1,000 gradient steps is the best of the grid.",
    source=f"{laptop.PAPER}: search for settings; on MinAtar, at a laptop's size",
    axis="threshold τ",
    arms=tuple(
        laptop.arm(
            f"tau{tau:g}_period{period}",
            f"τ = {tau:g}, every {period:,}",
            laptop.with_redo({"redo.tau": tau, "redo.period": period}),
            f"every {period:,} gradient steps",
            tau,
        )
        for period in (1_000, 10_000)
        for tau in (0.0, 0.025, 0.1)
    ),
    games=laptop.GAME,
    games_by_name=laptop.MORE_GAMES,
    seeds=laptop.THREE_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
