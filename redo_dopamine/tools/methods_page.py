"""`python -m redo_dopamine.tools.methods_page`: docs/methods.md, all methods.

A method joins by a line in `METHODS`; what it does is the claim of its docstring.
"""

import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from redo_dopamine.agents import initial_features, loss_terms
from redo_dopamine.cli import process
from redo_dopamine.config.names import NETWORK_SETTINGS
from redo_dopamine.core import interventions, optimizers, parseval, upgd
from redo_dopamine.networks import layers
from redo_dopamine.tools.catalogue import first_sentence


class Method(NamedTuple):
    """A method, and how an agent is given it.

    Attributes:
        function: what gin calls by its name.
        lines: gin lines behind `include 'dqn.gin'`.
        source: whose it is.
        changes: what it may change.
    """

    function: Callable[..., Any]
    lines: tuple[str, ...]
    source: str
    changes: str


def _intervention(
    function: Callable[..., Any], source: str, changes: str, *needed: str
) -> Method:
    line = f"RecycledDQNAgent.intervention = @{function.__name__}()"
    return Method(function, (*needed, line), source, changes)


def _link(
    function: Callable[..., Any], source: str, *settings: str, where: str = "before"
) -> Method:
    line = f"RecycledDQNAgent.{where}_optimizer = [@{function.__name__}()]"
    changes = {"before": "the gradient", "after": "the update"}[where]
    return Method(function, (line, *settings), source, changes)


def _term(function: Callable[..., Any], source: str) -> Method:
    line = f"RecycledDQNAgent.loss_term = @{function.__name__}()"
    return Method(function, (line,), source, "the loss")


def _network(setting: str, function: Callable[..., Any], source: str) -> Method:
    [name] = [name for name, x in NETWORK_SETTINGS.items() if x is function]
    line = f"NatureNetwork.{setting} = @{name}"
    return Method(function, (line,), source, "the network")


