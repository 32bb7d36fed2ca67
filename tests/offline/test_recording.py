"""`python -m redo_dopamine.offline record`."""

import subprocess
import sys

import numpy as np
import pytest

from helpers import runs
from offline.recordings import load
from redo_dopamine import errors
from redo_dopamine.inspect import restore
from redo_dopamine.offline import __main__, arrays
from redo_dopamine.replay import buffer

NARROW = "--gin_bindings=NatureNetwork.width = 0.125"


def record(output, *options, steps=60):
    return __main__.main(
        ["record", f"--output={output}", f"--num_steps={steps}", *options]
    )


def new_agent(output, *options, **more):
    return record(output, "--game=DemonAttack", NARROW, *options, **more)


def actions(output, game="DemonAttack", run=1):
    contents = load(arrays.directory_of(output, game, run))
    return contents.records.since(0)["action"]


def test_it_says_where_the_data_are(tmp_path, capsys):
    assert new_agent(tmp_path / "dqn") == 0
    said = capsys.readouterr().out
    directory = tmp_path / "dqn" / "DemonAttack" / "1" / "replay_logs"
    assert f"60 steps are in {directory}, splits [0]." in said
    assert not list(directory.glob("*.part"))
    assert len(actions(tmp_path / "dqn")) == 59  # The last has no next state.


def test_a_seed_gives_the_same_data(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert new_agent(tmp_path / name, f"--seed={seed}") == 0
    one, same, other = (
        runs.fingerprint(tmp_path / name).keys()
        and [x.tobytes() for x in _everything(tmp_path / name)]
        for name in "abc"
    )
    assert one == same != other


def _everything(output):
    contents = load(arrays.directory_of(output, "DemonAttack", 1))
    frames, records = contents
    return frames.gather(np.arange(frames.first, frames.end)), records.since(0)


def test_long_recordings_are_split(tmp_path):
    assert new_agent(tmp_path, "--split_rows=30", "--run=4", steps=100) == 0
    directory = arrays.directory_of(tmp_path, "DemonAttack", 4)
    assert arrays.splits_in(directory) == [0, 1, 2, 3]
    assert 100 - 4 * 5 <= len(actions(tmp_path, run=4)) < 100


def test_a_trained_agent_plays_its_game(tmp_path):
    run = runs.run(tmp_path / "run", "dqn.gin", runs.TINY)
    before = runs.fingerprint(run)
    assert record(tmp_path / "greedy", f"--checkpoint={run}", "--epsilon=0") == 0
    assert record(tmp_path / "random", f"--checkpoint={run}", "--epsilon=1") == 0
    assert runs.fingerprint(run) == before
    agent = restore.restore(restore.find_checkpoint(run), replay=False).agent
    played = {}
    for name in ("greedy", "random"):
        contents = load(arrays.directory_of(tmp_path / name, "DemonAttack", 1))
        drawn = buffer.batch(contents.frames, contents.records.since(0), 4)
        played[name] = agent.greedy_actions(drawn.state) == drawn.action
    assert played["greedy"].all()
    assert 0 < played["random"].mean() < 0.6


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--epsilon=2"], ["--epsilon must be in [0, 1], but is '2'"]),
        (["--split_rows=5"], ["--split_rows must be at least 16, but is 5"]),
        (["--game=DemonAtack"], ["'DemonAtack'", "Did you mean DemonAttack?"]),
        (["--checkpoint=/nowhere"], ["--game", "Leave them out"]),
        (["--gin_bindings=JaxDQNAgent.gama = 1"], ["'gama'", "gamma"]),
    ],
)
def test_mistakes_are_named(options, parts, tmp_path, capsys):
    assert new_agent(tmp_path / "dqn", *options) == errors.USER_ERROR
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for part in parts:
        assert part in said
    assert not (tmp_path / "dqn").exists()


def test_no_steps_and_no_checkpoint(tmp_path, capsys):
    assert new_agent(tmp_path, steps=0) == errors.USER_ERROR
    assert "--num_steps must be a whole number from 1" in capsys.readouterr().err
    assert record(tmp_path, "--checkpoint=/nowhere") == errors.USER_ERROR
    assert "'/nowhere' does not exist" in capsys.readouterr().err


def test_a_directory_with_data_is_left_alone(tmp_path, capsys):
    assert new_agent(tmp_path) == 0
    before = runs.fingerprint(tmp_path)
    assert new_agent(tmp_path) == errors.USER_ERROR
    assert "files of a data set, such as" in capsys.readouterr().err
    assert runs.fingerprint(tmp_path) == before


def test_an_output_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert new_agent(tmp_path / "file") == errors.USER_ERROR
    assert "--output must be a directory" in capsys.readouterr().err


def test_the_command_itself(tmp_path):
    command = [sys.executable, "-m", "redo_dopamine.offline", "record"]
    done = subprocess.run(
        [*command, f"--output={tmp_path}", "--num_steps=10", "--game=Pong", NARROW],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "10 steps are in" in done.stdout
    assert "ERROR" not in done.stderr
