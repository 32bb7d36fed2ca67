"""Damaged files of a run: a clear error or an older checkpoint, never wrong data."""

import shutil

import gin
import numpy as np
import pytest

from helpers import commands, runs
from helpers.stub_agent import StubRun
from redo_dopamine.config import load
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import provenance
from redo_dopamine.rundir import status as run_status

NUM_CASES_PER_FILE = 12


def flip(content, rng):
    damaged = bytearray(content)
    damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def cut(content, rng):
    return content[: rng.integers(len(content))]


def noise(content, rng):
    return rng.bytes(len(content))


def hole(content, rng):
    start = rng.integers(len(content))
    return (
        content[:start] + bytes(min(64, len(content) - start)) + content[start + 64 :]
    )


DAMAGES = (flip, flip, cut, noise, hole)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run of five checkpoints, and what it held at each."""
    base_dir = tmp_path_factory.mktemp("saved") / "run"
    base_dir.mkdir()
    run = StubRun(base_dir)
    return base_dir, [run.advance_and_save(iteration) for iteration in range(5)]


def test_a_damaged_file_leads_to_an_older_checkpoint_or_a_message(
    saved, tmp_path, capsys
):
    base_dir, contents = saved
    rows = (base_dir / "metrics.csv").read_bytes()
    files = sorted(x.relative_to(base_dir) for x in base_dir.rglob("*") if x.is_file())
    rng = np.random.default_rng(0)
    outcomes = {"the newest": 0, "an older one": 0, "a message": 0}
    for file in files:
        for case in range(NUM_CASES_PER_FILE):
            copy = shutil.copytree(base_dir, tmp_path / f"{case}.{file.name}")
            path = copy / file
            damage = DAMAGES[case % len(DAMAGES)]
            damaged = damage(path.read_bytes(), rng)
            if case == NUM_CASES_PER_FILE - 1:
                path.unlink()
            else:
                path.write_bytes(damaged)
            run = StubRun(copy)
            try:
                snapshot = run.resume()
            except UserError:
                outcomes["a message"] += 1
                capsys.readouterr()
            else:
                older = snapshot.iteration < 4
                outcomes["an older one" if older else "the newest"] += 1
                # What is taken up is what was saved, and so are the rows up to there.
                assert run.agent.content() == contents[snapshot.iteration], path
                kept = (copy / "metrics.csv").read_bytes()
                assert rows.startswith(kept), path
                assert kept.count(b"\n") == snapshot.iteration + 2
                said = "must be" in capsys.readouterr().err
                # One that is not there at all is not missed.
                gone = file.name.startswith("checkpoint.") and not path.exists()
                assert said is (older and not gone), path
            shutil.rmtree(copy)
    num_cases = sum(outcomes.values())
    print(f"{num_cases} damaged files: {outcomes}")
    assert num_cases >= 100
    assert outcomes["an older one"] > 0


def test_many_files_at_once(saved, tmp_path):
    """Whatever is damaged, what is taken up is whole."""
    base_dir, contents = saved
    rng = np.random.default_rng(1)
    for case in range(40):
        copy = shutil.copytree(base_dir, tmp_path / str(case))
        for path in sorted(x for x in copy.rglob("*") if x.is_file()):
            if rng.random() < 0.3:
                damage = DAMAGES[rng.integers(len(DAMAGES))]
                path.write_bytes(damage(path.read_bytes(), rng))
        run = StubRun(copy)
        try:
            snapshot = run.resume()
        except UserError:
            continue
        assert run.agent.content() == contents[snapshot.iteration]


def test_damaged_gin_files_are_named_or_are_gin(tmp_path, clean_gin):
    shipped = (load.CONFIG_DIR / "dqn_redo.gin").read_bytes()
    rng = np.random.default_rng(2)
    num_refused = 0
    for case in range(100):
        path = tmp_path / f"{case}.gin"
        path.write_bytes(DAMAGES[case % len(DAMAGES)](shipped, rng))
        before = path.read_bytes()
        gin.clear_config()
        try:
            load.load_gin_configs([str(path)], runs.TINY_REDO)
        except UserError:  # Anything else would be a traceback.
            num_refused += 1
        assert path.read_bytes() == before
    print(f"100 damaged gin files, {num_refused} refused")
    assert num_refused > 30


# The whole command, on a real run.


def command(base_dir, capsys):
    """Status and standard error of the entry point, in this process."""
    bindings = (*runs.TINY_REDO, "Runner.num_iterations = 1")
    status = commands.redo_train(*commands.arguments(base_dir, bindings))
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["status.json", "run.json", "config.gin", "metrics.csv", "checkpoint.0.npz"]
)
def test_the_command_goes_on_or_says_what_is_wrong(name, stopped, tmp_path, capsys):
    copy = shutil.copytree(stopped, tmp_path / "run")
    [path] = copy.rglob(name)
    path.write_bytes(noise(path.read_bytes(), np.random.default_rng(3)))
    before = path.read_bytes()
    status, said = command(copy, capsys)
    assert "Traceback" not in said
    if name in ("metrics.csv", "checkpoint.0.npz"):
        assert status == 2
        assert "must be" in said
        assert "none in" in said
        assert path.read_bytes() == before
    else:
        assert status == 0
        assert run_status.read(copy).state == "done"


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", b"null", b"3", b"\xff\xfe", DEEP, b'{"a":' * 100_000),
        *(b'{"start": 1, "resumed": []}', b'{"start": "2026", "resumed": null}'),
        *(b'{"start": "2026"}', b'{"start": "2026", "resumed": [1]}'),
    ],
)
def test_a_damaged_run_json_is_set_aside_and_another_one_begun(
    content, tmp_path, capsys
):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert provenance.read(tmp_path) is None
    provenance.record_start(str(tmp_path), seed=1, game="Pong", agent="Agent")
    assert capsys.readouterr().err.count("It now is run.json.damaged") == 1
    assert (tmp_path / "run.json.damaged").read_bytes() == content
    provenance.record_start(str(tmp_path), seed=1, game="Pong", agent="Agent")
    assert len(provenance.read(tmp_path)["resumed"]) == 1
    assert capsys.readouterr().err == ""
