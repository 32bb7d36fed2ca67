"""Golden runs: what a change of structure must leave as it is.

    git worktree add ../before COMMIT
    PYTHONPATH=../before python tests/golden.py make before
    PYTHONPATH=. python tests/golden.py make after  # [GIN_FILE ...]
    python tests/golden.py compare before after

`make` starts a short run of every shipped gin file that needs no recorded data, and of
the experiments without an agent, with the package that PYTHONPATH names. `compare`
holds `metrics.csv` and every array of the last checkpoint equal, bit for bit; speeds
aside.
"""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

# What an agent calls its seed; those of Q-learning share one.
SEEDS = {"RecycledPPOAgent": "PPOAgent", "RecycledSACAgent": "SACAgent"}
OFFLINE = ("offline_dqn.gin", "offline_dqn_random_targets.gin")  # These need data.
RUN = (
    "Runner.num_iterations = 2",
    "Runner.training_steps = 120",
    "Runner.evaluation_steps = 40",
    "Runner.max_steps_per_episode = 40",
)
Q_LEARNING = ("ReplayBuffer.max_capacity = 1000", "ReplayBuffer.batch_size = 8")
INTERVENTIONS = {
    "dqn_adaptive_redo": "adaptive_redo",
    "dqn_fixed_budget": "fixed_budget",
    "dqn_layer_reset": "layer_reset",
    "dqn_regrama": "regrama",
    "dqn_shrink_and_perturb": "shrink_and_perturb",
}
EXPERIMENTS = {
    "label_shuffle": (
        "LabelShuffle.num_samples = 256",
        "LabelShuffle.num_epochs = 4",
        "LabelShuffle.shuffle_every = 2",
        "LabelShuffle.intervention = @redo()",
        "redo.period = 5",
        "redo.tau = 0.5",
        "ConvClassifier.width = 0.25",
    ),
    "regression_probe": (
        "RegressionProbe.num_samples = 256",
        "RegressionProbe.num_epochs = 3",
    ),
}


def text(path: Path) -> str:
    """A gin file, after those that it includes."""
    found = path.read_text()
    included = re.findall(r"^include '(.+)'", found, re.MULTILINE)
    return "\n".join([*(text(path.parent / name) for name in included), found])


def bindings(path: Path) -> list[str]:
    """What makes the run of a gin file short, with recycles in it."""
    settings, stem = text(path), path.stem
    agent = re.findall(r"\.agent = @(\w+)", settings)[-1]
    parent = SEEDS.get(agent, "JaxDQNAgent")
    found = [*RUN, f"{parent}.seed = 3", f"{agent}.tracking_period = 10"]
    if parent != "PPOAgent":
        found += [*Q_LEARNING, f"{parent}.min_replay_history = 40"]
    if "Atari100kRunner" in settings:
        found.append("Atari100kRunner.num_eval_episodes = 2")
    networks = re.findall(r"^(\w+)\.width = ", settings, re.MULTILINE)
    if networks and not stem.startswith("minatar"):
        found.append(f"{networks[-1]}.width = 0.25")
    kind = INTERVENTIONS.get(stem, "redo" if stem.endswith("_redo") else None)
    if kind is not None:
        found.append(f"{kind}.period = 20")
    return found


def make(directory: Path, *names: Path) -> int:
    """Start every run, or those named, in a directory of its own; how many failed."""
    import redo_dopamine

    package = Path(redo_dopamine.__file__).parent
    print(f"with {package}")
    failed = 0
    commands = {
        path.name: [
            "redo_dopamine.train",
            f"--gin_files={path.name}",
            bindings(path),
        ]
        for path in sorted((package.parent / "gin_configs").glob("*.gin"))
        if path.name not in (*OFFLINE, "demo.gin")
    }
    for name, found in EXPERIMENTS.items():
        commands[name] = [f"redo_dopamine.supervised.{name}", "--scale=1", found]
    for name, (module, flag, found) in commands.items():
        if names and Path(name) not in names:
            continue
        command = [sys.executable, "-m", module, f"--base_dir={directory / name}", flag]
        command += [f"--gin_bindings={x}" for x in found]
        done = subprocess.run(command, capture_output=True, text=True)
        print(name, "ok" if done.returncode == 0 else done.stderr[-500:], flush=True)
        failed += done.returncode != 0
    return failed


def rows(run: Path) -> list[list[str]]:
    """The rows of `metrics.csv` but those of speed."""
    with (run / "metrics.csv").open(newline="") as file:
        return [x for x in csv.reader(file) if "per_second" not in x[3]]


def arrays(run: Path) -> dict[str, np.ndarray]:
    """What the last checkpoint holds, by name."""
    from redo_dopamine.rundir import checkpoint

    directory = run / "checkpoints"
    return dict(
        checkpoint.read(
            checkpoint.path_of(directory, checkpoint.numbers(directory)[0])
        )[0]
    )


def compare(before: Path, after: Path) -> int:
    """The number of runs that differ, each said with what differs first."""
    differing = 0
    names = sorted(x.name for x in before.iterdir())
    if names != sorted(x.name for x in after.iterdir()):
        sys.exit(f"{before} and {after} must hold the same runs.")
    for name in names:
        what = _difference(before / name, after / name)
        print(name, what or "equal")
        differing += what is not None
    return differing


def _difference(before: Path, after: Path) -> str | None:
    old, new = rows(before), rows(after)
    if old != new:
        missing = [x for x in old if x not in new][:2]
        more = [x for x in new if x not in old][:2]
        return f"rows differ: {len(old)} and {len(new)}; gone {missing}, new {more}"
    old_arrays, new_arrays = arrays(before), arrays(after)
    if old_arrays.keys() != new_arrays.keys():
        return f"arrays differ: {old_arrays.keys() ^ new_arrays.keys()}"
    unlike = [x for x in old_arrays if not _equal(old_arrays[x], new_arrays[x])]
    return f"values differ: {unlike}" if unlike else None


def _equal(old: np.ndarray, new: np.ndarray) -> bool:
    return old.dtype == new.dtype and old.tobytes() == new.tobytes()


if __name__ == "__main__":
    verb, *directories = sys.argv[1:]
    result = {"make": make, "compare": compare}[verb](*map(Path, directories))
    sys.exit(min(result, 1))
