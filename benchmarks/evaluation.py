"""Evaluation side by side against Dopamine's, one episode after the other.

    python benchmarks/evaluation.py [--episodes=16] [--max_steps=400] [--rounds=3]

One agent and one game; the two take turns in this process. Prints the median of
each in agent steps per second, and their ratio.
"""

import argparse
import functools
import statistics
import tempfile
import time

import numpy as np

from redo_dopamine import training
from redo_dopamine.config import load
from redo_dopamine.environments.atari import seed_environment
from redo_dopamine.runners import atari_100k


def one_by_one(runner, num_episodes):
    """Dopamine's loop: agent steps per second."""
    runner._agent.eval_mode = True
    start = time.perf_counter()
    steps = sum(
        super(type(runner), runner)._run_one_episode()[0] for _ in range(num_episodes)
    )
    return steps / (time.perf_counter() - start)


def side_by_side(runner, environments, max_steps):
    """Ours: agent steps per second."""
    rng, steps = np.random.default_rng(0), 0
    for environment in environments:
        seed_environment(environment, rng)

    def policy(states):
        nonlocal steps
        steps += np.count_nonzero(states.any(axis=(1, 2, 3)))
        return runner.agent.greedy_actions(states)

    start = time.perf_counter()
    atari_100k.play_episodes(
        environments,
        policy,
        stack_size=runner.agent.stack_size,
        epsilon=runner.agent.epsilon_eval,
        max_steps=max_steps,
        rng=rng,
        start=functools.partial(atari_100k.start_with_no_ops, max_no_ops=0),
    )
    return steps / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--game", default="Breakout")
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--max_steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    bindings = [
        f"create_atari_environment.game_name = '{args.game}'",
        f"Runner.max_steps_per_episode = {args.max_steps}",
        f"Atari100kRunner.num_eval_episodes = {args.episodes}",
        "Atari100kRunner.max_no_ops = 0",
        "JaxDQNAgent.seed = 0",
    ]
    load.load_gin_configs(["drq_eps.gin"], bindings)
    with tempfile.TemporaryDirectory() as directory:
        runner = training.build_runner(directory)
        environments = runner.eval_environments()
        one_by_one(runner, 1)  # Compile.
        side_by_side(runner, environments, max_steps=args.max_steps)
        figures = [
            (
                one_by_one(runner, args.episodes),
                side_by_side(runner, environments, args.max_steps),
            )
            for _ in range(args.rounds)
        ]
    serial, batched = map(statistics.median, zip(*figures, strict=True))
    print(
        f"{args.game}, {args.episodes} episodes, {args.rounds} rounds: one by one "
        f"{serial:.0f} agent steps/s, side by side {batched:.0f} agent steps/s, "
        f"ratio {batched / serial:.2f}"
    )


if __name__ == "__main__":
    main()
