"""`redo-dopamine catalogue`: the table of docs/catalogue.md."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redo_dopamine.cli import flags, process


def table() -> str:
    """One row per agent, network, intervention, optimizer link and metric."""
    # Seconds: the command line is read, and help shown, first.
    with process.importing():
        from redo_dopamine.config import gin_files, registry

    head = "| | gin name | what it is |\n|---|---|---|\n"
    return head + "".join(
        f"| {' | '.join(row)} |\n" for row in _rows(registry, gin_files.selector)
    )


def _rows(
    registry: Any, selector: Callable[[str], str]
) -> Iterator[tuple[str, str, str]]:
    for agent, networks in registry.AGENTS.items():
        name, what = agent.__name__, first_sentence(agent)
        yield "agent", f"`{name}`", f"{what} Networks: {', '.join(networks)}"
    named = (
        ("network", registry.NETWORKS),
        ("network setting", registry.NETWORK_SETTINGS),
    )
    for kind, things in named:
        for name, thing in things.items():
            yield kind, f"`@{selector(name)}`", first_sentence(thing)
    functions = (
        ("of `NatureRainbowNetwork`", registry.BODIES),
        ("intervention", registry.INTERVENTIONS),
        ("of `fixed_budget`", registry.BUDGET_SETTINGS),
        ("of `redo`", registry.REDO_SETTINGS),
        ("beside the optimizer", registry.OPTIMIZER_LINKS),
        ("metric", registry.METRICS),
        ("of `RecycledDQNAgent`", registry.DQN_SETTINGS),
        ("term of the loss", registry.LOSS_TERMS),
        ("of `RecycledFullRainbowAgent`", registry.FULL_RAINBOW_SETTINGS),
        ("of `FrameReplay`", registry.REPLAY_WINDOWS),
        ("of `OfflineDQNAgent`", registry.OFFLINE_SETTINGS),
        ("of `RecycledPPOAgent`", registry.PPO_SETTINGS),
        ("of `RecycledSACAgent`", registry.SAC_SETTINGS),
        ("of `create_control_environment`", registry.CONTROL_SETTINGS),
    )
    for kind, offer in functions:
        for function in offer:
            name = selector(function.__name__)
            yield kind, f"`@{name}`", first_sentence(function)


def first_sentence(thing: Callable[..., Any]) -> str:
    """The claim that opens a docstring, on one line, safe inside a table."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command, which has no flags but --help."""
    flags.Parser(
        prog="redo-dopamine catalogue",
        description="Print the table of gin names in docs/catalogue.md.",
        epilog="example: redo-dopamine catalogue > names.md",
    ).parse_args(arguments)
    print(table(), end="")


if __name__ == "__main__":
    process.run(main)
