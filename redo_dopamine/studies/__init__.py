"""What the papers varied, as data: every study by name in `STUDIES`.

`python -m redo_dopamine.studies` lists them. Importing this imports no agent.
"""

from collections.abc import Mapping

from redo_dopamine.studies.catalogue import (
    he2026,
    he2026_long,
    he2026_probes,
    minatar,
    minatar_redo_gain,
    small_atari,
    sokar2023_ablations,
    sokar2023_causes,
    sokar2023_replay_ratio,
)
from redo_dopamine.studies.study import Study

_CATALOGUE = (
    sokar2023_replay_ratio,
    sokar2023_ablations,
    sokar2023_causes,
    he2026,
    he2026_probes,
    he2026_long,
    minatar,
    minatar_redo_gain,
    small_atari,
)
STUDIES: Mapping[str, Study] = {
    x.name: x
    for room in _CATALOGUE
    for x in vars(room).values()
    if isinstance(x, Study)
}
