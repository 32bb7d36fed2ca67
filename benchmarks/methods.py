"""What each method adds to an update of DQN: `python -m benchmarks.methods`.

A method with a period is measured at a period of 1, and what it adds is divided by its
own. It makes the table in the README beside this file.
"""

from benchmarks import frames, loops  # isort: skip  Before Dopamine.

import inspect
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import gin

from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.cli import flags
from redo_dopamine.tools.methods_page import METHODS, Method

GAME = "DemonAttack"
PLAIN = ("RecycledDQNAgent.intervention = @none()",)
_QUIET = ("RecycledDQNAgent.taus = ()", "RecycledDQNAgent.replay_ratio = 1")


def measure(method: Method, recorded: Sequence, updates: int, rounds: int) -> float:
    """What one application adds, in updates: the median of alternating rounds."""
    often = _settings(method).get("period")
    name = method.function.__name__
    lines = (*method.lines, *([f"{name}.period = 1"] if often else []))
    busy, plain = _updates(lines, recorded), _updates(PLAIN, recorded)
    turns = [(busy.run(updates), plain.run(updates)) for _ in range(rounds)]
    return statistics.median(ours / peer - 1 for ours, peer in turns)


def _settings(method: Method) -> dict[str, object]:
    parameters = inspect.signature(method.function).parameters.values()
    return {x.name: x.default for x in parameters}


def _updates(lines: Sequence[str], recorded: Sequence) -> loops.Updates:
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.gin"
        own.write_text("\n".join(("include 'dqn.gin'", *lines)))
        loops.set_up(str(own), GAME, _QUIET)
    return loops.Updates(RecycledDQNAgent(6), recorded, warm=3)


def rows(updates: int, rounds: int) -> Iterator[str]:
    """The table, line by line."""
    yield "| method | one application, in updates | its period | added per update |"
    yield "|---|--:|--:|--:|"
    recorded = list(itertools.islice(frames.play(GAME), 2_000))
    for method in METHODS:
        known = _settings(method)
        if "gradient_step" in known:
            continue  # Once in a run.
        added = measure(method, recorded, updates, rounds)
        # Hare and tortoise averages between its returns.
        period = known.get("average_period") or known.get("period") or 1
        percent = 100 * added / period
        shown = f"{percent:.0f}" if abs(percent) >= 10 else f"{percent:.2g}"
        share = f"{added:.2f} | {period:,} | {shown}%"
        yield f"| `{method.function.__name__}` | {share} |"
        gin.clear_config()


def main() -> None:
    """Print the table."""
    parser = flags.Parser(
        prog="python -m benchmarks.methods",
        description="Print what each method adds to an update of DQN.",
        epilog="example: python -m benchmarks.methods --updates=20 --rounds=5",
    )
    parser.add_argument("--updates", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is")
    known = parser.parse_args()
    for row in rows(known.updates, known.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
