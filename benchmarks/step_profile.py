"""Where the time of an agent step goes, and how far an update is from the machine.

    python -m benchmarks.step_profile [--ratios=0.25,2] [--steps=200]

Our DQN on DemonAttack. Every part is timed to its end, so what the agent overlaps
is laid out one after the other here.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

import argparse
import collections
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import driving
from benchmarks.measuring import seconds
from redo_dopamine.agents.dqn import RecycledDQNAgent

GAME = "DemonAttack"
BATCH_SIZE = 32
# By replay ratio: update period, target update period, in agent steps.
PERIODS = {0.25: (4, 8_000), 0.5: (4, 4_000), 1: (4, 2_000), 2: (4, 1_000)}
# Multiplications per state: outputs times inputs of each.
LAYERS = {
    "Conv_0": (21 * 21 * 32) * (8 * 8 * 4),
    "Conv_1": (11 * 11 * 64) * (4 * 4 * 32),
    "Conv_2": (11 * 11 * 64) * (3 * 3 * 64),
    "Dense_0": 512 * (11 * 11 * 64),
    "Dense_1": 6 * 512,
}
PARTS = ("environment", "replay add", "replay sample", "gradient update", "acting")


def update_flops() -> int:
    """Of one update of DQN, by the layers' shapes; Adam's and the loss's left out.

    Forward of the target network and of the online one; backward, two products of
    the size of a forward for each layer, but one for the first.
    """
    forward = 2 * sum(LAYERS.values()) * BATCH_SIZE
    return 4 * forward - 2 * LAYERS["Conv_0"] * BATCH_SIZE


class Stopwatch:
    """Times calls to their end; what is timed within another call is not its own."""

    def __init__(self):
        self.seconds = collections.Counter()
        self._within = [0.0]

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Time a method of an object from now on."""
        setattr(owner, method, self._timed(getattr(owner, method), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*args, **kwargs):
            self._within.append(0.0)
            start = time.perf_counter()
            result = jax.block_until_ready(call(*args, **kwargs))
            taken = time.perf_counter() - start
            self.seconds[part] += taken - self._within.pop()
            self._within[-1] += taken
            return result

        return timed


def step_parts(ratio: float, num_steps: int) -> dict[str, float]:
    """Milliseconds per agent step, by part, and the `rest`; `step` is the sum."""
    period, target_period = PERIODS[ratio]
    loops.set_up(
        "dqn.gin",
        GAME,
        [
            f"RecycledDQNAgent.replay_ratio = {ratio}",
            f"JaxDQNAgent.update_period = {period}",
            f"JaxDQNAgent.target_update_period = {target_period}",
        ],
    )
    loop = loops.make(driving.Loop, RecycledDQNAgent, GAME, True)
    loops.warm_up(loop)
    watch = Stopwatch()
    watch.watch(loop.environment, "step", "environment")
    watch.watch(loop.environment, "reset", "environment")
    watch.watch(loop.agent._replay, "add", "replay add")
    watch.watch(loop.agent._replay, "sample", "replay sample")
    watch.watch(loop.agent, "_gradient_update", "gradient update")
    watch.watch(loop.agent, "step", "acting")
    watch.watch(loop.agent, "begin_episode", "acting")
    start = time.perf_counter()
    loop.run(num_steps)
    total = time.perf_counter() - start
    parts = {part: watch.seconds[part] for part in PARTS}
    parts |= {"rest": total - sum(parts.values()), "step": total}
    return {part: 1e3 * taken / num_steps for part, taken in parts.items()}


def parts_table(by_ratio: dict[float, dict[str, float]]) -> str:
    """Milliseconds and shares as markdown, a column per replay ratio."""
    head = "".join(f" replay ratio {ratio:g} |" for ratio in by_ratio)
    lines = [f"| ms per agent step |{head}", "|---|" + "--:|" * len(by_ratio)]
    for part in (*PARTS, "rest", "step"):
        cells = "".join(
            f" {parts[part]:.2f} ({parts[part] / parts['step']:.0%}) |"
            for parts in by_ratio.values()
        )
        lines.append(f"| {part} |{cells}")
    return "\n".join(lines)


def matmul_flops_per_second(side: int = 2048, rounds: int = 9) -> float:
    """Of a float32 product of two square matrices; the median."""
    matrix = jax.random.normal(jax.random.PRNGKey(0), (side, side), jnp.float32)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(matrix, matrix))
    taken = [seconds(lambda: product(matrix, matrix), 3) for _ in range(rounds)]
    return 2 * side**3 / statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratios", default="0.25,2")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    ratios = [float(ratio) for ratio in args.ratios.split(",")]
    by_ratio = {ratio: step_parts(ratio, args.steps) for ratio in ratios}
    print(parts_table(by_ratio))
    flops, rate = update_flops(), matmul_flops_per_second()
    taken = statistics.median(
        parts["gradient update"] / 1e3 / ratio for ratio, parts in by_ratio.items()
    )
    print(
        f"\nAn update is {flops / 1e9:.2f} GFLOP by the layers' shapes and takes "
        f"{1e3 * taken:.1f} ms: {flops / taken / 1e9:.0f} GFLOP/s. A float32 product "
        f"of 2048 x 2048 runs at {rate / 1e9:.0f} GFLOP/s, at which the update would "
        f"take {1e3 * flops / rate:.1f} ms: it is at {flops / taken / rate:.0%} of it."
    )


if __name__ == "__main__":
    main()
