"""Agent steps per second under two sets of versions, each with a Python of its own.

`python -m benchmarks.versions .venv-newest/bin/python` compares the versions of that
Python with those of the one that runs it: a process of each, in turns.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

import importlib.metadata
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks import control, end_to_end
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.cli import flags


def _control(gin_file: str, agent: type, warm: int) -> control.ControlLoop:
    control.set_up(gin_file)
    loop = control.ControlLoop(lambda env: agent(**env.agent_kwargs()))
    loop.run(warm)
    return loop


# A warm loop, and its steps in a round.
AGENTS = {
    "DQN, replay ratio 1": (
        lambda: loops.warm_up(end_to_end.our_dqn(1), 150),
        150,
    ),
    "DrQ(ε), replay ratio 1": (
        lambda: loops.warm_up(end_to_end.our_drq(1), 60),
        60,
    ),
    "PPO": (lambda: _control("ppo.gin", RecycledPPOAgent, 4_098), 4_096),
    "SAC": (lambda: _control("sac.gin", RecycledSACAgent, 10_100), 500),
}


class Worker:
    """A process that runs one agent under some Python when it is asked to."""

    def __init__(self, python: str, agent: str):
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.versions", python, f"--serve={agent}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self) -> str:
        """A line of its answer; the first tells its versions."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        """No more is asked of it."""
        self._process.stdin.close()
        self._process.wait()


def serve(agent: str) -> None:
    """Versions first, then steps per second of a round for every line that comes."""
    make, steps = AGENTS[agent]
    out = sys.stdout
    sys.stdout = sys.stderr  # What else is printed is no answer.
    loop = make()
    named = [f"{x} {importlib.metadata.version(x)}" for x in ("jax", "flax", "numpy")]
    answers = iter([", ".join([f"Python {platform.python_version()}", *named])])
    for _ in sys.stdin:
        answer = next(answers, None) or f"{loops.steps_per_second(loop, steps):.6g}"
        print(answer, file=out, flush=True)


def rows(other: str, rounds: int) -> Iterator[str]:
    """The table, line by line."""
    for number, agent in enumerate(AGENTS):
        pair = [Worker(python, agent) for python in (sys.executable, other)]
        versions = [worker.ask() for worker in pair]
        if number == 0:
            yield f"| agent steps per second | {' | '.join(versions)} | ratio |"
            yield "|---|--:|--:|--:|"
        turns = [[float(worker.ask()) for worker in pair] for _ in range(rounds)]
        for worker in pair:
            worker.end()
        ours, others = (statistics.median(x) for x in zip(*turns, strict=True))
        yield f"| {agent} | {ours:,.1f} | {others:,.1f} | {others / ours:.2f} |"


def main() -> None:
    """Print the table, or serve."""
    parser = flags.Parser(
        prog="python -m benchmarks.versions",
        description="Compare the speed of agents under two sets of versions.",
        epilog="example: python -m benchmarks.versions .venv-newest/bin/python",
    )
    parser.add_argument("other", metavar="PYTHON", help="that has the other versions")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is")
    parser.add_argument("--serve", choices=AGENTS, help="used by this command itself")
    known = parser.parse_args()
    if known.serve:
        serve(known.serve)
        return
    for row in rows(known.other, known.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
