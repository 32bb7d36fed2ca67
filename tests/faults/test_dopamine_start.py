"""A run may start from a checkpoint of Dopamine's; its pickle may do nothing else."""

import os
import pickle

import gin
import jax
import numpy as np
import pytest
from dopamine.discrete_domains import checkpointer
from dopamine.jax.agents.dqn import dqn_agent

from helpers import runs
from redo_dopamine import training
from redo_dopamine.errors import UserError
from redo_dopamine.runners import dopamine_checkpoint
from redo_dopamine.runners.resume import ResumeOptions

# Dopamine's network has one width only.
WIDE = (*runs.TINY_REDO, "NatureNetwork.width = 1", "Runner.num_iterations = 1")


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A checkpoint written by Dopamine itself, and the agent that it is of."""
    gin.clear_config()
    gin.parse_config(["ReplayBuffer.max_capacity = 100", "ReplayBuffer.batch_size = 4"])
    agent = dqn_agent.JaxDQNAgent(6, seed=11, optimizer="adam")
    gin.clear_config()
    directory = tmp_path_factory.mktemp("dopamine") / "checkpoints"
    directory.mkdir()
    bundle = agent.bundle_and_checkpoint(str(directory), 7)
    bundle |= {"current_iteration": 7, "logs": {"iteration_0": [np.float32(3.5)]}}
    checkpointer.Checkpointer(str(directory)).save_checkpoint(7, bundle)
    return directory, agent


def build(base_dir, path, bindings=()):
    runs.configure_run("dqn_redo.gin", (*WIDE, *bindings))
    return training.build_runner(
        str(base_dir), ResumeOptions(dopamine_checkpoint=str(path))
    )


def test_a_run_starts_with_the_parameters_and_moments_of_dopamines(written, tmp_path):
    directory, theirs = written
    runner = build(tmp_path, directory.parent)
    ours = runner.agent
    for own, other in [
        (ours.online_params, theirs.online_params),
        (ours.target_network_params, theirs.target_network_params),
    ]:
        jax.tree.map(np.testing.assert_array_equal, own, dict(other))
    assert (ours.training_steps, ours.gradient_step) == (0, 0)
    jax.tree.map(
        np.testing.assert_array_equal,
        jax.tree.leaves(ours.optimizer_state),
        jax.tree.leaves(theirs.optimizer_state),
    )
    # It is checkpointed at once; from then on the flag and the file are not needed.
    runner._checkpoint_a_foreign_start()
    again = build(tmp_path, "/nowhere")
    jax.tree.map(
        np.testing.assert_array_equal, again.agent.online_params, ours.online_params
    )


def test_another_optimizer_begins_again_and_says_so(written, tmp_path, capsys):
    runner = build(tmp_path, written[0], ["JaxDQNAgent.optimizer = 'rmsprop'"])
    assert "not of this run's optimizer" in capsys.readouterr().err
    leaves = jax.tree.leaves(runner.agent.optimizer_state)
    assert all(np.isfinite(x).all() for x in leaves)


def test_another_network_is_refused_with_its_shapes(written, tmp_path):
    with pytest.raises(UserError, match=r"of the network of this run.*\[8, 8, 4, 32\]"):
        build(tmp_path, written[0], ["NatureNetwork.width = 0.5"])


def test_a_path_to_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="must be a file ckpt"):
        dopamine_checkpoint.find(str(tmp_path))


class _Evil:
    def __init__(self, function, *args):
        self._call = function, args

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (_Evil(os.mkdir, "{path}"), "posix.mkdir"),
        (_Evil(eval, "__import__('os').mkdir('{path}')"), "builtins.eval"),
        (_Evil(getattr, os, "mkdir"), "builtins.getattr"),
        (_Evil(np.load, "{path}"), "numpy.load"),
        (_Evil(jax.device_get, 1), "jax"),
    ],
)
def test_a_pickle_that_asks_for_code_is_refused_and_runs_none(evil, named, tmp_path):
    target = tmp_path / "made"
    function, args = evil._call
    evil._call = (
        function,
        tuple(x.format(path=target) if isinstance(x, str) else x for x in args),
    )
    path = tmp_path / "ckpt.0"
    try:
        path.write_bytes(pickle.dumps({"online_params": evil, "target_params": 1}))
    except TypeError:  # A module cannot be pickled; the name alone will do.
        path.write_bytes(b"cbuiltins\ngetattr\n.")
    with pytest.raises(UserError, match=f"asks for {named}"):
        dopamine_checkpoint.read(path)
    assert not target.exists()


def test_damaged_pickles_are_named(written, tmp_path):
    content = (written[0] / "ckpt.7").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "ckpt.7"
    num_refused = 0
    for size in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="cannot be used"):
            dopamine_checkpoint.read(path)
    for _ in range(40):
        damaged = bytearray(content[:2000])
        damaged[rng.integers(2000)] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(damaged) + content[2000:])
        try:
            dopamine_checkpoint.read(path)
        except UserError:
            num_refused += 1
    assert num_refused > 0


def test_nothing_is_unpickled_without_the_flag(written, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    monkeypatch.setattr(dopamine_checkpoint, "read", refuse)
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    training.build_runner(str(tmp_path))
