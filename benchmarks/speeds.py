"""What an agent step costs, for `redo_dopamine/studies/plan.py`.

    python -m benchmarks.speeds [--rows=nature,impala] [--rounds=5]

Prints that module's rows. Steps per second are measured at two replay ratios, in turns;
the cost of acting and that of an update follow. No accelerator is used.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

import argparse
import statistics

from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent

# Gin file, bindings, agent, update period, and the two numbers of updates per train
# step.
ROWS = {
    "nature": ("dqn.gin", (), RecycledDQNAgent, 4, (1, 8)),
    "nature_width2": (
        *("dqn.gin", ("NatureNetwork.width = 2",), RecycledDQNAgent, 4, (1, 4)),
    ),
    "nature_width4": (
        *("dqn.gin", ("NatureNetwork.width = 4",), RecycledDQNAgent, 4, (1, 4)),
    ),
    "impala": ("dqn_impala.gin", (), RecycledDQNAgent, 4, (1, 4)),
    "drq_eps": ("drq_eps.gin", (), RecycledDrQEpsAgent, 1, (1, 4)),
}
UPDATES_A_ROUND = 24
GAME = "DemonAttack"


def make_loop(row, updates):
    gin_file, bindings, agent, period, _ = ROWS[row]
    ratio = f"{agent.__name__}.replay_ratio = {updates / period}"
    loops.set_up(gin_file, GAME, [*bindings, ratio])
    return loops.warm_up(loops.make(loops.Loop, agent, GAME, True), 4 * period)


def measure(row, rounds):
    """Seconds of acting and of an update."""
    period, (few, many) = ROWS[row][3:]
    sides = {updates: make_loop(row, updates) for updates in (few, many)}
    seconds = {few: [], many: []}
    for _ in range(rounds):
        for updates, loop in sides.items():
            steps = max(period, UPDATES_A_ROUND * period // updates)
            steps -= steps % period
            seconds[updates].append(1 / loops.steps_per_second(loop, steps))
    low, high = (statistics.median(seconds[updates]) for updates in (few, many))
    update = (high - low) * period / (many - few)
    return low - few / period * update, update


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for row in args.rows.split(","):
        acting, update = measure(row, args.rounds)
        print(f'"{row}": Speed(acting={acting:.4f}, update={update:.4f}),', flush=True)


if __name__ == "__main__":
    main()
