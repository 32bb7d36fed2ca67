"""Files of a run that were copied, renamed or exchanged: a run takes up what belongs
together, or says so, and deletes nothing that it has not written."""

import json
import os
import shutil

import pytest

from helpers.failing_disk import no_space
from helpers.stub_agent import StubAgent, StubRun
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint, provenance


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Two runs of the same length and settings, and what the first one held."""
    base_dirs, contents = [], []
    for seed in (3, 4):
        base_dir = tmp_path_factory.mktemp("saved")
        run = StubRun(base_dir, agent=StubAgent(seed=seed))
        contents.append([run.advance_and_save(iteration) for iteration in range(5)])
        base_dirs.append(base_dir)
    return *base_dirs, contents[0]


def path(run, number=4):
    return checkpoint.path_of(run / "checkpoints", number)


def replay(run):
    return run / "checkpoints" / "replay"


def of_the_other_run(run, other):
    shutil.copy(path(other), path(run))


def two_exchanged(run, other):
    path(run).rename(run / "beside")
    path(run, 3).rename(path(run))
    (run / "beside").rename(path(run, 3))


def an_older_replay_state(run, other):
    shutil.copy(replay(run) / "state.3.json", replay(run) / "state.4.json")


def a_digit(run, other):
    """That JSON, NumPy and the buffer are content with."""
    file = replay(run) / "state.4.json"
    state = json.loads(file.read_text())
    state["rng"]["state"]["state"] ^= 1
    file.write_text(json.dumps(state))


def a_large_state(run, other):
    os.truncate(replay(run) / "state.4.json", 1 << 40)


def a_fifo(run, other):
    (replay(run) / "state.4.json").unlink()
    os.mkfifo(replay(run) / "state.4.json")


def replay_of_the_other_run(run, other):
    shutil.rmtree(replay(run))
    shutil.copytree(replay(other), replay(run))


def segments_of_the_other_run(run, other):
    for file in replay(run).glob("segment.*"):
        [same] = replay(other).glob(f"segment.{file.name.split('.')[1]}.*")
        shutil.copy(same, file)


def rows_of_nothing(run, other):
    os.truncate(run / "metrics.csv", 1 << 40)  # Cut back to its rows.


# The iteration that is gone on from; None where all that is there is refused.
EXCHANGED = [
    (of_the_other_run, 3),
    (two_exchanged, 2),
    (an_older_replay_state, 3),
    (a_digit, 3),
    (a_large_state, 3),
    (a_fifo, 3),
    (replay_of_the_other_run, None),
    (segments_of_the_other_run, None),
    (rows_of_nothing, 4),
]


@pytest.mark.parametrize(("exchange", "iteration"), EXCHANGED)
def test_what_does_not_belong_together_is_not_taken_up(
    exchange, iteration, saved, tmp_path, capsys
):
    base_dir, other, contents = saved
    copy = shutil.copytree(base_dir, tmp_path / "run")
    exchange(copy, other)
    run = StubRun(copy)
    if iteration is None:
        with pytest.raises(UserError, match=r"none in .* is, as told above"):
            run.resume()
        return
    assert run.resume().iteration == iteration
    assert run.agent.content() == contents[iteration]
    told = capsys.readouterr().err.count(" must be ")
    assert (told > 0) is (iteration < 4)


def test_checkpoints_of_a_version_that_noted_less_are_taken_up(
    saved, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoint, "replay_state", lambda *_: {})
    run = StubRun(tmp_path)
    content = run.advance_and_save(0)
    monkeypatch.undo()
    [state] = replay(tmp_path).glob("state.*")
    earlier = json.loads(state.read_text())
    for part in earlier["segments"]:
        del part["crc"]
    state.write_text(json.dumps(earlier))
    run = StubRun(tmp_path)
    assert run.resume().iteration == 0
    assert run.agent.content() == content


# Like names of ours, in `checkpoints/`; none may be read as one, or deleted.
FOREIGN = [
    *("checkpoint.².npz", "checkpoint.٩.npz", "checkpoint.007.npz"),
    *("checkpoint.0.old.npz", "checkpoint.4 (1).npz", f"checkpoint.{'9' * 200}.npz"),
    *("checkpoint.mine.npz.part", "replay/state.backup.json", "replay/notes.part"),
    *("replay/state.0 (1).json", "replay/segment.mine.npz", "replay/state.².json"),
]


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_left_alone(name, saved, tmp_path, capsys):
    copy = shutil.copytree(saved[0], tmp_path / "run")
    foreign = copy / "checkpoints" / name
    foreign.write_bytes(path(copy).read_bytes())
    run = StubRun(copy)
    assert run.resume().iteration == 4
    contents = [run.advance_and_save(iteration) for iteration in range(5, 9)]
    assert foreign.read_bytes()
    assert checkpoint.numbers(copy / "checkpoints") == [8, 7, 6]
    run = StubRun(copy)
    assert run.resume().iteration == 8
    assert run.agent.content() == contents[-1]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["state.0.json", "segment.0.ab.npz"])
def test_a_directory_costs_no_checkpoint(name, saved, tmp_path, capsys):
    copy = shutil.copytree(saved[0], tmp_path / "run")
    (replay(copy) / name).unlink(missing_ok=True)
    (replay(copy) / name).mkdir()
    run = StubRun(copy)
    run.resume()
    run.advance_and_save(5)
    assert checkpoint.numbers(copy / "checkpoints") == [5, 4, 3]
    assert (replay(copy) / name).is_dir()
    assert capsys.readouterr().err == ""


def test_the_state_that_was_taken_up_stays_until_another_is_whole(saved, tmp_path):
    """However many states with numbers between came from elsewhere."""
    base_dir, _, contents = saved
    copy = shutil.copytree(base_dir, tmp_path / "run")
    for number in range(5, 10):
        shutil.copy(
            replay(copy) / "state.4.json", replay(copy) / f"state.{number}.json"
        )
    path(copy, 9).write_bytes(b"")
    run = StubRun(copy)
    assert run.resume().iteration == 4
    run.agent.advance()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "write", lambda *_: no_space())
        for _ in range(3):
            run.save(5)
    again = StubRun(copy)
    assert again.resume().iteration == 4
    assert again.agent.content() == contents[4]


def test_a_number_is_not_used_twice(tmp_path, monkeypatch):
    """Or a process that dies would leave a checkpoint with a later one's buffer."""
    run = StubRun(tmp_path)
    monkeypatch.setattr(provenance, "record_checkpoint", lambda _: no_space())
    run.advance_and_save(0)
    before = path(tmp_path, 0).read_bytes()
    run.advance_and_save(1)
    assert checkpoint.numbers(tmp_path / "checkpoints") == [1, 0]
    assert path(tmp_path, 0).read_bytes() == before
