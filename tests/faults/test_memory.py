"""A run whose replay buffer is full does not grow."""

import gin
import gymnasium
import numpy as np
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.cli import memory

pytestmark = pytest.mark.slow


class CheapGame:
    """As Dopamine's environments are, but takes microseconds."""

    game_over = False

    def __init__(self):
        self.action_space = gymnasium.spaces.Discrete(6)
        self.observation_space = gymnasium.spaces.Box(0, 255, (84, 84), np.uint8)
        self.environment = self
        self._rng = np.random.default_rng(0)
        self._frames = self._rng.integers(256, size=(16, 84, 84)).astype(np.uint8)
        self._step = 0

    def reset(self, seed=None):
        self.game_over = False
        self._step = 0
        return self._frames[0]

    def step(self, action):
        self._step += 1
        self.game_over = self._step % 100 == 0
        frame = self._frames[self._step % 16]
        return frame, float(action == 1), self.game_over, {}


@gin.configurable(module="test_memory")
def cheap_game():
    return CheapGame()


BINDINGS = (
    *runs.TINY_REDO,
    "Runner.create_environment_fn = @test_memory.cheap_game",
    "ReplayBuffer.max_capacity = 1000",
    "JaxDQNAgent.update_period = 8",
    "RecycledDQNAgent.replay_ratio = 0.125",
    "RecycledDQNAgent.tracking_period = 50",
    "JaxDQNAgent.summary_writing_frequency = 200",
    "NatureNetwork.width = 0.0625",
    "redo.period = 100",
    "Runner.max_steps_per_episode = 200",
)


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def growth(base_dir, num_iterations, steps_per_iteration, warm_up):
    """Resident bytes after the warm-up, and at the end of the run."""
    memory.keep_freed_memory()  # As the command does.
    runs.configure_run(
        "dqn_redo.gin",
        (
            *BINDINGS,
            f"Runner.num_iterations = {num_iterations}",
            f"Runner.training_steps = {steps_per_iteration}",
        ),
    )
    runner = training.build_runner(str(base_dir))
    seen, checkpoint = [], runner._checkpoint

    def noted():
        checkpoint()
        seen.append(resident_bytes())

    runner._checkpoint = noted
    runner.run_experiment()
    assert len(seen) == num_iterations
    before, after = seen[warm_up], seen[-1]
    steps = (num_iterations - 1 - warm_up) * steps_per_iteration
    print(f"{steps} agent steps: {before / 2**20:.1f} -> {after / 2**20:.1f} MiB")
    return after / before - 1


def test_memory_stays_over_a_few_thousand_steps(tmp_path, clean_gin):
    assert growth(tmp_path, 8, 500, warm_up=3) < 0.02


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_memory_stays_over_200_000_steps(tmp_path, clean_gin):
    assert growth(tmp_path, 21, 10_000, warm_up=0) < 0.02
