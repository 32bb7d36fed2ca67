"""A checkpoint of a stranger's: nothing of it runs, hangs or fills the memory."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from redo_dopamine import errors
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import show
from redo_dopamine.inspect.measure import inspect_checkpoint
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.rundir import checkpoint

pytestmark = pytest.mark.slow


COMMAND = (
    "from __gin__ import dynamic_registration\nimport os\n"
    "os.system.command = 'touch ran'\nredo_dopamine.redo.tau = @os.system()\n"
)
CONFIGS = {
    "a command": COMMAND,
    "a module": "import canary\n",
    "a file": "include 'canary.gin'\n",
    "an environment": "create_control_environment.environment_id = 'canary:A-v0'\n",
}


@pytest.fixture
def copy(run, tmp_path):
    """The newest checkpoint of the run, with its replay buffer, to be changed."""
    shutil.copytree(run / "checkpoints", tmp_path / "copy")
    (tmp_path / "copy" / "checkpoint.0.npz").unlink()
    return tmp_path / "copy" / "checkpoint.1.npz"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a module that tells when it is imported."""
    directory = tmp_path / "here"
    directory.mkdir()
    line = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
    (directory / "canary.py").write_text(line)
    (directory / "canary.gin").write_text("import canary\n")
    monkeypatch.chdir(directory)
    monkeypatch.syspath_prepend(directory)
    return directory


def change(path, **meta):
    """Other metadata in a checkpoint; None takes one away."""
    arrays, before = checkpoint.read(path)
    after = {k: v for k, v in {**before, **meta}.items() if v is not None}
    checkpoint.write(path.parent, 1, arrays, after)
    return before


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("way", CONFIGS)
def test_no_command_runs_what_a_checkpoint_names(way, where, copy, here, capsys):
    _, meta = checkpoint.read(copy)
    parts = [CONFIGS[way], meta["config"]]
    change(copy, config="\n".join(parts if where == "before" else parts[::-1]))
    before = sorted(here.iterdir())
    of_inspect = show.run(checkpoint=str(copy))
    record = ["record", f"--checkpoint={copy}", "--output=out", "--num_steps=5"]
    lesson = ["lesson", f"--teacher={copy}", f"--student={copy}", "--output=out"]
    statuses = [of_inspect, offline.main(record), offline.main(lesson)]
    assert statuses == [errors.USER_ERROR] * 3
    said = capsys.readouterr().err
    assert said.count(CONFIGS[way].splitlines()[0]) == 3
    assert sorted(here.iterdir()) == before
    assert "canary" not in sys.modules


def test_the_command_itself_runs_nothing(copy, here):
    """With the current directory on Python's path, as `python -m` has it."""
    change(copy, config=COMMAND + "import canary\n")
    done = subprocess.run(
        [sys.executable, "-m", "redo_dopamine.inspect", f"--checkpoint={copy}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == errors.USER_ERROR, done.stderr
    assert "from __gin__ import dynamic_registration" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (here / "ran").exists()


def test_modules_of_ones_own_are_named(run, copy, here, capsys):
    (here / "my_module.py").write_text("LOADED = True\n")
    _, meta = checkpoint.read(copy)
    change(copy, config=f"import my_module\n{meta['config']}")
    assert show.run(checkpoint=str(copy), metrics=()) == 2
    assert "--trust_modules=my_module" in capsys.readouterr().err
    flags = {"metrics": (), "trust_modules": ["my_module"]}
    assert show.run(checkpoint=str(copy), **flags) == 0
    assert sys.modules.pop("my_module").LOADED


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"config": None}, "must hold the configuration"),
        ({"config": 3}, "must hold the configuration"),
        ({"config": ["redo.tau = 1"]}, "must hold the configuration"),
        ({"config": ""}, "must name an Atari game"),
        ({"config": "redo.tau = 'x'"}, "must be built from the configuration"),
    ],
)
def test_metadata_of_another_form_are_refused(copy, meta, message):
    change(copy, **meta)
    with pytest.raises(UserError, match=message):
        inspect_checkpoint(copy)


# Files that are not what they say.


