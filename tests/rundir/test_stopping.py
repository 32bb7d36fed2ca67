"""A run that is stopped between two steps goes on as if it had not stopped."""

import os
import signal
import time

import jax
import numpy as np
import pytest
from dopamine.discrete_domains import atari_lib

from helpers import runs
from redo_dopamine import training
from redo_dopamine.cli.process import SIGNALS, StopRequested, StopSwitch
from redo_dopamine.environments import atari

DQN = ("dqn_redo.gin", runs.TINY_REDO)
EVALUATED = (
    "dqn_redo.gin",
    (
        *runs.TINY_REDO,
        "create_runner.schedule = 'continuous_train_and_eval'",
        "Runner.evaluation_steps = 30",
    ),
)
RUNNING_ON = (
    "dqn_redo.gin",
    (*runs.TINY_REDO, "Runner.max_steps_per_episode = None"),
)
DRQ = ("drq_eps_redo.gin", runs.TINY_DRQ)
SAC = ("sac_redo.gin", runs.TINY_SAC)
PPO = ("ppo_redo.gin", (*runs.TINY_PPO, "Runner.evaluation_steps = 50"))


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def stop_after(runner, num_steps):
    """Have the runner's own process send it a signal after some steps of any kind."""
    step, count = runner._environment.step, 0

    def counted(action):
        nonlocal count
        count += 1
        if count == num_steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(action)

    runner._environment.step = counted


def run_in_pieces(base_dir, gin_file, bindings, lengths):
    """Stop a run after each of these numbers of steps, then let it end."""
    for length in lengths:
        runs.configure_run(gin_file, bindings)
        runner = training.build_runner(str(base_dir))
        stop_after(runner, length)
        with pytest.raises(StopRequested, match="SIGTERM"):
            runner.run_experiment()
    runs.configure_run(gin_file, bindings)
    runner = training.build_runner(str(base_dir))
    runner.run_experiment()
    return runner


@pytest.mark.parametrize(
    ("setup", "lengths"),
    [
        (DQN, [17, 40, 1]),  # In the first episode; over an iteration's end; at once.
        (EVALUATED, [85, 10]),  # Both in the first evaluation.
        (RUNNING_ON, [35, 33]),
        (DRQ, [30, 25]),
        # In a rollout; in the first evaluation; over an iteration's end.
        (PPO, [25, 70, 50]),
        (SAC, [35, 70, 50]),
    ],
    ids=["dqn", "evaluated", "running_on", "drq", "ppo", "sac"],
)
def test_a_run_in_pieces_equals_one_that_never_stopped(setup, lengths, tmp_path):
    gin_file, bindings = setup
    runs.configure_run(gin_file, bindings)
    straight = training.build_runner(str(tmp_path / "straight"))
    straight.run_experiment()
    pieces = run_in_pieces(tmp_path / "pieces", gin_file, bindings, lengths)

    expected, found = straight.agent.state_tree(), pieces.agent.state_tree()
    jax.tree.map(np.testing.assert_array_equal, expected, found)
    assert runs.metrics(tmp_path / "pieces") == runs.metrics(tmp_path / "straight")


def test_checkpoints_in_between_change_nothing(tmp_path):
    gin_file, bindings = DQN
    often = (*bindings, "PlasticityRunner.checkpoint_minutes = 0")
    straight = runs.run(tmp_path / "straight", gin_file, bindings)
    checkpointed = runs.run(tmp_path / "often", gin_file, often)
    assert runs.metrics(checkpointed) == runs.metrics(straight)
    numbers = [
        int(p.name.split(".")[1])
        for p in (checkpointed / "checkpoints").glob("checkpoint.*.npz")
    ]
    assert len(numbers) == 3
    assert max(numbers) > 100


@pytest.mark.parametrize("num_steps", [0, 1, 15, 16, 17, 40])
@pytest.mark.parametrize("seed", range(4))
def test_an_environment_returns_to_its_state(seed, num_steps):
    runs.configure_run("dqn.gin", runs.TINY)
    first, second = (
        atari.restorable(atari_lib.create_atari_environment()) for _ in range(2)
    )
    rng = np.random.default_rng([seed, num_steps])
    atari.seed_environment(first, rng)
    first.reset()
    for _ in range(num_steps):
        first.step(int(rng.integers(first.action_space.n)))
    state = first.get_state()
    second.set_state(state)
    jax.tree.map(np.testing.assert_array_equal, dict(state), dict(second.get_state()))
    # Sticky actions: the random numbers and the last action count as well.
    for _ in range(20):
        action = int(rng.integers(first.action_space.n))
        expected, found = first.step(action), second.step(action)
        np.testing.assert_array_equal(expected[0], found[0])
        assert expected[1:3] == found[1:3]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_switch_notes_each_signal(number):
    switch = StopSwitch()
    with switch.listening():
        switch.check()
        os.kill(os.getpid(), number)
        with pytest.raises(StopRequested, match=signal.Signals(number).name):
            switch.check()


def test_a_second_signal_acts_as_it_would_have():
    switch, before = StopSwitch(), signal.getsignal(signal.SIGINT)
    with switch.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # At once: of the same wish.
        time.sleep(0.35)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before
