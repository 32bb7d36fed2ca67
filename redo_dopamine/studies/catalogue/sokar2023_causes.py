"""Sokar et al. (2023): what makes neurons dormant, and what that does to learning."""

from redo_dopamine.studies import arms
from redo_dopamine.studies.study import (
    EVALUATION,
    Arm,
    PaperDormancy,
    PaperPoint,
    Protocol,
    Setting,
    Study,
    Unit,
)

# Labels that stay and labels that are reshuffled, with and without ReDo.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): a classifier of CIFAR-10, without ReDo;
# 10,000 images, 100 epochs, new labels every 20 of them. Threshold and period of ReDo
# are the paper's for agents: our choice, as are the optimizer's settings. The paper's
# numbers are of CIFAR-10; Fashion-MNIST, which Debian packages, stands in for it unless
# a launch asks for CIFAR-10 by name, with the files in `data/` where it is started.

_PHASES = 5  # The true labels, and four reshuffles.
_EPOCHS_IN_PHASE = 20
_STAY: dict[str, Setting] = {"LabelShuffle.shuffle_every": "None"}
_CHANGE: dict[str, Setting] = {"LabelShuffle.shuffle_every": _EPOCHS_IN_PHASE}
_LABEL_SHUFFLE_REDO: dict[str, Setting] = {
    "LabelShuffle.intervention": "@redo()",
    **arms.REDO,
}

LABEL_SHUFFLE_PROTOCOL = arms.protocol(
    "LabelShuffle",
    module="label_shuffle",
    data="LabelShuffle.dataset = @{}",
    num_epochs=_PHASES * _EPOCHS_IN_PHASE,
    iteration_steps=156,  # 10,000 images in batches of 64
    phases=_PHASES,
)


def _label_shuffle_arm(name: str, label: str, settings: dict[str, Setting]) -> Arm:
    return arms.arm(name, label, settings, speed="classifier")


def _point(arm: str, first: int, last: int, percent: float) -> PaperPoint:
    return PaperPoint(arm, "cifar10", first, last, percent, tau=None)  # Not known.


LABEL_SHUFFLE = Study(
    name="label_shuffle",
    claim="Dormant neurons come of targets that change: fixed labels wake neurons, "
    "each reshuffle leaves more of them dormant.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): labels of CIFAR-10, reshuffled",
    axis="labels",
    arms=(
        _label_shuffle_arm("fixed", "fixed labels", _STAY),
        _label_shuffle_arm("reshuffled", "reshuffled labels", _CHANGE),
        _label_shuffle_arm(
            "fixed_redo", "fixed labels, ReDo", _STAY | _LABEL_SHUFFLE_REDO
        ),
        _label_shuffle_arm(
            "reshuffled_redo", "reshuffled labels, ReDo", _CHANGE | _LABEL_SHUFFLE_REDO
        ),
    ),
    games=("fashion_mnist",),
    games_by_name=("cifar10",),  # Its files are nowhere by themselves.
    seeds=(0, 1, 2),
    length=_PHASES * _EPOCHS_IN_PHASE,
    protocol=LABEL_SHUFFLE_PROTOCOL,
    paper_curve=(
        _point("fixed", 1, 1, 9),
        _point("fixed", 100, 100, 1),
        # The peak that follows each reshuffle.
        _point("reshuffled", 21, 40, 29),
        _point("reshuffled", 41, 60, 41),
        _point("reshuffled", 61, 80, 39),
        _point("reshuffled", 81, 100, 44),
        _point("reshuffled", 100, 100, 32),
    ),
)


# DQN on fixed data: with its moving targets, and with random targets that stay.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): offline RL. Length, data and how random
# targets are made are our choices, for the paper does not give them. The data must be
# in `data/dqn/<Game>/1/replay_logs/` where the launch is started: a folder, or a link
# to one, with what `redo-dopamine data record` wrote or with the files of
# the DQN Replay data set.

