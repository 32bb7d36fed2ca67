"""A new task for a network that has learned before, and for a fresh one.

Sokar et al., ICML 2023 (arXiv 2302.12902): distillation. A network pretrained at
replay ratio 1, and a fresh one, regress the Q-values of a trained teacher for 50,000
gradient steps: 160 epochs of 312 updates. The arms with ReDo are ours, and so is the
set of 10,000 states. The lesson must be in `data/distillation/<Game>.npz` where the
launch is started; `python -m redo_dopamine.offline lesson` makes it of two runs.
"""

from redo_dopamine.studies import arms
from redo_dopamine.studies.lengths import EPOCHS, whole_phases
from redo_dopamine.studies.study import PaperPoint, Protocol, Setting, Study

_EPOCHS = 160
_PAPERS_GAME = ""  # Not known.
_PRETRAINED: dict[str, Setting] = {"Distillation.start": "@pretrained_student"}
_FRESH: dict[str, Setting] = {"Distillation.start": "@fresh_student"}
_REDO: dict[str, Setting] = {"Distillation.intervention": "@redo()", **arms.REDO}

PROTOCOL = Protocol(
    agent="Distillation",
    clocks={"Distillation.num_epochs": _EPOCHS},
    target_gradient_steps=None,
    module="redo_dopamine.supervised.distillation",
    seed="Distillation.seed",
    game="Distillation.lesson = 'data/distillation/{}.npz'",
    num_iterations="Distillation.num_epochs",
    iteration_steps=312,  # 10,000 states in batches of 32
    unit=EPOCHS,
    shorten=whole_phases(1),
    scored=False,
)


STUDY = Study(
    name="distillation",
    claim="A network that has been trained at a high replay ratio learns a new task "
    "worse than a fresh one, and falls dormant.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): distillation",
    axis="student",
    arms=(
        arms.of_experiment("pretrained", "pretrained at RR 1", _PRETRAINED),
        arms.of_experiment("fresh", "fresh", _FRESH),
        arms.of_experiment(
            "pretrained_redo", "pretrained at RR 1, ReDo", _PRETRAINED | _REDO
        ),
        arms.of_experiment("fresh_redo", "fresh, ReDo", _FRESH | _REDO),
    ),
    games=("DemonAttack",),
    seeds=(0, 1, 2),
    length=_EPOCHS,
    protocol=PROTOCOL,
    paper_curve=(
        PaperPoint("pretrained", _PAPERS_GAME, 1, 1, 61),
        PaperPoint("pretrained", _PAPERS_GAME, _EPOCHS, _EPOCHS, 98),
        PaperPoint("fresh", _PAPERS_GAME, _EPOCHS, _EPOCHS, 48),
    ),
)
