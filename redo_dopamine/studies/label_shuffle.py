"""Labels that stay and labels that are reshuffled, with and without ReDo.

Sokar et al., ICML 2023 (arXiv 2302.12902): a classifier of CIFAR-10, without ReDo;
10,000 images, 100 epochs, new labels every 20 of them. Threshold and period of ReDo
are the paper's for agents: our choice, as are the optimizer's settings. The paper's
numbers are of CIFAR-10; Fashion-MNIST, which Debian packages, stands in for it unless
a launch asks for CIFAR-10 by name, with the files in `data/` where it is started.
"""

from redo_dopamine.studies import arms, experiments
from redo_dopamine.studies.study import Arm, PaperPoint, Setting, Study

_PHASES = 5  # The true labels, and four reshuffles.
_EPOCHS_IN_PHASE = 20
_STAY: dict[str, Setting] = {"LabelShuffle.shuffle_every": "None"}
_CHANGE: dict[str, Setting] = {"LabelShuffle.shuffle_every": _EPOCHS_IN_PHASE}
_REDO: dict[str, Setting] = {"LabelShuffle.intervention": "@redo()", **arms.REDO}

PROTOCOL = experiments.protocol(
    "LabelShuffle",
    module="label_shuffle",
    data="LabelShuffle.dataset = @{}",
    num_epochs=_PHASES * _EPOCHS_IN_PHASE,
    iteration_steps=156,  # 10,000 images in batches of 64
    phases=_PHASES,
)


def _arm(name: str, label: str, settings: dict[str, Setting]) -> Arm:
    return experiments.arm(name, label, settings, speed="classifier")


def _point(arm: str, first: int, last: int, percent: float) -> PaperPoint:
    return PaperPoint(arm, "cifar10", first, last, percent, tau=None)  # Not known.


STUDY = Study(
    name="label_shuffle",
    claim="Dormant neurons come of targets that change: fixed labels wake neurons, "
    "each reshuffle silences more.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): labels of CIFAR-10, reshuffled",
    axis="labels",
    arms=(
        _arm("fixed", "fixed labels", _STAY),
        _arm("reshuffled", "reshuffled labels", _CHANGE),
        _arm("fixed_redo", "fixed labels, ReDo", _STAY | _REDO),
        _arm("reshuffled_redo", "reshuffled labels, ReDo", _CHANGE | _REDO),
    ),
    games=("fashion_mnist",),
    games_by_name=("cifar10",),  # Its files are nowhere by themselves.
    seeds=(0, 1, 2),
    length=_PHASES * _EPOCHS_IN_PHASE,
    protocol=PROTOCOL,
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
