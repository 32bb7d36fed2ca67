"""How much of an update is left to save: its products and convolutions, each alone.

    python -m benchmarks.floor [--rounds=25]

Every operation of a DQN update that multiplies, and Adam's step, compiled as a program
of its own in the runtime that we use. Beside them: our whole update, which has
rectifiers, biases and the loss besides, and Dopamine's. All twice: in turns, where each
finds the caches full of what the others used, and each again and again. In an update it
is something between the two.
"""

from benchmarks import loops  # noqa: F401  isort: skip  Before Dopamine.

import argparse
import functools
import math
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from dopamine.jax import networks
from dopamine.jax.agents.dqn import dqn_agent

from benchmarks.measuring import seconds, timed
from redo_dopamine.agents import dqn_loss
from redo_dopamine.core.jit import compiled
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.plasticity.learner import Learner, make_update
from redo_dopamine.runners.malloc import keep_freed_memory

BATCH_SIZE, NUM_ACTIONS, GAMMA = 32, 6, 0.99
# Side and channels of the input, channels out, side of the kernel, stride.
CONVOLUTIONS = {
    "Conv_0": (84, 4, 32, 8, 4),
    "Conv_1": (21, 32, 64, 4, 2),
    "Conv_2": (11, 64, 64, 3, 1),
}
DENSE = (11 * 11 * 64, 512)

Call = Callable[[], Any]


def operations(rng: np.random.Generator) -> Iterator[tuple[str, int, Call]]:
    """Name, how often an update has it, and a call of it.

    Twice forward, for the online and the target network; the gradient in the pixels
    is nobody's.
    """

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    for name, (side, channels, outputs, size, stride) in CONVOLUTIONS.items():
        convolve = functools.partial(_convolve, stride=stride)
        x = normal(BATCH_SIZE, side, side, channels)
        kernel = normal(size, size, channels, outputs)
        out = normal(*jax.eval_shape(convolve, x, kernel).shape)
        yield f"{name}: forward", 2, _program(convolve, x, kernel)
        yield f"{name}: kernel", 1, _program(_in_kernel(convolve), x, kernel, out)
        if name != "Conv_0":
            yield f"{name}: input", 1, _program(_in_input(convolve), x, kernel, out)
    x, kernel, out = normal(BATCH_SIZE, DENSE[0]), normal(*DENSE), normal(32, DENSE[1])
    yield "Dense_0: forward", 2, _program(jnp.matmul, x, kernel)
    yield "Dense_0: kernel", 1, _program(_in_kernel(jnp.matmul), x, kernel, out)
    yield "Dense_0: input", 1, _program(_in_input(jnp.matmul), x, kernel, out)
    yield "Adam's step", 1, _adam(normal(*DENSE), normal(*DENSE))


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=numbers
    )


def _in_kernel(product: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda x, kernel, out: jax.vjp(lambda k: product(x, k), kernel)[1](out)[0]


def _in_input(product: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda x, kernel, out: jax.vjp(lambda x: product(x, kernel), x)[1](out)[0]


def _program(function: Callable[..., Any], *args: jax.Array) -> Call:
    function = compiled(function)
    return lambda: function(*args)


def _adam(params: jax.Array, grads: jax.Array) -> Call:
    optimizer = optax.adam(6.25e-5, eps=1.5e-4)

    @functools.partial(compiled, donate_argnums=0)
    def step(learner: Learner, grads: jax.Array) -> Learner:
        updates, state = optimizer.update(grads, learner.opt_state, learner.params)
        return Learner(optax.apply_updates(learner.params, updates), state)

    learner = Learner(params, optimizer.init(params))

    def call() -> Learner:
        nonlocal learner
        learner = step(learner, grads)
        return learner

    return call


def random_batch(rng: np.random.Generator) -> dict[str, np.ndarray]:
    states = rng.integers(0, 256, (2, BATCH_SIZE, 84, 84, 4), np.uint8)
    return {
        "state": states[0],
        "next_state": states[1],
        "action": rng.integers(0, NUM_ACTIONS, BATCH_SIZE, np.int32),
        "reward": rng.normal(size=BATCH_SIZE).astype(np.float32),
        "terminal": np.zeros(BATCH_SIZE, np.float32),
    }


def our_update(batch: dict[str, np.ndarray]) -> Call:
    """A call of an update as our agent makes it."""
    network = NatureNetwork(num_actions=NUM_ACTIONS)
    params = network.init(jax.random.PRNGKey(0), batch["state"][0])
    target = jax.tree.map(jnp.copy, params)
    optimizer = optax.adam(6.25e-5, eps=1.5e-4)
    huber = dqn_loss.elementwise_loss("huber")
    update = make_update(dqn_loss.q_learning(network.apply, huber, GAMMA), optimizer)
    learner = Learner(params, optimizer.init(params))

    def call() -> Any:
        nonlocal learner
        learner, loss = update(learner, target, batch)
        return learner, loss

    return call


def dopamines_update(batch: dict[str, np.ndarray]) -> Call:
    """A call of an update as Dopamine's agent makes it."""
    network = networks.NatureDQNNetwork(num_actions=NUM_ACTIONS)
    states = batch["state"] / np.float32(255), batch["next_state"] / np.float32(255)
    params = network.init(jax.random.PRNGKey(0), states[0][0])
    target, optimizer = params, optax.adam(6.25e-5, eps=1.5e-4)
    opt_state = optimizer.init(params)

    def call() -> Any:
        nonlocal params, opt_state
        opt_state, params, loss = dqn_agent.train(
            *(network, params, target, optimizer, opt_state),
            *(states[0], batch["action"], states[1], batch["reward"]),
            *(batch["terminal"], GAMMA, "huber"),
        )
        return params, loss

    return call


def in_turns(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Milliseconds of each, one after the other: the caches hold the others' arrays."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(1e3 * seconds(call))
    return {name: statistics.median(times) for name, times in taken.items()}


def repeated(call: Call, repeats: int = 60) -> tuple[float, float]:
    """Milliseconds of a call again and again, and the cores that it uses."""

    def calls() -> None:
        for _ in range(repeats):
            jax.block_until_ready(call())

    _, taken, cores = timed(calls)
    return 1e3 * taken / repeats, cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    keep_freed_memory()
    rng = np.random.default_rng(0)
    rows = list(operations(rng))
    batch = random_batch(rng)
    updates = {
        "our update": our_update(batch),
        "Dopamine's update": dopamines_update(batch),
    }
    calls = {name: call for name, _, call in rows} | updates
    for call in calls.values():
        jax.block_until_ready(call())
    cold = in_turns(calls, args.rounds)
    warm = {name: repeated(call) for name, call in calls.items()}
    print("| operation | times | ms, in turns | ms, again and again | cores |")
    print("|---|--:|--:|--:|--:|")
    for name, times, _ in rows:
        ms, cores = warm[name]
        print(f"| {name} | {times} | {cold[name]:.2f} | {ms:.2f} | {cores:.2f} |")
    all_cold = math.fsum(times * cold[name] for name, times, _ in rows)
    all_warm = math.fsum(times * warm[name][0] for name, times, _ in rows)
    print(f"| all of them | | {all_cold:.1f} | {all_warm:.1f} | |")
    for name in updates:
        ms, cores = warm[name]
        print(f"| {name} | | {cold[name]:.1f} | {ms:.1f} | {cores:.2f} |")


if __name__ == "__main__":
    main()
