"""`python -m redo_dopamine.catalogue`: the table of docs/catalogue.md.

What comes in: the gin names of `redo_dopamine.config.registry`. What leaves: Markdown.
"""

import argparse
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redo_dopamine.cli import process
from redo_dopamine.config import gin_files, registry


def table() -> str:
    """One row per agent, network, intervention, optimizer link and metric."""
    head = "| | gin name | what it is |\n|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in _rows())


def _rows() -> Iterator[tuple[str, str, str]]:
    for agent, networks in registry.AGENTS.items():
        name, what = agent.__name__, _first_sentence(agent)
        yield "agent", f"`{name}`", f"{what} Networks: {', '.join(networks)}"
    named = (
        ("network", registry.NETWORKS),
        ("network setting", registry.NETWORK_SETTINGS),
    )
    for kind, things in named:
        for name, thing in things.items():
            yield kind, f"`@{gin_files.selector(name)}`", _first_sentence(thing)
    functions = (
        ("intervention", registry.INTERVENTIONS),
        ("of `fixed_budget`", registry.BUDGET_SETTINGS),
        ("of `redo`", registry.REDO_SETTINGS),
        ("beside the optimizer", registry.OPTIMIZER_LINKS),
        ("metric", registry.METRICS),
        ("of `RecycledDQNAgent`", registry.DQN_SETTINGS),
        ("of `FrameReplay`", registry.REPLAY_WINDOWS),
        ("of `OfflineDQNAgent`", registry.OFFLINE_SETTINGS),
        ("of `RecycledPPOAgent`", registry.PPO_SETTINGS),
        ("of `RecycledSACAgent`", registry.SAC_SETTINGS),
        ("of `create_control_environment`", registry.CONTROL_SETTINGS),
    )
    for kind, offer in functions:
        for function in offer:
            name = gin_files.selector(function.__name__)
            yield kind, f"`@{name}`", _first_sentence(function)


def _first_sentence(thing: Callable[..., Any]) -> str:
    """The claim that opens a docstring, on one line, safe inside a table."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command, which has no flags but --help."""
    argparse.ArgumentParser(
        prog="python -m redo_dopamine.catalogue",
        description="Print the table of gin names in docs/catalogue.md.",
    ).parse_args(arguments)
    print(table(), end="")


if __name__ == "__main__":
    process.run(main)
