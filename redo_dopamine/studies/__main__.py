"""`redo-dopamine studies`: what there is; `redo-dopamine studies NAME`: one study."""

import argparse
import sys
from collections.abc import Sequence

from redo_dopamine.cli import flags, process
from redo_dopamine.studies import STUDIES, plan, scaling


def list_studies() -> str:
    """Name, arms, runs and claim of every study."""
    width = max(map(len, STUDIES))
    lines = [f"{'study':{width}}  arms   runs  claim"]
    for study in STUDIES.values():
        runs = len(study.arms) * len(study.games) * len(study.seeds)
        lines.append(
            f"{study.name:{width}}  {len(study.arms):4}  {runs:5}  {study.claim}"
        )
    lines.append("\n`show NAME` tells more of one.")
    return "\n".join(lines)


def show(selection: plan.Selection, steps_per_second: float | None = None) -> str:
    """What a launch of a selection would run, and for how long.

    Args:
        selection: what is asked for.
        steps_per_second: measured on the machine in question; None for the figures
            that ship.
    """
    study, scale = selection.study, selection.scale
    unit = study.protocol.unit
    length = scaling.run_length(study, scale)
    runs_per_arm = len(selection.games) * len(selection.seeds)
    num_runs = runs_per_arm * len(selection.arms)
    seconds = sum(
        runs_per_arm * plan.run_seconds(study, arm, scale, steps_per_second)
        for arm in selection.arms
    )
    basis = (
        "speeds measured on two CPU cores, which --steps_per_second replaces"
        if steps_per_second is None
        else f"{steps_per_second:g} {unit.steps} per second"
    )
    lines = [f"{study.name}: {study.claim}", f"after {study.source}"]
    lines += [study.differs, ""] if study.differs else [""]
    bindings = {arm.name: scaling.arm_bindings(study, arm, scale) for arm in study.arms}
    common = set.intersection(*map(set, bindings.values()))
    for arm in selection.arms:
        lines.append(
            f"{arm.name}  ({arm.label})  {arm.gin_file or study.protocol.module}"
        )
        lines += [f"    {x}" for x in bindings[arm.name] if x not in common]
    lines.append("all arms")
    lines += [f"    {x}" for x in bindings[study.arms[0].name] if x in common]
    lines += [
        "",
        f"games ({len(selection.games)}): {', '.join(selection.games)}",
        *_only_by_name(selection),
        f"seeds ({len(selection.seeds)}): {', '.join(map(str, selection.seeds))}",
        f"runs: {num_runs:,}",
        f"{unit.steps}: {length.agent_steps:,} per run "
        f"({unit.of(length):,} {unit.name}), "
        f"{length.agent_steps * num_runs:,} in all",
        f"hours: about {seconds / 3600:,.1f}, one run at a time ({basis})",
    ]
    if scale != 1:
        lines.append(
            f"scale: {scale:g} of the study's length of {study.length:,} {unit.name}"
        )
    lines += warnings(selection)
    return "\n".join(lines)


def _only_by_name(selection: plan.Selection) -> list[str]:
    """The games that a launch has to name, less those that it does."""
    rest = [x for x in selection.study.games_by_name if x not in selection.games]
    return [f"only by name: {', '.join(rest)}"] if rest else []


def warnings(selection: plan.Selection) -> list[str]:
    """What a scale makes of a study, where that needs saying."""
    return [
        f"at this scale these arms are the same run: {', '.join(names)}"
        for names in scaling.equal_arms(selection.study, selection.scale)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = flags.Parser(
        prog="redo-dopamine studies",
        description="List all studies; with a name, show one.",
        epilog="example: redo-dopamine studies replay_ratio --games=Pong --seeds=1",
    )
    commands = parser.add_subparsers(dest="command")
    details = commands.add_parser(
        "show", help="show one study; the word may be left out"
    )
    details.add_argument("study", help="its name, or a Python file that makes it")
    add_selection_options(details)
    details.add_argument(
        "--steps_per_second",
        type=flags.number("--steps_per_second", "> 0", lambda x: x > 0),
        metavar="N",
    )
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and not words[0].startswith("-") and words[0] not in commands.choices:
        words.insert(0, "show")

    def run() -> None:
        options = parser.parse_args(words)
        if options.command is None:
            print(list_studies())
            return
        selection = plan.select(
            options.study, options.arms, options.games, options.seeds, options.scale
        )
        print(show(selection, options.steps_per_second))

    return process.status_of(run)


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose a part of a study."""
    parser.add_argument("--arms", metavar="A,B", help="some of the study's arms")
    parser.add_argument("--games", metavar="A,B", help="some of the study's games")
    parser.add_argument(
        "--seeds", metavar="N|A,B", help="the first N seeds, or these seeds"
    )
    parser.add_argument(
        "--scale",
        type=flags.scale,
        default=1.0,
        metavar="S",
        help="shorten lengths, warm-up and periods by this factor, in (0, 1]",
    )


if __name__ == "__main__":
    process.run(main)
