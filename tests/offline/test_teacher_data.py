"""`python -m redo_dopamine.offline teacher`: of two real runs."""

import shutil

import numpy as np
import pytest

from helpers import runs, trees
from redo_dopamine import errors
from redo_dopamine.inspect import restore
from redo_dopamine.offline import __main__
from redo_dopamine.supervised import distillation


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return runs.run(tmp_path_factory.mktemp("lessons") / "run")


def make(teacher, student, output, *options):
    paths = [f"--teacher={teacher}", f"--student={student}", f"--output={output}"]
    return __main__.main(["teacher", *paths, *options])


def test_a_lesson_is_what_the_teacher_says_of_its_replay(run, tmp_path, capsys):
    before = runs.fingerprint(run)
    student = shutil.copytree(run, tmp_path / "student")
    shutil.rmtree(student / "checkpoints" / "replay")  # It needs none.
    older = student / "checkpoints" / "checkpoint.0.npz"
    assert make(run, older, tmp_path / "out", "--num_states=50") == 0
    path = tmp_path / "out" / "DemonAttack.npz"
    assert f"Teacher data of 50 states are in {path}." in capsys.readouterr().out
    assert runs.fingerprint(run) == before

    made = path.read_bytes()
    assert make(run, older, tmp_path / "out", "--num_states=20") == 2
    assert f"but {path} is there. Give another --output" in capsys.readouterr().err
    assert path.read_bytes() == made

    found = distillation.read_teacher_data(path)
    teacher = restore.restore(restore.find_checkpoint(run), replay=True).agent
    frames, records = teacher._replay._contents
    held = {x.tobytes() for x in _held(frames, records, teacher)}
    drawn = {x.tobytes() for x in np.ascontiguousarray(found.states)}
    assert len(found.states) == 50
    assert drawn <= held
    for state, q_values in zip(found.states[:5], found.q_values, strict=False):
        expected = teacher._q_values(teacher.online_params, state)
        np.testing.assert_allclose(q_values, expected, rtol=1e-5, atol=1e-6)
    params = restore.restore(older, replay=False).agent.online_params
    trees.assert_same_bits(found.student_like(params), params)
    assert not trees.same_bits(params, teacher.online_params)


def _held(frames, records, agent):
    from redo_dopamine.replay.buffer import batch

    rows = records.take(np.arange(len(records)))
    return np.ascontiguousarray(batch(frames, rows, agent.stack_size).state)


@pytest.mark.parametrize(
    ("number", "rule", "seen"),
    [
        (0, "--num_states must be a whole number from 1 to ", "but is '0'"),
        (100_000, "--num_states must be in [1, ", "but is 100000"),
    ],
)
def test_a_number_of_states_that_is_not_there_is_refused(
    run, tmp_path, capsys, number, rule, seen
):
    status = make(run, run, tmp_path, f"--num_states={number}")
    assert status == errors.USER_ERROR
    message = capsys.readouterr().err
    assert rule in message
    assert seen in message
    assert list(tmp_path.iterdir()) == []


def test_a_student_of_another_game_is_refused(run, tmp_path, capsys):
    bindings = (*runs.TINY_REDO, "create_atari_environment.game_name = 'Pong'")
    other = runs.run(tmp_path / "pong", bindings=bindings)
    assert make(run, other, tmp_path / "out") == errors.USER_ERROR
    message = capsys.readouterr().err
    assert "plays DemonAttack" in message
    assert "plays Pong" in message
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_refused(run, tmp_path, capsys):
    assert make(run, tmp_path / "no", tmp_path) == errors.USER_ERROR
    assert "does not exist" in capsys.readouterr().err
