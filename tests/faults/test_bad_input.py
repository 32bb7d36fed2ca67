"""Wrong input of every kind: one message, status 2, and no file is changed or lost.

Cases are made by hypothesis, the same ones in every run. Each goes through the entry
point of its command, in this process. By chance an input may be right: then the run it
asks for is not made, and the case does not count.
"""

import shutil
import string
from collections import defaultdict

import gin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import runs
from helpers.commands import FLAGS, redo_train
from redo_dopamine.inspect import show as inspect_command
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.runners.runner import PlasticityRunner
from redo_dopamine.supervised import distillation, label_shuffle

NUM_KINDS = 7
REFUSED: defaultdict[str, set[str]] = defaultdict(set)  # Inputs by kind.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
WORDS = st.text(string.ascii_letters + "_.", min_size=1, max_size=12)
NOT_POSITIVE = st.one_of(
    st.integers(max_value=0),
    st.floats(max_value=0),
    st.sampled_from([float("nan"), float("inf")]),
)


@pytest.fixture(autouse=True)
def no_run(clean_gin, monkeypatch):
    """Nothing is trained."""

    class AcceptedError(Exception):
        """The input is right."""

    def accept(self):
        raise AcceptedError

    monkeypatch.setattr(PlasticityRunner, "run_experiment", accept)
    return AcceptedError


def tree(directory):
    """Every file with its content, every directory."""
    return {
        path.relative_to(directory): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def check(kind, given, directory, capsys, command, accepted=()):
    """That a command refuses its input as it should, and leaves files alone."""
    gin.clear_config()
    before = tree(directory)
    capsys.readouterr()
    try:
        status = command()
    except accepted:
        return
    said = capsys.readouterr().err
    assert status == 2, said
    assert said.count("error: ") == 1, said
    assert "Traceback" not in said
    after = tree(directory)
    assert {path: after.get(path) for path in before} == before
    REFUSED[kind].add(repr(given))


def cases(num_cases, **strategies):
    """A property that pytest's fixtures may stay for."""

    def decorate(test):
        repeated = settings(
            max_examples=num_cases,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        return repeated(given(**strategies)(test))

    return decorate


BINDINGS = [f"--gin_bindings={x}" for x in runs.TINY_REDO]


@cases(
    60,
    wrong=st.one_of(
        st.builds("--{}={}".format, WORDS.filter(lambda x: x not in FLAGS), WORDS),
        st.builds("--scale={}".format, WORDS.filter(lambda x: x not in ("inf", "nan"))),
        st.builds("--on_nan={}".format, WORDS),
        st.builds("--allow_config_change={}".format, WORDS.map(lambda x: f"x{x}")),
        WORDS,
    ),
)
def test_flags(wrong, tmp_path, capsys, no_run):
    check(
        "flags",
        wrong,
        tmp_path,
        capsys,
        lambda: redo_train(f"--base_dir={tmp_path}/run", "--gin_files=demo.gin", wrong),
        no_run,
    )


@cases(
    30,
    wrong=st.one_of(
        st.builds(
            "{} = {!r}".format,
            st.sampled_from(
                [
                    *("RecycledDQNAgent.replay_ratio", "redo.period", "redo.tau"),
                    *("RecycledDQNAgent.tracking_period", "NatureNetwork.width"),
                    *("RecycledDQNAgent.tracking_batch_size", "JaxDQNAgent.gamma"),
                    *("ReplayBuffer.max_capacity", "ReplayBuffer.batch_size"),
                    *("redo.score_batch_size", "JaxDQNAgent.update_period"),
                ]
            ),
            NOT_POSITIVE,
        ),
        st.builds("{} = {}".format, WORDS, st.integers()),
        st.builds("RecycledDQNAgent.{} = 1".format, WORDS),
        st.builds("redo.tau = {}".format, TEXT),
        TEXT.filter(lambda x: x.strip() and not x.strip().startswith("#")),
    ),
)
def test_bindings(wrong, tmp_path, capsys, no_run):
    arguments = [f"--base_dir={tmp_path}/run", "--gin_files=dqn_redo.gin", *BINDINGS]
    check(
        "bindings",
        wrong,
        tmp_path,
        capsys,
        lambda: redo_train(*arguments, f"--gin_bindings={wrong}"),
        no_run,
    )


@cases(60, content=st.one_of(st.binary(min_size=1, max_size=200), TEXT.map(str.encode)))
def test_gin_files(content, tmp_path, capsys, no_run):
    path = tmp_path / "mine.gin"
    path.write_bytes(content)
    arguments = [f"--base_dir={tmp_path}/run", f"--gin_files={path}", *BINDINGS]
    check(
        "gin files", content, tmp_path, capsys, lambda: redo_train(*arguments), no_run
    )


@cases(40, name=st.one_of(TEXT, WORDS.map(lambda x: x * 300), st.just("inner")))
def test_base_dirs(name, tmp_path, capsys, no_run):
    """Beneath a file there can be no directory, by any name."""
    (tmp_path / "file").write_text("mine")
    arguments = [f"--base_dir={tmp_path}/file/{name}", "--gin_files=dqn_redo.gin"]
    check(
        "base_dirs", name, tmp_path, capsys, lambda: redo_train(*arguments, *BINDINGS)
    )


def damaged(content, noise, at):
    """Some bytes exchanged for noise, or all."""
    start = int(at * len(content))
    return content[:start] + noise + content[start + len(noise) :] if noise else b""


@cases(8, noise=st.binary(max_size=64), at=st.floats(0, 0.99))
def test_checkpoints(noise, at, stopped, tmp_path, capsys, no_run):
    copy = tmp_path / "run"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stopped, copy)
    [path] = copy.rglob("checkpoint.0.npz")
    path.write_bytes(damaged(path.read_bytes(), noise, at))
    arguments = [f"--base_dir={copy}", "--gin_files=dqn_redo.gin", *BINDINGS]
    check(
        "checkpoints",
        (noise, at),
        tmp_path,
        capsys,
        lambda: redo_train(*arguments),
        no_run,
    )


@cases(8, content=st.binary(max_size=300), states=st.booleans())
def test_files_to_inspect(content, states, stopped, tmp_path, capsys):
    path = tmp_path / "given.npy"
    path.write_bytes(content)
    flags = (
        {"checkpoint": str(stopped), "states": str(path)}
        if states
        else {"checkpoint": str(path)}
    )
    check(
        "files to inspect",
        (content, states),
        tmp_path,
        capsys,
        lambda: inspect_command.run(**flags),
    )


@cases(
    60, content=st.binary(max_size=300), kind=st.sampled_from(["idx", "lesson", "run"])
)
def test_data_files(content, kind, tmp_path, capsys):
    path = tmp_path / "data"
    path.mkdir(exist_ok=True)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "Pong.npz"):
        (path / name).write_bytes(content)
    out = f"--base_dir={tmp_path}/out"

    def command():
        if kind == "idx":
            return label_shuffle.main([out, f"--data_dir={path}"])
        if kind == "lesson":
            return distillation.main([out, f"--lesson={path}/Pong.npz"])
        recorded = [f"--checkpoint={path}", f"--output={tmp_path}/x", "--num_steps=1"]
        return offline.main(["record", *recorded])

    check("data files", (content, kind), tmp_path, capsys, command)


def test_they_are_enough():
    if len(REFUSED) < NUM_KINDS:
        pytest.skip("Not all tests of this file were run.")
    counts = {kind: len(given) for kind, given in REFUSED.items()}
    print(f"{sum(counts.values())} different bad inputs refused: {counts}")
    assert sum(counts.values()) >= 200
