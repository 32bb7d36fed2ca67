"""One update of several seeds at once, by `jax.vmap`: updates per second.

    python -m benchmarks.seeds [--seeds=1,2,4,8,16,32] [--rounds=5] [--check]

Needs jax, flax and optax alone: neither Dopamine nor TensorFlow. Every seed has its
own parameters, optimizer state and batches; a batch of bytes lies on the device.
`--check` compares the updates with those made one seed after the other.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.networks.nature import NatureNetwork

NUM_ACTIONS, BATCH_SIZE, GAMMA = 6, 32, 0.99
SIDE = 84


class Learner(NamedTuple):
    params: Any
    target_params: Any
    opt_state: optax.OptState


class Problem(NamedTuple):
    """What one seed starts with, and what an update does to it."""

    init: Callable[[jax.Array], Learner]
    batch: Callable[[jax.Array], dict[str, jax.Array]]
    update: Callable[[Learner, dict[str, jax.Array]], tuple[Learner, jax.Array]]


def make_problem(width: float = 1, side: int = SIDE) -> Problem:
    """DQN's update of the Nature network: Huber loss, Adam."""
    network = NatureNetwork(NUM_ACTIONS, width=width)
    optimizer = optax.adam(6.25e-5, eps=1.5e-4)
    shape = (side, side, 4)

    def init(key: jax.Array) -> Learner:
        params, target_params = (
            network.init(k, jnp.zeros(shape, jnp.uint8)) for k in jax.random.split(key)
        )
        return Learner(params, target_params, optimizer.init(params))

    def batch(key: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(key, 4)
        states = functools.partial(
            jax.random.randint, shape=(BATCH_SIZE, *shape), minval=0, maxval=256
        )
        return {
            "state": states(keys[0]).astype(jnp.uint8),
            "next_state": states(keys[1]).astype(jnp.uint8),
            "action": jax.random.randint(keys[2], (BATCH_SIZE,), 0, NUM_ACTIONS),
            "reward": jax.random.normal(keys[3], (BATCH_SIZE,)),
        }

    def q_values(params: Any, states: jax.Array) -> jax.Array:
        return jax.vmap(lambda state: network.apply(params, state).q_values)(states)

    def loss(params: Any, target_params: Any, batch: dict[str, jax.Array]) -> jax.Array:
        following = jnp.max(q_values(target_params, batch["next_state"]), axis=1)
        targets = jax.lax.stop_gradient(batch["reward"] + GAMMA * following)
        q = q_values(params, batch["state"])
        chosen = jnp.take_along_axis(q, batch["action"][:, None], axis=1)[:, 0]
        return jnp.mean(optax.huber_loss(chosen, targets))

    def update(learner: Learner, batch: dict[str, jax.Array]):
        params, target_params, opt_state = learner
        value, grads = jax.value_and_grad(loss)(params, target_params, batch)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        return Learner(params, target_params, opt_state), value

    return Problem(init, batch, update)


def keys_of(num_seeds: int) -> jax.Array:
    return jnp.stack([jax.random.PRNGKey(seed) for seed in range(num_seeds)])


def updates_per_second(problem: Problem, num_seeds: int, rounds: int) -> float:
    """Updates of all seeds together; the median of several rounds."""
    learners = jax.jit(jax.vmap(problem.init))(keys_of(num_seeds))
    batches = jax.jit(jax.vmap(problem.batch))(keys_of(num_seeds))
    update = jax.jit(jax.vmap(problem.update), donate_argnums=0)
    learners, losses = jax.block_until_ready(update(learners, batches))

    def seconds(repeats: int) -> float:
        nonlocal learners, losses
        start = time.perf_counter()
        for _ in range(repeats):
            learners, losses = update(learners, batches)
        jax.block_until_ready((learners, losses))
        return (time.perf_counter() - start) / repeats

    repeats = max(1, int(0.5 / seconds(2)))  # Half a second a round.
    return num_seeds / statistics.median(seconds(repeats) for _ in range(rounds))


def largest_difference(problem: Problem, num_seeds: int, num_updates: int = 3) -> float:
    """Between all seeds at once and one by one, in units of the largest parameter.

    Raises:
        AssertionError: they differ by more than float32 explains.
    """
    keys = keys_of(num_seeds)
    init, make_batch, update = map(jax.jit, problem)
    update_all = jax.jit(jax.vmap(problem.update))
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(init, keys))
    batches = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(make_batch, keys))
    for _ in range(num_updates):
        together, losses = update_all(together, batches)
    largest = 0.0
    for seed in range(num_seeds):
        alone, batch = init(keys[seed]), make_batch(keys[seed])
        for _ in range(num_updates):
            alone, loss = update(alone, batch)
        np.testing.assert_allclose(losses[seed], loss, rtol=1e-4)
        for both, one in zip(
            jax.tree.leaves(together.params), jax.tree.leaves(alone.params), strict=True
        ):
            difference = float(jnp.max(jnp.abs(both[seed] - one)))
            scale = max(float(jnp.max(jnp.abs(one))), 1e-3)
            largest = max(largest, difference / scale)
    assert largest < 2e-2, f"The updates differ by {largest:.1e}."
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1,2,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    problem = make_problem()
    seeds = [int(number) for number in args.seeds.split(",")]
    if args.check:
        # An accelerator's default rounds a product's factors to fewer bits.
        with jax.default_matmul_precision("highest"):
            difference = largest_difference(problem, max(seeds))
        print(f"{max(seeds)} seeds at once and one by one: at most {difference:.1e}")
        return
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}", flush=True)
    print("| seeds | updates/s, all | updates/s, each | against one |")
    print("|--:|--:|--:|--:|")
    first = None
    for number in seeds:
        rate = updates_per_second(problem, number, args.rounds)
        first = first or rate / number
        print(
            f"| {number} | {rate:,.1f} | {rate / number:,.1f} | {rate / first:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
