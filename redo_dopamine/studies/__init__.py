"""What the papers varied, as data: one study per file, by name in `STUDIES`.

`python -m redo_dopamine.studies` lists them. Importing this imports no agent.
"""

from collections.abc import Mapping

from redo_dopamine.studies import (
    activations,
    atari_100k,
    atari_100k_benchmark,
    baselines,
    constraints,
    distillation,
    gradient_free,
    label_shuffle,
    laptop_baselines,
    laptop_games,
    laptop_learning_rate,
    laptop_replay_ratio,
    laptop_threshold,
    laptop_width,
    learning_rate,
    long_schedule,
    offline,
    perturb,
    ppo_activation,
    ppo_layers,
    pruning,
    regression_probe,
    related_tasks,
    replay_ratio,
    replay_ratio_impala,
    replay_ratio_nstep,
    sac_redo,
    selection,
    threshold_and_period,
    width,
)
from redo_dopamine.studies.study import Study

_MODULES = (
    replay_ratio,
    replay_ratio_nstep,
    replay_ratio_impala,
    atari_100k,
    atari_100k_benchmark,
    width,
    baselines,
    selection,
    threshold_and_period,
    long_schedule,
    pruning,
    activations,
    learning_rate,
    label_shuffle,
    offline,
    distillation,
    ppo_activation,
    ppo_layers,
    regression_probe,
    related_tasks,
    perturb,
    constraints,
    gradient_free,
    sac_redo,
    laptop_replay_ratio,
    laptop_games,
    laptop_width,
    laptop_baselines,
    laptop_threshold,
    laptop_learning_rate,
)
STUDIES: Mapping[str, Study] = {m.STUDY.name: m.STUDY for m in _MODULES}
