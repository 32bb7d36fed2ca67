"""A new task for a network that has learned before, and for a fresh one.

Sokar et al., ICML 2023 (arXiv 2302.12902): distillation. A network pretrained at
replay ratio 1, and a fresh one, regress the Q-values of a trained teacher for 50,000
gradient steps: 160 epochs of 312 updates. The arms with ReDo are ours, and so is the
set of 10,000 states. The lesson must be in `data/distillation/<Game>.npz` where the
launch is started; `python -m redo_dopamine.offline lesson` makes it of two runs.
"""

from redo_dopamine.studies import arms, experiments
from redo_dopamine.studies.study import PaperPoint, Setting, Study

_EPOCHS = 160
_PAPERS_GAME = ""  # Not known.
_PRETRAINED: dict[str, Setting] = {"Distillation.start": "@pretrained_student"}
_FRESH: dict[str, Setting] = {"Distillation.start": "@fresh_student"}
_REDO: dict[str, Setting] = {"Distillation.intervention": "@redo()", **arms.REDO}

PROTOCOL = experiments.protocol(
    "Distillation",
    module="distillation",
    data="Distillation.lesson = 'data/distillation/{}.npz'",
    num_epochs=_EPOCHS,
    iteration_steps=312,  # 10,000 states in batches of 32
)

STUDY = Study(
    name="distillation",
    claim="A network that has been trained at a high replay ratio learns a new task "
    "worse than a fresh one, and falls dormant.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): distillation",
    axis="student",
    arms=(
        experiments.arm("pretrained", "pretrained at RR 1", _PRETRAINED),
        experiments.arm("fresh", "fresh", _FRESH),
        experiments.arm(
            "pretrained_redo", "pretrained at RR 1, ReDo", _PRETRAINED | _REDO
        ),
        experiments.arm("fresh_redo", "fresh, ReDo", _FRESH | _REDO),
    ),
    games=("DemonAttack",),
    seeds=(0, 1, 2),
    length=_EPOCHS,
    protocol=PROTOCOL,
    # Their τ is not known.
    paper_curve=(
        PaperPoint("pretrained", _PAPERS_GAME, 1, 1, 61, tau=None),
        PaperPoint("pretrained", _PAPERS_GAME, _EPOCHS, _EPOCHS, 98, tau=None),
        PaperPoint("fresh", _PAPERS_GAME, _EPOCHS, _EPOCHS, 48, tau=None),
    ),
)
