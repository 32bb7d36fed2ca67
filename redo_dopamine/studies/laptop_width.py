"""Three widths of all layers, with and without ReDo, on MinAtar.

The plan, fixed before the first run, as `laptop` has it, at replay ratio 2.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Setting, Study

_WIDTHS = {1: "minatar", 2: "minatar_width2", 4: "minatar_width4"}
_KINDS: dict[str, tuple[str, dict[str, Setting]]] = {
    "dqn": ("DQN", {}),
    "redo": ("DQN + ReDo", laptop.with_redo({})),
}

STUDY = Study(
    name="laptop_width",
    claim="Wider networks have as large a share of dormant neurons; ReDo helps all.",
    source=f"{laptop.PAPER}: network width; on MinAtar, at a laptop's size",
    axis="width",
    arms=tuple(
        laptop.arm(
            f"{name}_width{width}",
            f"{series}, width {width}",
            {**settings, "MinatarNetwork.width": width},
            series,
            width,
            speed,
        )
        for name, (series, settings) in _KINDS.items()
        for width, speed in _WIDTHS.items()
    ),
    games=laptop.GAME,
    games_by_name=laptop.MORE_GAMES,
    seeds=laptop.THREE_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
