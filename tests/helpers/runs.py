"""Tiny real runs: DemonAttack, a narrow network, a few hundred agent steps."""

import csv
import hashlib
from pathlib import Path

import gin

from redo_dopamine import training
from redo_dopamine.config import load

TINY = (
    "JaxDQNAgent.seed = 3",
    "JaxDQNAgent.min_replay_history = 30",
    "JaxDQNAgent.summary_writing_frequency = 8",
    "JaxDQNAgent.update_period = 4",
    "RecycledDQNAgent.replay_ratio = 0.5",
    "RecycledDQNAgent.tracking_period = 5",
    "RecycledDQNAgent.tracking_batch_size = 8",
    "NatureNetwork.width = 0.125",
    "ReplayBuffer.max_capacity = 1000",
    "ReplayBuffer.batch_size = 4",
    "Runner.num_iterations = 2",
    "Runner.training_steps = 60",
    "Runner.max_steps_per_episode = 40",
)
# For `drq_eps_redo.gin`.
TINY_DRQ = (
    "JaxDQNAgent.seed = 3",
    "JaxDQNAgent.min_replay_history = 20",
    "JaxDQNAgent.summary_writing_frequency = 8",
    "RecycledDrQEpsAgent.tracking_period = 5",
    "RecycledDrQEpsAgent.tracking_batch_size = 8",
    "NatureRainbowNetwork.width = 0.125",
    "ReplayBuffer.max_capacity = 1000",
    "ReplayBuffer.batch_size = 4",
    "Runner.num_iterations = 2",
    "Runner.training_steps = 40",
    "Runner.max_steps_per_episode = 60",
    "Atari100kRunner.num_eval_episodes = 2",
    "redo.period = 10",
    "redo.score_batch_size = 8",
)
# For `ppo_redo.gin`.
TINY_PPO = (
    "PPOAgent.seed = 3",
    "PPOAgent.update_period = 16",
    "PPOAgent.batch_size = 8",
    "PPOAgent.num_epochs = 2",
    "PPONetwork.width = 0.25",
    "RecycledPPOAgent.tracking_period = 3",
    "RecycledPPOAgent.tracking_batch_size = 8",
    "Runner.num_iterations = 2",
    "Runner.training_steps = 60",
    "Runner.max_steps_per_episode = 40",
    "redo.period = 5",
    "redo.tau = 0.5",
    "redo.score_batch_size = 8",
)
# For `sac_redo.gin`.
TINY_SAC = (
    "SACAgent.seed = 3",
    "SACAgent.min_replay_history = 20",
    "SACAgent.summary_writing_frequency = 8",
    "SACNetwork.width = 0.1",
    "RecycledSACAgent.tracking_period = 5",
    "RecycledSACAgent.tracking_batch_size = 8",
    "ReplayBuffer.max_capacity = 1000",
    "ReplayBuffer.batch_size = 4",
    "Runner.num_iterations = 2",
    "Runner.training_steps = 60",
    "Runner.evaluation_steps = 50",
    "Runner.max_steps_per_episode = 40",
    "redo.period = 10",
    "redo.tau = 0.5",
    "redo.score_batch_size = 8",
)
TINY_REDO = (*TINY, "redo.period = 10", "redo.tau = 0.1", "redo.score_batch_size = 8")


def configure_run(gin_file, bindings):
    gin.clear_config()
    load.load_gin_configs([gin_file], bindings)


def run(base_dir, gin_file="dqn_redo.gin", bindings=TINY_REDO):
    """Train to the end in this process; returns the directory."""
    configure_run(gin_file, bindings)
    training.train(str(base_dir))
    return Path(base_dir)


def metrics(base_dir, wall_clock=False):
    """Rows of metrics.csv, without those that tell the time of day."""
    with (Path(base_dir) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if wall_clock or r["name"] != "train/steps_per_second"]


def fingerprint(directory):
    """Every file's path and content hash."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(directory).rglob("*"))
        if path.is_file()
    }
