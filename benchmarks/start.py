"""From the start of a process to the end of its first update: `--only=start`.

Each run is a process of its own: `python -m benchmarks.start ours DIR`.
"""

import subprocess
import sys
import tempfile
import time
import types

from benchmarks.measuring import Bar, alternate

BINDINGS = (
    "create_atari_environment.game_name = 'DemonAttack'",
    "JaxDQNAgent.min_replay_history = 40",
    "JaxDQNAgent.seed = 0",
    "ReplayBuffer.max_capacity = 1_000_000",
    "ReplayBuffer.batch_size = 32",
)
# What dqn.gin says, for Dopamine's runner.
STOCK_BINDINGS = (
    "create_agent.agent_name = 'jax_dqn'",
    "create_runner.schedule = 'continuous_train'",
    "create_optimizer.learning_rate = 6.25e-5",
    "create_optimizer.eps = 1.5e-4",
    "JaxDQNAgent.loss_type = 'huber'",
    "atari_lib.create_atari_environment.sticky_actions = True",
)
MAX_STEPS = 400


def measure(quick: bool) -> list[Bar]:
    rounds = 1 if quick else 5
    for kind in ("ours", "stock"):  # Files that are read once are in memory then.
        _seconds(kind)
    turns = alternate(lambda: _seconds("ours"), lambda: _seconds("stock"), rounds)
    return [
        Bar(
            "start",
            "process start to the end of the first gradient update, 40 agent steps of "
            "DemonAttack before it, against Dopamine's `Runner` with `JaxDQNAgent`",
            "s",
            turns,
            "ours / peer",
            "<=",
            1,
        )
    ]


def _seconds(kind):
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.start", kind, directory],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        for line in child.stdout:
            if line.startswith("updated"):
                taken = time.perf_counter() - start
                child.communicate()
                return taken
        child.wait()
        said.seek(0)
        end = said.read().decode()[-2000:]
        raise RuntimeError(f"{kind} ended without an update: {end}")


def ours(directory):
    """As `python -m redo_dopamine.train`."""
    import tensorflow as tf

    from redo_dopamine import training
    from redo_dopamine.config import load

    tf.config.set_visible_devices([], "GPU")
    load.load_gin_configs(["dqn.gin"], BINDINGS)
    return training.build_runner(directory)


def stock(directory):
    """As `python -m dopamine.discrete_domains.train`."""
    # A module that Dopamine imports and that cannot be installed.
    for name in ("baselines", "baselines.common", "baselines.common.atari_wrappers"):
        sys.modules[name] = types.ModuleType(name)
    wrappers = sys.modules["baselines.common.atari_wrappers"]
    sys.modules["baselines.common"].atari_wrappers = wrappers

    import tensorflow as tf
    from dopamine.discrete_domains import run_experiment

    tf.compat.v1.disable_v2_behavior()
    run_experiment.load_gin_configs([], [*BINDINGS, *STOCK_BINDINGS])
    return run_experiment.create_runner(directory)


def run_to_first_update(runner):
    import jax
    import numpy as np

    from benchmarks.loops import Loop

    agent = runner._agent
    loop = Loop(agent, runner._environment)
    for _ in range(MAX_STEPS):
        loop.run(1)
        # The first convolution's biases, which are zero until then.
        if np.any(np.asarray(jax.tree.leaves(agent.online_params)[0])):
            return
    raise RuntimeError(f"No update in {MAX_STEPS} steps.")


def main():
    kind, directory = sys.argv[1:]
    run_to_first_update({"ours": ours, "stock": stock}[kind](directory))
    print("updated", flush=True)


if __name__ == "__main__":
    main()
