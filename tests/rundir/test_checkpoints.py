import errno
import os

import numpy as np
import optax
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.rundir import checkpoint
from redo_dopamine.rundir.checkpoint import DamagedCheckpointError

ARRAYS = {
    "floats": np.linspace(0, 1, 5000, dtype=np.float32).reshape(50, 100),
    "nothing": np.zeros((0, 3), np.int8),
    "number": np.asarray(2**40),
    "text": np.asarray("Conv_0"),
    "nan": np.asarray([np.nan, -0.0, np.inf]),
}
META = {"iteration": 3, "phase": {"episode_return": 0.1 + 0.2, "action": None}}


@pytest.fixture
def saved(tmp_path):
    checkpoint.write(tmp_path, 4, ARRAYS, META)
    return checkpoint.path_of(tmp_path, 4)


def test_what_is_read_is_what_was_written(saved):
    arrays, meta = checkpoint.read(saved)
    assert meta == META
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].tobytes() == array.tobytes()
        assert arrays[name].shape == array.shape


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_damaged(saved, part):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DamagedCheckpointError, match=r"must be whole, but .*4\.npz"):
        checkpoint.read(saved)


def test_a_flipped_bit_of_an_array_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    start = content.index(ARRAYS["floats"].tobytes()[400:800])
    content[start + 17] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(DamagedCheckpointError, match="CRC"):
        checkpoint.read(saved)


def test_nothing_is_unpickled(tmp_path):
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        checkpoint.write(tmp_path, 0, {"objects": objects}, {})
    assert checkpoint.numbers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_trees_survive(tmp_path):
    params = {"a": np.arange(3.0), "b": {"c": np.ones((2, 2))}}
    tree = {"params": params, "opt": optax.adam(0.1).init(params), "step": 7}
    arrays = checkpoint.flatten(tree, "agent")
    template = {"params": params, "opt": optax.adam(0.1).init(params), "step": 0}
    found = checkpoint.unflatten(template, {**arrays, "other": np.ones(1)}, "agent")
    assert int(found["step"]) == 7
    assert type(found["opt"][0]) is type(tree["opt"][0])
    np.testing.assert_array_equal(found["opt"][0].mu["b"]["c"], np.zeros((2, 2)))


def test_another_tree_is_refused_with_what_differs():
    arrays = checkpoint.flatten({"a": 1, "b": 2}, "agent")
    with pytest.raises(ValueError, match=r"lacks \[\"agent\['c'\]\"\] and has .*'b'"):
        checkpoint.unflatten({"a": 1, "c": 2}, arrays, "agent")


def test_numbers_are_newest_first_and_the_oldest_go(tmp_path):
    for number in (2, 10, 9):
        checkpoint.write(tmp_path, number, {}, {})
    (tmp_path / "checkpoint.11.npz.part").touch()
    (tmp_path / "checkpoint.notes.npz").touch()
    assert checkpoint.numbers(tmp_path) == [10, 9, 2]
    checkpoint.delete_all_but(tmp_path, 2)
    assert checkpoint.numbers(tmp_path) == [10, 9]
    assert not (tmp_path / "checkpoint.11.npz.part").exists()


def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on(
    clean_gin, tmp_path, monkeypatch, capsys
):
    straight = runs.run(tmp_path / "straight")
    fsync, count, failing = os.fsync, 0, True

    def full_at_times(descriptor):
        nonlocal count
        count += 1
        if count % 2 and failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    runner = training.build_runner(str(tmp_path / "full"))
    save = runner._checkpoints.save

    def save_at_times(*arguments, **more):
        nonlocal failing
        save(*arguments, **more)  # The disk is full for every second checkpoint.
        failing = not failing

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_at_times)
        patched.setattr(runner._checkpoints, "save", save_at_times)
        runner.run_experiment()
    assert "could not be written" in capsys.readouterr().err
    again = runs.run(tmp_path / "full")
    assert runs.metrics(again) == runs.metrics(straight)