_NEURONS = "weights and moments of the neurons that are recycled"
_ALL = "all parameters"
_KERNELS = "kernels that feed a layer"
METHODS: tuple[Method, ...] = (
    _intervention(interventions.redo, "Sokar et al., ICML 2023", _NEURONS),
    _intervention(interventions.adaptive_redo, "this project", _NEURONS),
    _intervention(
        interventions.redo_at_random, "this project: a control of ReDo", _NEURONS
    ),
    _intervention(
        interventions.fixed_budget, "Sokar et al., ICML 2023: a comparison", _NEURONS
    ),
    _intervention(
        interventions.regrama,
        "Liu et al., NeurIPS 2025, for the idea; settings are ours",
        _NEURONS,
    ),
    _intervention(
        interventions.continual_backprop, "Dohare et al., Nature 2024", _NEURONS
    ),
    _intervention(
        interventions.self_normalized_resets,
        "Farias and Jozefiak, ICLR 2025; settings are ours",
        _NEURONS,
    ),
    _intervention(
        interventions.prune,
        "Sokar et al., ICML 2023: a comparison",
        "weights and moments of dormant neurons, for good",
    ),
    _intervention(
        interventions.layer_reset,
        "Nikishin et al., ICML 2022",
        "parameters and moments of the last layers",
    ),
    _intervention(
        interventions.shrink_and_perturb, "Ash and Adams, NeurIPS 2020", _ALL
    ),
    _intervention(
        interventions.dash,
        "Shin et al., NeurIPS 2024; period and batch are ours",
        "kernels and biases of all layers and heads",
    ),
    _intervention(
        interventions.dormant_perturbation,
        "Xu et al., ICLR 2024 (DrM), without its exploration and targets",
        "dense layers; the optimizer's state",
    ),
    _intervention(interventions.hare_and_tortoise, "Lee et al., ICML 2024", _ALL),
    _intervention(
        interventions.optimizer_reset,
        "Asadi et al., NeurIPS 2023",
        "the optimizer's state",
    ),
    _intervention(
        interventions.plasticity_injection,
        "Nikishin et al., NeurIPS 2023",
        "the head: two frozen ones beside it",
        "JaxDQNAgent.network = @InjectableNatureNetwork",
    ),
    _intervention(
        interventions.normalize_and_project,
        "Lyle et al., NeurIPS 2024",
        _KERNELS,
        "NatureNetwork.normalize = @LayerNorm",
    ),
    _intervention(
        interventions.weight_clipping, "He, 2026, names none: limit is ours", _ALL
    ),
    _intervention(
        interventions.spectral_norm,
        "Miyato et al., ICLR 2018, with the exact value",
        _KERNELS,
    ),
    _link(
        optimizers.coupled_weight_decay,
        "Sokar et al., ICML 2023",
        "coupled_weight_decay.strength = 1e-5",
    ),
    _link(
        optimizers.decoupled_weight_decay,
        "Loshchilov and Hutter, ICLR 2019",
        "decoupled_weight_decay.strength = 0.1",
        "decoupled_weight_decay.learning_rate = 6.25e-5  # As create_optimizer's.",
        where="after",
    ),
    _link(optimizers.l2_to_init, "Kumar et al., 2023", "l2_to_init.strength = 1e-4"),
    _link(
        optimizers.linear_decay,
        "Lyle et al., NeurIPS 2024, beside the projection",
        "linear_decay.final = 0.1",
        "linear_decay.num_steps = 2_500_000  # Gradient steps.",
        where="after",
    ),
    _link(
        parseval.parseval,
        "Chung et al., NeurIPS 2024",
        "parseval.free = ['Dense_1']  # The head.",
    ),
    _link(upgd.upgd, "Elsayed and Mahmood, ICLR 2024", "create_optimizer.name = 'sgd'"),
    _link(
        upgd.adaptive_upgd,
        "Elsayed and Mahmood, ICLR 2024",
        "create_optimizer.name = 'sgd'",
    ),
    _term(loss_terms.churn_reduction, "Tang et al., ICML 2025 (C-CHAIN)"),
    _term(
        initial_features.initial_feature_regularization,
        "Lyle et al., ICLR 2022 (InFeR)",
    ),
    _network("activation", layers.crelu, "Abbas et al., CoLLAs 2023"),
    _network("activation", layers.deep_fourier, "Lewandowski et al., ICLR 2025"),
    _network("normalize", layers.layer_norm, "Lyle et al., ICML 2023"),
)
# What the field names and this package does not have, and why.
_ABSENT = (
    (
        "Soft resets (Galashov et al., NeurIPS 2024)",
        "neither its text nor its authors' code could be read, and how the drift is "
        "learned decides whether it is right",
    ),
    (
        "Neuroplastic expansion (Liu et al., 2024)",
        "its text and its authors' code differ on what is pruned, so that no number "
        "says which of them is right",
    ),
    (
        "Hadamard representations",
        "neither their text nor their authors' code could be read",
    ),
)
_HEAD = """# Methods against lost plasticity

Every method of this package with its gin lines, to stand behind `include 'dqn.gin'`.
`python -m redo_dopamine.tools.methods_page` writes this page from the methods'
docstrings; [public names](api.md) and [gin names](catalogue.md) have their settings. A
setting that no source gives is named as ours in the docstring.

Methods combine: one intervention, any number of links beside the optimizer, one term of
the loss, and what the network takes. Each resumes to the bit. In other agents the line
begins with their name, and `NatureNetwork` is the name of their network; a term of the
loss is for agents with Q-values alone. Every network of the package and every derived
one takes every intervention, but for `plasticity_injection`, which needs a network with
room for its heads.

What a method costs in updates is measured by `python -m benchmarks.methods`
([benchmarks](../benchmarks/README.md#what-a-method-costs)).

"""


def page() -> str:
    """The page."""
    return "".join((_HEAD, *_table(), *_each(), *_absent()))


def _table() -> Iterator[str]:
    yield "| method | what it does | what it changes | source |\n|---|---|---|---|\n"
    for method in METHODS:
        name = method.function.__name__
        cells = first_sentence(method.function), method.changes, method.source
        yield f"| [`{name}`](#{name}) | {' | '.join(cells)} |\n"


def _each() -> Iterator[str]:
    yield "\n## The lines of gin\n"
    for method in METHODS:
        lines = "\n".join(("include 'dqn.gin'", "", *method.lines))
        yield f"\n### {method.function.__name__}\n\n```gin\n{lines}\n```\n"


def _absent() -> Iterator[str]:
    yield "\n## What is not here\n\nA wrong baseline is worse than none.\n\n"
    for name, reason in _ABSENT:
        yield textwrap.fill(f"- {name}: {reason}.", 88, subsequent_indent="  ") + "\n"


def main() -> int:
    """Print the page."""
    print(page(), end="")
    return 0


if __name__ == "__main__":
    process.run(main)
