"""`launch --sweep`: every combination is an arm, checked before a run is launched."""

import json

import pytest

from redo_dopamine import errors
from redo_dopamine.launch import common, local
from redo_dopamine.report import write_report

ISSUE = (
    *("--gin_files=dqn.gin", "--sweep", "redo.tau=0,0.025,0.1"),
    *("--sweep", "RecycledDQNAgent.replay_ratio=1,2"),
    *("--seeds=5", "--games=Pong,Breakout"),
)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def plan(base_dir, *words):
    return local.main([*words, f"--base_dir={base_dir}", "--print_commands"])


def test_every_combination_is_an_arm(tmp_path, capsys):
    assert plan(tmp_path, *ISSUE) == 0
    out, said = capsys.readouterr()
    assert len(out.splitlines()) == 3 * 2 * 5 * 2
    [line] = [x for x in out.splitlines() if "tau=0.1_replay_ratio=2/Pong/3 " in x]
    assert "--gin_files=dqn.gin" in line
    for setting in ("redo.tau = 0.1", "RecycledDQNAgent.replay_ratio = 2", "seed = 3"):
        assert setting in line
    # What nothing else is told would change more than was asked for.
    assert line.count("--gin_bindings") == 4
    assert said.count("note: nothing reads redo.tau") == 1
    study = json.loads((tmp_path / "sweep" / "study.json").read_text())
    assert study["axis"] == "redo.tau"
    assert {arm["x"] for arm in study["arms"]} == {0, 0.025, 0.1}
    assert {arm["series"] for arm in study["arms"]} == {
        "replay_ratio = 1",
        "replay_ratio = 2",
    }


def test_lengths_of_the_file_are_kept_and_scaled(tmp_path, capsys):
    words = ("--gin_files=minatar_dqn_redo.gin", "--sweep", "redo.period=1000,2000")
    more = ("--seeds=1", "--name=periods", "--gin_bindings=Runner.num_iterations=2")
    assert plan(tmp_path, *words, *more, "--scale=0.1") == 0
    out, said = capsys.readouterr()
    assert said == ""
    lines = out.splitlines()
    assert ["redo.period = 100'" in x for x in lines] == [True, False]
    assert ["redo.period = 200'" in x for x in lines] == [False, True]
    assert "create_minatar_environment.game_name" in lines[0]
    study = json.loads((tmp_path / "periods" / "study.json").read_text())
    assert study["agent steps"] == {"study": 20_000, "run": 2_000}
    assert [arm["label"] for arm in study["arms"]] == ["period = 1000", "period = 2000"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gin_files=dqn_redo.gin", "--sweep=redo.tua=0,1"], "Did you mean tau?"),
        (["--gin_files=dqn.gin", "--sweep=ReplayBuffer.batch_size=8,0"], "must be"),
        (["--gin_files=dqn_redo.gin", "--sweep=tau=0"], "--sweep must be FUNCTION"),
        (["--gin_files=dqn_redo.gin", "--sweep=redo.tau=0,0"], "--sweep must be"),
        (["--gin_files=dqn_redo.gin", "--sweep=redo.tau=0.1,0.10"], "that differ"),
        (["--gin_files=dqn_redo.gin", "--sweep=redo.period=1000,1e3"], "that differ"),
        (["--gin_files=dqn_redo.gin", "--games=Pnog"], "Did you mean Pong?"),
        (["--gin_files=minatar_dqn.gin", "--games=Nope"], "MinAtar's SpaceInvaders,"),
        (["--gin_files=nowhere.gin"], "'nowhere.gin' is neither"),
        (["--sweep=redo.tau=0"], "one gin file"),
        (["--gin_files=dqn.gin", "--sweep=Runner.training_steps=9,8"], "equally long"),
        (["--gin_files=offline_dqn.gin"], "has OfflineRunner"),
        (["--gin_files=dqn.gin", "--study=pruning"], "and --study"),
        ([], "has neither"),
        (["--gin_files=dqn.gin", "--sweep=redo.tau=0", "--sweep=redo.tau=1"], "twice"),
        (
            [
                *("--gin_files=dqn.gin", "--sweep=redo.tau=0"),
                "--sweep=redo_dopamine.redo.tau=1",
            ],
            "redo.tau is there twice",
        ),
        (
            [
                *("--gin_files=dqn.gin", "--sweep=redo.tau=0"),
                "--gin_bindings=redo.tau = 1",
            ],
            "redo.tau is there twice",
        ),
        (
            [
                "--gin_files=dqn.gin",
                "--sweep=dopamine.discrete_domains.run_experiment."
                "Runner.num_iterations=1,2",
            ],
            "equally long",
        ),
        (
            [
                "--gin_files=dqn.gin",
                f"--sweep=redo.period={','.join(map(str, range(1, 52)))}",
                f"--sweep=redo.start={','.join(map(str, range(20)))}",
            ],
            "but has 1,020",
        ),
        (["--gin_files=dqn_redo.gin", "--sweep=redo.tau=0,-1"], "redo.tau must be"),
        (
            ["--gin_files=dqn.gin", "--sweep=JaxDQNAgent.optimizer='a,b','c'"],
            "is 'a,b'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(words, said, tmp_path, capsys):
    assert plan(tmp_path, *words) == errors.USER_ERROR
    assert said in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_sweep_is_run_and_reported(tmp_path):
    short = (
        *("Runner.num_iterations=1", "Runner.training_steps=200"),
        *("Runner.max_steps_per_episode=50", "JaxDQNAgent.min_replay_history=50"),
        *("Runner.evaluation_steps=0", "ReplayBuffer.max_capacity=1000"),
    )
    words = (
        *("--gin_files=minatar_dqn_redo.gin", "--sweep=redo.tau=0,0.1", "--seeds=1"),
        *(f"--gin_bindings={x}" for x in short),
        f"--base_dir={tmp_path}",
    )
    assert local.main(words, common.command) == 0
    page = write_report(tmp_path / "sweep").read_text()
    assert "tau = 0.1" in page
    assert "2 of 2 runs are finished" in " ".join(page.split())
