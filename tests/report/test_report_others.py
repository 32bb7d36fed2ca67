"""Runs side by side, and the scores of others beside ours."""

import dataclasses
import os

import pandas as pd
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import find_runs, others, write_report
from redo_dopamine.report.study import analysis
from report.study_factory import Factory, bar_arms, text_of

REPEATS = 20
PROGRESS = """\
time/total_timesteps,rollout/ep_rew_mean,eval/mean_reward
100,{0},
200,{1},
300,{2},7
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study") / "mine"
    factory = Factory(root, bar_arms()[:2], games=("Pong", "Qbert"))
    factory.write_all(lambda arm, game, seed: 0.5)
    return factory.root


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "theirs.csv"
    rows = [f"{game},{seed},{seed}" for game in ("Pong", "Qbert") for seed in (0, 1)]
    path.write_text("\n".join(["game,seed,score", *rows, "Enduro,0,3"]))
    return path


def progress(root, game, seed, values):
    path = root / game / str(seed) / "progress.csv"
    path.parent.mkdir(parents=True)
    path.write_text(PROGRESS.format(*values))


def test_scores_of_a_table_are_an_arm_of_the_study(study, csv, tmp_path):
    page = write_report(
        study, REPEATS, output=tmp_path / "out", scores=[f"theirs={csv}"]
    )
    assert page == tmp_path / "out" / "index.html"
    scores = pd.read_csv(page.parent / "scores.csv").query("arm == 'theirs'")
    assert dict(scores.groupby("game")["return"].mean()) == {"Pong": 0.5, "Qbert": 0.5}
    summary = pd.read_csv(page.parent / "summary.csv").set_index("arm").loc["theirs"]
    assert (summary["games"], summary["seeds"]) == (2, 2)
    assert "since the study does not have them: Enduro." in page.read_text()


def test_progress_of_stable_baselines_has_its_history(study, tmp_path):
    for game in ("Pong", "Qbert"):
        progress(tmp_path / "sb3", game, 0, (1, 2, 3))
    found = analysis.analyze(study, REPEATS, [others.read(f"SB3={tmp_path / 'sb3'}")])
    rows = found.table.query("arm == 'SB3' and game == 'Pong'")
    assert rows["return"].tolist() == [1, 2, 3]
    assert rows["frames"].tolist() == [400, 800, 1200]
    assert found.finals.loc[("SB3", "Pong", "0"), "return"] == 3
    assert found.matrices["SB3"].final.shape == (1, 2)
    # Ours are judged as before.
    alone = analysis.analyze(study, REPEATS)
    arm = found.study.arms[0].name
    assert found.aggregates[arm] == alone.aggregates[arm]
    assert found.episodes == alone.episodes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x.csv", "LABEL=PATH"),
        ("a/b=x.csv", "LABEL=PATH"),
        ("x=nowhere.csv", "cannot be read"),
        ("x=.", "has none"),
    ],
)
def test_scores_that_are_none_are_refused(text, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        others.read(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("game,score\nPong,1\n", "lacks seed"),
        ("game;seed;score\nPong;0;1\n", "its first line is 'game;seed;score'"),
        ("game,seed,score\nPong,0,x\n", "in score, but .* has 'x'"),
        ("game,seed,score\nPong,0,inf\n", "finite numbers"),
        ("game,seed,score\nPong,0,True\nPong,1,False\n", "finite numbers"),
        ("game,seed,score\nPong,0,nan\n", "a row without one"),
        ("game,seed,score\nPong,,1\nPong,1,1\n", "a row without one"),
        ("game,seed,score\n,0,1\nPong,1,1\n", "a row without one"),
        ("game,seed,score\nPong,0,1\nPong,0,2\n", "two of one run"),
    ],
)
def test_a_table_must_have_a_score_a_run(content, said, tmp_path):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(UserError, match=said):
        others.read(f"x={tmp_path / 'x.csv'}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{steps}\n100\n", "a return"),
        ("{steps},{ours}\n", "a return"),
        ("{steps},{ours}\n100,\n", "a return"),
        ("{steps},{ours}\n,1\n", "a return"),
        ("{steps},{ours}\nx,1\n", ">= 0 in time/total_timesteps, but .* has 'x'"),
        ("{steps},{ours}\n-1,1\n", "has '-1'"),
        ("{steps},{ours}\n100,x\n", "finite numbers in rollout/ep_rew_mean"),
        ("{steps},{ours}\n100,inf\n", "has 'inf'"),
    ],
)
def test_a_progress_must_have_returns_at_steps(content, said, tmp_path):
    path = tmp_path / "Pong" / "0" / "progress.csv"
    path.parent.mkdir(parents=True)
    names = {"steps": "time/total_timesteps", "ours": "rollout/ep_rew_mean"}
    path.write_text(content.format(**names))
    with pytest.raises(UserError, match=said):
        others.read(f"x={tmp_path}")


def test_a_label_that_is_there_twice_is_refused(make_run, csv, tmp_path):
    with pytest.raises(UserError, match="'theirs' is there 2 times"):
        write_report(make_run(), scores=[f"theirs={csv}", f"theirs={csv}"])
    assert [x.label for x in others.read_all([f"a={csv}", f"b={csv}"])] == ["a", "b"]


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(UserError, match="is a FIFO"):
        others.read(f"x={tmp_path / 'x.csv'}")


def test_games_and_seeds_are_what_stands_there(tmp_path):
    (tmp_path / "x.csv").write_text("game,seed,score\nNA,0,1\n Pong ,01,2\n")
    assert [*others.read(f"x={tmp_path / 'x.csv'}").runs] == [
        ("NA", "0"),
        ("Pong", "01"),
    ]


def test_a_run_that_is_named_twice_is_shown_once(make_run, tmp_path):
    run = make_run("dqn/0")
    page = write_report([run, run.parent], output=tmp_path / "page").read_text()
    assert " 2 runs" not in page


def test_a_report_must_be_of_something():
    with pytest.raises(UserError, match="base_dir must name"):
        write_report([])


def test_games_and_labels_must_fit_the_study(study, csv, tmp_path):
    with pytest.raises(UserError, match="an arm of the study"):
        analysis.analyze(study, REPEATS, [others.read(f"DQN={csv}")])
    csv.write_text("game,seed,score\nEnduro,0,3\n")
    with pytest.raises(UserError, match="but theirs has Enduro"):
        analysis.analyze(study, REPEATS, [others.read(f"theirs={csv}")])


def test_runs_of_one_name_are_told_apart(make_run, tmp_path):
    paths = [make_run("dqn/0"), make_run("redo/0")]
    progress(tmp_path / "sb3", "Pong", 3, (1, 2, 3))
    page = write_report(
        paths, output=tmp_path / "page", scores=[f"SB3={tmp_path / 'sb3'}"]
    ).read_text()
    assert "3 runs: dqn/0, redo/0, SB3/Pong/3" in page


def test_a_page_of_runs_has_the_scores_of_their_games(make_run, csv, tmp_path):
    path = make_run()
    page = text_of(write_report(path, scores=[f"theirs={csv}"]))
    assert "<h1>Dormant neurons in Pong</h1>" in page
    assert "3 runs: redo, theirs/Pong/0, theirs/Pong/1" in page
    assert "no gradient step" not in page  # It is nothing that they lack.
    [ours], theirs = find_runs(path), others.read(f"theirs={csv}")
    for run in others.beside_runs([ours], [theirs]):
        assert run.metrics["agent_step"].tolist() == [ours.metrics["agent_step"].max()]
    nameless = dataclasses.replace(ours, info={})
    assert len(others.beside_runs([nameless], [theirs])) == 5
    csv.write_text("game,seed,score\nEnduro,0,3\n")
    with pytest.raises(UserError, match=r"\(Pong\), but theirs has Enduro"):
        write_report(path, scores=[f"theirs={csv}"])
