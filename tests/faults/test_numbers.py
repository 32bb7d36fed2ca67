"""A NaN stops a run, or sends it back to its last checkpoint, once."""

import collections
import types

import jax.numpy as jnp
import numpy as np
import pytest

from helpers import runs
from redo_dopamine import errors, training
from redo_dopamine.agents import dqn
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.errors import NotFiniteError
from redo_dopamine.rundir import checkpoint
from redo_dopamine.rundir import status as run_status
from redo_dopamine.runners import resumable
from redo_dopamine.runners.resumable import Watch
from redo_dopamine.runners.resume import ResumeOptions
from redo_dopamine.tools import train


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


class LateNumber:
    """A number that the device is still at work on."""

    def __init__(self, value):
        self.value = value
        self.ready = False

    def is_ready(self):
        return self.ready

    def __float__(self):
        assert self.ready, "the loop waited for the device"
        return self.value


def an_agent(**changes):
    params = {"params": {"Conv_0": {"kernel": jnp.ones(4)}, "Dense_0": jnp.ones(3)}}
    return types.SimpleNamespace(
        **{
            "recent_losses": collections.deque(),
            "gradient_step": 5,
            "training_steps": 20,
            "TREES": PlasticAgent.TREES,
            "online_params": params,
            "target_network_params": params,
            "optimizer_state": (jnp.zeros(4), jnp.int32(2)),
            **changes,
        }
    )


def test_a_loss_is_looked_at_when_it_is_ready_and_not_before():
    late = LateNumber(float("nan"))
    agent = an_agent(recent_losses=collections.deque([(4, late)]))
    watch = Watch(agent)
    watch.look()
    late.ready = True
    with pytest.raises(
        NotFiniteError,
        match=r"at agent step 20 the loss of gradient step 4 is nan \(all parameters",
    ):
        watch.look()


def test_parameters_are_looked_at_now_and_then_and_their_layer_is_named():
    agent = an_agent()
    watch = Watch(agent)
    bad = jnp.array([1, jnp.inf, 1, jnp.nan])
    agent.online_params = {"params": {"Conv_0": {"kernel": bad}, "Dense_0": bad}}
    watch.look()
    agent.gradient_step += resumable._PERIOD
    watch.look()
    watch._pending.all_finite.block_until_ready()
    with pytest.raises(
        NotFiniteError,
        match=r"Conv_0/kernel \(2 of 4 values\), and 1 more arrays",
    ):
        watch.look()


@pytest.mark.parametrize(
    "name", ["online_params", "target_network_params", "optimizer_state"]
)
def test_everything_of_a_checkpoint_is_looked_at_before_it_is_written(name):
    Watch(an_agent()).look_at_all()
    with pytest.raises(NotFiniteError, match=name):
        Watch(an_agent(**{name: {"a": np.array([np.nan])}})).look_at_all()


def poison(monkeypatch, times):
    """Have the parameters of one layer turn NaN at gradient step 30, some times."""
    update, count = dqn.RecycledDQNAgent._gradient_update, 0

    def poisoned(self):
        nonlocal count
        loss = update(self)
        if self.gradient_step == 30 and count < times:
            count += 1
            layer = self.online_params["params"]["Conv_1"]
            layer["bias"] = layer["bias"].at[0].set(jnp.nan)
        return loss

    monkeypatch.setattr(dqn.RecycledDQNAgent, "_gradient_update", poisoned)


def all_saved_are_finite(base_dir):
    directory = base_dir / "checkpoints"
    numbers = checkpoint.numbers(directory)
    arrays = [checkpoint.read(checkpoint.path_of(directory, x))[0] for x in numbers]
    return numbers and not any(list(resumable.not_finite(params_of(x))) for x in arrays)


def params_of(arrays):
    return {name: x for name, x in arrays.items() if "plasticity" not in name}


def test_a_nan_stops_the_run_with_the_checkpoint_named(tmp_path, monkeypatch):
    poison(monkeypatch, times=1)
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    with pytest.raises(
        NotFiniteError,
        match=r"at agent step \d+ .*Conv_1/bias \(1 of 8 .*last good checkpoint is "
        r".*npz\. .*--on_nan=rollback",
    ) as stopped:
        training.train(str(tmp_path))
    status = run_status.read(tmp_path)
    assert status.state == "failed"
    assert status.message == f"NotFiniteError: {stopped.value}"
    assert all_saved_are_finite(tmp_path)

    # The cause is gone, and the same command goes on.
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    training.train(str(tmp_path))
    assert run_status.read(tmp_path).state == "done"


def test_a_rollback_goes_on_with_another_data_order_once(tmp_path, monkeypatch, capsys):
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    with monkeypatch.context() as patched:
        poison(patched, times=1)
        training.train(str(tmp_path / "once"), options=ResumeOptions(rollbacks=1))
    assert "goes back to it and on with another data order" in capsys.readouterr().err
    assert run_status.read(tmp_path / "once").state == "done"
    steps = [int(row["agent_step"]) for row in runs.metrics(tmp_path / "once")]
    assert steps == sorted(steps)

    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    with monkeypatch.context() as patched:
        poison(patched, times=2)
        with pytest.raises(NotFiniteError, match="gone back 1 time"):
            training.train(str(tmp_path / "twice"), options=ResumeOptions(rollbacks=1))
    # Not in the next process either.
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    with monkeypatch.context() as patched:
        poison(patched, times=1)
        with pytest.raises(NotFiniteError, match="gone back 1 time"):
            training.train(str(tmp_path / "twice"), options=ResumeOptions(rollbacks=1))
    assert all_saved_are_finite(tmp_path / "twice")


def test_the_entry_point_ends_with_its_own_status(monkeypatch, capsys):
    def fail(*args, **options):
        raise NotFiniteError("the loss is nan")

    monkeypatch.setattr(training, "train", fail)
    monkeypatch.setattr(training.load, "load_gin_configs", lambda *args: ())
    train.flags.FLAGS(["redo-train", "--base_dir=/nowhere"])
    with pytest.raises(SystemExit) as stop:
        train.main(["redo-train"])
    train.flags.FLAGS["base_dir"].unparse()
    train.flags.FLAGS.unparse_flags()
    assert stop.value.code == errors.NOT_FINITE
    assert capsys.readouterr().err == "error: the loss is nan\n"