OFFLINE_PROTOCOL = Protocol(
    agent="RecycledDQNAgent",
    clocks={
        "Runner.num_iterations": 40,
        "Runner.training_steps": 62_500,
        "Runner.evaluation_steps": 25_000,
        "Runner.max_steps_per_episode": 27_000,
        "JaxDQNAgent.target_update_period": 2_000,
        "JaxDQNAgent.summary_writing_frequency": 2_000,
        "RecycledDQNAgent.tracking_period": 1_000,
    },
    target_gradient_steps=2_000,
    # No agent acts: a train step of the run's files is one gradient step.
    unit=Unit("gradient steps", "gradient steps", lambda steps: steps),
    judged_by=EVALUATION,
)


def _offline_arm(name: str, label: str, gin_file: str) -> Arm:
    return Arm(
        name=name,
        label=label,
        gin_file=gin_file,
        replay_ratio=1,
        settings={},
        series=label,
    )


OFFLINE = Study(
    name="offline",
    claim="On fixed data too, targets that move leave more neurons dormant than fixed "
    "ones.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): offline RL",
    axis="targets",
    arms=(
        _offline_arm("td", "TD targets", "offline_dqn.gin"),
        _offline_arm("random", "random targets", "offline_dqn_random_targets.gin"),
    ),
    games=("DemonAttack", "Asterix"),
    seeds=arms.FIVE_SEEDS,
    length=2_500_000,  # gradient steps
    differs="The length, 2.5 million gradient steps, is this project's.",
    protocol=OFFLINE_PROTOCOL,
    # Their τ is not known.
    paper_dormancy=(
        PaperDormancy("td", "DemonAttack", 34, 34, tau=None),
        PaperDormancy("random", "DemonAttack", 25, 25, tau=None),
        PaperDormancy("td", "Asterix", 54, 54, tau=None),
        PaperDormancy("random", "Asterix", 20, 20, tau=None),
    ),
)


# A new task for a network that has learned before, and for a fresh one.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): distillation. A network pretrained at
# replay ratio 1, and a fresh one, regress the Q-values of a trained teacher for 50,000
# gradient steps: 160 epochs of 312 updates. The arms with ReDo are ours, and so is the
# set of 10,000 states. The teacher data must be in `data/distillation/<Game>.npz` where
# the launch is started; `redo-dopamine data teacher` makes them of two runs.

_EPOCHS = 160
_PAPERS_GAME = ""  # Not known.
_PRETRAINED: dict[str, Setting] = {"Distillation.start": "@pretrained_student"}
_FRESH: dict[str, Setting] = {"Distillation.start": "@fresh_student"}
_DISTILLATION_REDO: dict[str, Setting] = {
    "Distillation.intervention": "@redo()",
    **arms.REDO,
}

DISTILLATION_PROTOCOL = arms.protocol(
    "Distillation",
    module="distillation",
    data="Distillation.lesson = 'data/distillation/{}.npz'",
    num_epochs=_EPOCHS,
    iteration_steps=312,  # 10,000 states in batches of 32
)

DISTILLATION = Study(
    name="distillation",
    claim="A network that has been trained at a high replay ratio learns a new task "
    "worse than a fresh one, and falls dormant.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): distillation",
    axis="student",
    arms=(
        arms.arm("pretrained", "pretrained at RR 1", _PRETRAINED),
        arms.arm("fresh", "fresh", _FRESH),
        arms.arm(
            "pretrained_redo",
            "pretrained at RR 1, ReDo",
            _PRETRAINED | _DISTILLATION_REDO,
        ),
        arms.arm("fresh_redo", "fresh, ReDo", _FRESH | _DISTILLATION_REDO),
    ),
    games=("DemonAttack",),
    seeds=(0, 1, 2),
    length=_EPOCHS,
    protocol=DISTILLATION_PROTOCOL,
    # Their τ is not known.
    paper_curve=(
        PaperPoint("pretrained", _PAPERS_GAME, 1, 1, 61, tau=None),
        PaperPoint("pretrained", _PAPERS_GAME, _EPOCHS, _EPOCHS, 98, tau=None),
        PaperPoint("fresh", _PAPERS_GAME, _EPOCHS, _EPOCHS, 48, tau=None),
    ),
)