def header_of(shape, descr="|u1"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def written(path, meta, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("meta.json", meta)
        for index, content in enumerate(members):
            archive.writestr(f"{index}.npy", content)


def meta_of(number=1, **more):
    names = [f"agent{i}" for i in range(number)]
    return json.dumps({"format": 1, "arrays": names, "config": "", **more})


HOSTILE = {
    "an array larger than memory": lambda p: written(
        p, meta_of(), [header_of((2**50,)) + bytes(8)]
    ),
    "an array larger than any": lambda p: written(p, meta_of(), [header_of((10**30,))]),
    "a negative shape": lambda p: written(p, meta_of(), [header_of((-1,))]),
    "large numbers": lambda p: written(p, meta_of(), [header_of((4,), "|V2147483647")]),
    "objects": lambda p: written(
        p, meta_of(), [header_of((1,), "|O") + b"cos\nsystem"]
    ),
    "a long header": lambda p: written(
        p, meta_of(), [b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x0f" + b" " * 10**6]
    ),
    "compressed zeros": lambda p: written(
        p,
        meta_of(),
        [header_of((2 * 10**9,)) + bytes(10**8)],
        zipfile.ZIP_DEFLATED,
    ),
    "depth": lambda p: written(p, "[" * 10**6, []),
    "depth inside": lambda p: written(p, f'{{"format": 1, "arrays": {"[" * 10**5}', []),
    "a list": lambda p: written(p, "[1, 2]", []),
    "a long format": lambda p: written(p, meta_of(format="9" * 10**4), []),
    "names that are numbers": lambda p: written(p, meta_of(arrays=[1]), [b""]),
    "names that are one text": lambda p: written(p, meta_of(arrays="ab"), [b"", b""]),
    "a pipe": os.mkfifo,
    "a device": lambda p: p.symlink_to("/dev/zero"),
    "a directory": lambda p: p.mkdir(),
    "a link to itself": lambda p: p.symlink_to(p.name),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_no_checkpoint_is_refused_at_once(kind, tmp_path):
    HOSTILE[kind](tmp_path / "checkpoint.1.npz")
    code = (
        "import resource, sys\n"
        "from redo_dopamine.rundir import checkpoint\n"
        "from pathlib import Path\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    checkpoint.read(Path(sys.argv[1]))\n"
        "except ValueError as error:\n"
        "    assert len(str(error)) < 2000\n"
        "    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    print(after - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "checkpoint.1.npz")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    assert int(done.stdout) < 200_000  # KB


def test_members_that_overlap_are_refused(tmp_path):
    """One array that the list of contents names many times."""
    path = tmp_path / "checkpoint.1.npz"
    written(path, meta_of(3), [header_of((1000,)) + bytes(1000)])
    with zipfile.ZipFile(path, "a") as archive:
        for index in (1, 2):
            twin = zipfile.ZipInfo(f"{index}.npy")
            first = archive.getinfo("0.npy")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True
    with pytest.raises(checkpoint.DamagedCheckpointError, match="larger than the fil"):
        checkpoint.read(path)


def test_a_replay_buffer_that_claims_too_much_is_refused(copy, monkeypatch):
    # Whoever means harm writes a checkpoint that fits, too.
    monkeypatch.setattr(checkpoint, "check_replay_state", lambda *_: None)
    state = copy.parent / "replay" / "state.1.json"
    before = json.loads(state.read_text())
    elsewhere = {**before["segments"][0], "file": "../../elsewhere.npz"}
    for wrong in (
        {"bands": "many"},
        {"observation": {"dtype": "|u1", "shape": [10**18, 1]}},
        {"observation": {"dtype": "|u1", "shape": [2**31, 2**31]}},
        {"observation": {"dtype": "|O", "shape": [84, 84]}},
        {"action": {"dtype": "<i4", "shape": [10**12]}},
        {"segments": [elsewhere]},
        {"segments": 1},
        {"frames": None},
    ):
        state.write_text(json.dumps({**before, **wrong}))
        with pytest.raises(UserError, match="replay checkpoint must be whole"):
            inspect_checkpoint(copy, metrics=())
    # How much room to make is advice only, and not followed beyond the files' sizes.
    state.write_text(json.dumps({**before, "bands": 10**15}))
    assert inspect_checkpoint(copy, metrics=()).scores
    state.write_text("[" * 10**6)
    with pytest.raises(UserError, match="replay checkpoint must be whole"):
        inspect_checkpoint(copy, metrics=())
    state.unlink()
    os.mkfifo(state)
    with pytest.raises(UserError, match="replay checkpoint must be whole"):
        inspect_checkpoint(copy, metrics=())


def test_a_directory_of_pipes_is_refused(tmp_path):
    os.mkfifo(tmp_path / "checkpoint.7.npz")
    with pytest.raises(UserError, match="must be an ordinary file, but is a FIFO"):
        inspect_checkpoint(tmp_path)
