"""A study's report: what is counted, what is named and left out, what is written."""

import itertools
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import load_run, summary, write_report
from redo_dopamine.report.study import analysis, figures
from redo_dopamine.studies import spec
from report.study_factory import (
    FRAMES,
    Factory,
    bar_arms,
    noisy,
    paper_values,
    text_of,
)

REPEATS = 50
GAMES = ("Pong", "DemonAttack", "Asterix", "NotAGame")


def exact(arm, game, seed):
    """A level that can be read off: 1, 2, 3 hundredths by game, plus the seed."""
    return (GAMES.index(game) + 1) / 100 + seed


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Two replay ratios; seven of 48 runs are gone in seven ways."""
    factory = Factory(
        tmp_path_factory.mktemp("study") / "replay_ratio",
        games=GAMES,
        paper=paper_values(),
        paper_dormant_percent=[
            {"arm": "dqn_rr1", "game": "DemonAttack", "low": 47, "high": 54}
        ],
    )
    ratios = (1, 2)
    factory.study["arms"] = [a for a in factory.study["arms"] if a["x"] in ratios]
    factory.write_all(exact)
    shutil.rmtree(factory.path("dqn_rr1", "Pong", 0))
    factory.write_run("dqn_rr2", "Pong", 1, float("nan"))
    csv = factory.path("redo_rr1", "Asterix", 2) / "metrics.csv"
    csv.write_text(csv.read_text()[:-4])
    (factory.path("redo_rr1", "Asterix", 1) / "metrics.csv").write_bytes(b"\x89PNG\x00")
    (factory.path("redo_rr2", "DemonAttack", 0) / "config.gin").unlink()
    message = "exit status 1: <b>ValueError</b>"
    factory.write_run("redo_rr2", "Asterix", 0, 1.0, state="failed", message=message)
    factory.write_run("dqn_rr2", "NotAGame", 2, 1.0, state="running")
    factory.write_run("dqn_rr2", "Breakout", 0, 1.0)
    return factory


@pytest.fixture(scope="module")
def report(broken):
    return write_report(broken.root, REPEATS).parent


def test_every_run_that_is_not_counted_is_named_with_its_reason(broken):
    found = analysis.analyze(broken.root, REPEATS)
    states = {r.key: (r.state, r.reason) for r in found.records if not r.counts}
    expected = {
        ("dqn_rr1", "Pong", "0"): ("missing", "no such run directory"),
        ("dqn_rr2", "Pong", "1"): ("no score", "at the end is nan"),
        ("redo_rr1", "Asterix", "2"): ("damaged", "ends inside a line"),
        ("redo_rr1", "Asterix", "1"): ("damaged", "must start with the line"),
        ("redo_rr2", "DemonAttack", "0"): ("damaged", "config.gin is missing"),
        ("redo_rr2", "Asterix", "0"): ("failed", "exit status 1: <b>ValueError</b>"),
        ("dqn_rr2", "NotAGame", "2"): ("running", "up to agent step 1,000"),
    }
    assert set(states) == set(expected)
    for key, (state, words) in expected.items():
        assert states[key][0] == state
        assert words in states[key][1]
    assert len(found.records) == 48
    assert found.unexpected_runs == ["dqn_rr2/Breakout/0"]


def test_matrices_are_over_seeds_that_every_known_game_has(broken):
    found = analysis.analyze(broken.root, REPEATS)
    assert found.games == GAMES[:3]
    seeds = {arm: matrix.seeds for arm, matrix in found.matrices.items()}
    assert seeds == {
        "dqn_rr1": ("1", "2"),
        "dqn_rr2": ("0", "2"),
        "redo_rr1": ("0",),
        "redo_rr2": ("1", "2"),
    }
    matrix = found.matrices["dqn_rr2"]
    expected = [[0.01, 0.02, 0.03], [2.01, 2.02, 2.03]]
    assert matrix.final == pytest.approx(np.array(expected))
    assert matrix.left_out == ("DemonAttack/1", "Asterix/1")
    assert matrix.frames.tolist() == [2000, 4000, 6000, 8000]
    assert matrix.curve[:, :, 1] == pytest.approx(np.array(expected) / 2)
    # Middle half of .01 .02 .03 2.01 2.02 2.03, one cut off at either end.
    iqm = found.aggregates["dqn_rr2"]["iqm"]
    assert iqm.value == pytest.approx((0.02 + 0.03 + 2.01 + 2.02) / 4)
    assert iqm.low < iqm.value < iqm.high
    assert np.isnan(found.aggregates["redo_rr1"]["iqm"].low)
    text = " ".join(found.notes)
    for words in (
        "7 of 48 runs are not counted",
        "No human and random score is known of NotAGame",
        "left out: DemonAttack/1, Asterix/1",
        "Fewer than 2 seeds, so points without intervals: DQN + ReDo, RR 1",
        "left alone: dqn_rr2/Breakout/0",
    ):
        assert words in text


def test_scores_have_a_row_per_run_and_point(report):
    table = pd.read_csv(report / "scores.csv")
    assert table.columns.tolist() == [
        *summary.KEY,
        "frames",
        "return",
        "human_normalized",
        "eval_return",
    ]
    # 48 runs less one missing and three damaged; two of the others are half done.
    assert len(table) == 42 * 4 + 2 * 2
    of_run = table.query("arm == 'dqn_rr1' and game == 'Pong' and seed == 1")
    assert of_run["frames"].tolist() == [2000, 4000, 6000, 8000]
    assert of_run["human_normalized"].iloc[-1] == pytest.approx(1.01)
    # A random player's return is -20.7, a human's 35.3 more.
    assert of_run["return"].iloc[-1] == pytest.approx(-20.7 + 1.01 * 35.3)
    unknown = table[table["game"] == "NotAGame"]
    assert unknown["human_normalized"].isna().all()
    assert unknown["return"].notna().all()


def test_summary_has_a_row_per_arm(report):
    table = pd.read_csv(report / "summary.csv").set_index("arm")
    assert table.index.tolist() == ["dqn_rr1", "dqn_rr2", "redo_rr1", "redo_rr2"]
    assert table.loc["dqn_rr2", ["runs", "games", "seeds"]].tolist() == [6, 3, 2]
    assert np.isnan(table.loc["redo_rr1", "iqm_low"])
    for name in ("iqm", "median", "mean", "optimality_gap"):
        row = table.loc["dqn_rr2"]
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_pages_stand_alone_and_say_the_scale(report):
    slugs = (
        *("headline", "aggregates", "sample_efficiency", "dormant_fraction"),
        *("dormant_at_the_end", "dormant_by_gradient_step"),
        *("performance_profiles", "probability_of_improvement"),
    )
    drawn = (*slugs, "games", "games_dormant")
    names = {f"{slug}.{end}" for slug in drawn for end in ("png", "svg")}
    names |= {"index.html", "games.html", "scores.csv", "summary.csv"}
    names |= {"ends.csv", "improvements.csv"}
    assert {entry.name for entry in report.iterdir()} == names
    index = text_of(report / "index.html")
    warning = "8,000 frames instead of 10,000,000 (scale 0.0008)"
    assert index.count("data:image/png;base64") == len(slugs)
    assert index.count(warning) == len(slugs) + 1
    assert index.count("these points do not test the claim.") == 1
    assert (report / "games.html").read_text().count(warning) == 3
    assert "<b>ValueError" not in index
    assert "&lt;b&gt;ValueError" in index
    assert "://" not in index
    assert "50 repeats" in index
    assert "2 such episodes per run" in index


def test_the_same_study_gives_the_same_bytes(broken, report):
    before = {entry.name: entry.read_bytes() for entry in report.iterdir()}
    write_report(broken.root, REPEATS)
    after = {entry.name: entry.read_bytes() for entry in report.iterdir()}
    assert [name for name in before if before[name] != after[name]] == []


def test_arms_without_an_axis_and_evaluations(tmp_path):
    factory = Factory(
        tmp_path / "baselines",
        arms=bar_arms(),
        games=("Pong",),
        scale=1.0,
        seeds=[0],
        frames={"study": FRAMES["run"], "run": FRAMES["run"]},
        paper=[{"arm": "none", "iqm": 0.3, "low": None, "high": None}],
    )
    factory.write_all(noisy, evaluated=True)
    found = analysis.analyze(factory.root, REPEATS)
    # By its config.gin, which says how many episodes; study.json does not say.
    assert found.metric == summary.EVALUATION
    assert found.episodes == (100, 100)
    index = text_of(write_report(factory.root, REPEATS))
    assert "instead of" not in index
    assert "100 episodes in that evaluation" in index
    assert "Fewer than 2 seeds, so points without intervals" in index
    assert "Every run of the study is finished and counted." in index
    # No interval in the table of scores; the paper's has none either.
    assert "[" not in index.partition("<h2>Scores</h2>")[2].partition("</table>")[0]


def test_a_study_without_any_run_has_a_page_that_says_so(tmp_path):
    factory = Factory(tmp_path / "new")
    factory.write_study()
    index = write_report(factory.root, REPEATS).read_text()
    assert "48 of 48 runs are not counted" in index
    assert "there is no such run directory" in index
    assert "data:image" not in index
    assert pd.read_csv(factory.root / "report" / "summary.csv")["runs"].sum() == 0


def test_lengths_of_before_and_what_differs_from_the_paper(tmp_path):
    factory = Factory(tmp_path, games=("Pong",), seeds=[0], scale=1.0)
    factory.study["frames"] = {"paper": 8_000, "run": 8_000}
    factory.write_study()
    study = spec.load(tmp_path)
    assert (study.length_full, study.length_run) == (8_000, 8_000)
    assert 'class="warning"' not in write_report(tmp_path, REPEATS).read_text()
    factory.study |= {"differs": "On other games.", "scale": 0.0008}
    factory.study["frames"] = FRAMES
    factory.write_study()
    index = text_of(write_report(tmp_path, REPEATS))
    [warning] = re.findall(r'<p class="warning"> (.*?)</p>', index)
    assert warning == (
        "8,000 frames instead of 10,000,000 (scale 0.0008): these points do not test "
        "the claim. On other games."
    )


def test_runs_of_another_length_than_asked_for_are_told(tmp_path):
    frames = FRAMES | {"run": 4000}
    factory = Factory(tmp_path / "study", games=("Pong",), seeds=[0], scale=1e-6)
    factory.write_study()
    factory.write_run("dqn_rr1", "Pong", 0, 0.5)
    assert not [
        x for x in analysis.analyze(factory.root, 5).notes if "end between" in x
    ]
    factory.study["frames"] = frames
    factory.write_study()
    found = analysis.analyze(factory.root, 5)
    [note] = [note for note in found.notes if "end between" in note]
    assert "8,000 and 8,000 frames, where study.json says 4,000" in note
    assert found.study.shortened.endswith("(scale 0.000001)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "its format is 2"),
        ({"frames": None}, "TypeError"),
        ({"arms": [{}]}, "KeyError: 'name'"),
        ({"games": ["Pong", "Pong"]}, "name each game once"),
        ({"seeds": []}, "name each seed once"),
        ({"games": ["x" * 300]}, "cannot name a directory"),
        ({"games": ["../.."]}, "cannot name a directory"),
        ({"name": "a\0b"}, "cannot name a directory"),
        ({"scale": float("nan")}, "scale must be in (0, 1]"),
        ({"scale": -1}, "scale must be in (0, 1]"),
        ({"arms": [{"name": "dqn", "x": 10**400}]}, "OverflowError"),
        ({"arms": [{"name": "dqn", "x": float("inf")}]}, "must be finite"),
        ({"frames": {"study": 10**400, "run": 10**400}}, "a length must be"),
        ({"frames": {"study": 0, "run": 1}}, "a length must be"),
    ],
)
def test_a_wrong_study_json_is_a_user_error(tmp_path, change, words):
    factory = Factory(tmp_path / "study", **change)
    factory.write_study()
    with pytest.raises(UserError, match=r"must hold a study\.json") as caught:
        spec.load(factory.root)
    assert words in str(caught.value)
    assert str(factory.root) in str(caught.value)


def test_half_a_character_is_shown_as_a_question_mark(tmp_path):
    factory = Factory(tmp_path, games=("Pong",), seeds=[0], axis="a\ud800b")
    factory.write_all(lambda arm, game, seed: 1.0)
    assert spec.load(tmp_path).axis == "a?b"
    assert write_report(tmp_path, REPEATS).is_file()


def test_labels_that_are_there_twice_give_way_to_names(tmp_path):
    arms = [{"name": name, "label": "DQN"} for name in ("dqn", "redo")]
    factory = Factory(tmp_path, arms, games=("Pong",), seeds=[0])
    factory.write_all(lambda arm, game, seed: 1.0)
    assert [arm.label for arm in spec.load(tmp_path).arms] == ["dqn", "redo"]
    assert write_report(tmp_path, REPEATS).is_file()


def test_cli_takes_a_study_and_reports_errors(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "redo_dopamine.report", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    # Intervals over several games are drawn; those of one game are computed.
    games = ("Breakout", "Pong")
    factory = Factory(tmp_path / "study", games=games, seeds=[0, 1])
    factory.write_study()
    for game, seed in itertools.product(games, (0, 1)):
        factory.write_run("dqn_rr1", game, seed, 0.5)
    done = run(f"--base_dir={factory.root}", "--bootstrap_repeats=30")
    assert (done.returncode, done.stderr) == (0, "")
    index = factory.root / "report" / "index.html"
    assert done.stdout == f"{index}\n"
    assert "30 repeats" in index.read_text()
    wrong = run(f"--base_dir={factory.root}", "--bootstrap_repeats=0")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--bootstrap_repeats must be a whole number from 1 to" in wrong.stderr
    (factory.root / "study.json").write_text(json.dumps([1]))
    wrong = run(f"--base_dir={factory.root}")
    assert wrong.returncode == 2
    assert "study.json" in wrong.stderr


def test_import_of_a_study_report_is_light():
    code = (
        "import sys, redo_dopamine.report.study;"
        "heavy = {'dopamine', 'tensorflow', 'jax', 'gin', 'flax'} & set(sys.modules);"
        "heavy |= {'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_study_that_counts_gradient_steps_shows_no_frames(tmp_path):
    factory = Factory(tmp_path / "study", games=("Pong",), seeds=[0])
    factory.study["unit"] = "gradient steps"
    factory.study["gradient steps"] = {"study": 20_000, "run": 2_000}
    factory.write_study()
    factory.write_run("dqn_rr1", "Pong", 0, 0.5)
    found = analysis.analyze(factory.root, 5)
    # An agent step of the files is one gradient step.
    assert found.table["frames"].tolist() == [500, 1000, 1500, 2000]
    assert not [note for note in found.notes if "end between" in note]
    assert found.study.shortened.startswith("2,000 gradient steps instead of 20,000")
    assert figures._words(found)["length"] == "gradient steps"


@pytest.mark.parametrize(
    ("judged_by", "config", "expected"),
    [
        ("", "", summary.TRAINING),
        ("", "Atari100kRunner.num_eval_episodes = 100", summary.EVALUATION),
        ("training", "Atari100kRunner.num_eval_episodes = 100", summary.TRAINING),
        ("evaluation", "", summary.EVALUATION),
    ],
)
def test_what_runs_are_judged_by(tmp_path, judged_by, config, expected):
    factory = Factory(tmp_path, bar_arms()[:1], ("Pong",), seeds=[0])
    factory.study["judged_by"] = judged_by
    factory.write_all(noisy, evaluated=True)
    for path in tmp_path.glob("*/*/*/config.gin"):
        path.write_text(config)
    assert analysis.analyze(tmp_path, 5).metric == expected


def test_runs_without_what_they_are_judged_by_are_judged_by_the_other(tmp_path):
    factory = Factory(tmp_path, bar_arms()[:1], ("Pong",), judged_by="evaluation")
    factory.write_all(noisy)
    assert analysis.analyze(tmp_path, 5).metric == summary.TRAINING


def test_a_study_judged_by_something_else_is_refused(tmp_path):
    factory = Factory(tmp_path, judged_by="luck")
    factory.write_study()
    with pytest.raises(UserError, match=r"judged_by must be one of .* 'luck'"):
        spec.load(tmp_path)


@pytest.mark.parametrize(
    ("iterations", "expected"),
    # Returns are 1, 2, ... by iteration; the last tenth is 1, 1, 1, 2 and 4 of them.
    [(1, 1), (4, 4), (10, 10), (20, 19.5), (40, 38.5), (11, 10.5)],
)
def test_a_score_is_the_training_of_the_last_tenth(make_run, iterations, expected):
    body = "".join(
        f"{i},{100 * i + 100},{i},train/average_return,{i + 1}\n"
        f"{i},{100 * i + 100},{i},eval/average_return,{-i}\n"
        for i in range(iterations)
    )
    run = load_run(make_run(body=body))
    assert summary.final_score(run, summary.TRAINING) == expected
    assert summary.final_score(run, summary.EVALUATION) == 1 - iterations
    episodes = "".join(
        f"{i},{100 * i + k},{i},train/episode_return,{i + k}\n"
        for i in range(iterations)
        for k in (0, 2)
    )
    run = load_run(make_run("episodes", body=episodes))
    assert summary.final_score(run, summary.TRAINING) == expected


def test_tables_have_both_kinds_of_return_and_the_test(tmp_path):
    factory = Factory(tmp_path, bar_arms()[:2], ("Pong",), judged_by="training")
    levels = {"none": (0.1, 0.2, 0.3), "reset": (0.4, 0.5, 0.6)}
    factory.write_all(lambda arm, _, seed: levels[arm["name"]][seed], evaluated=True)
    index = write_report(tmp_path, REPEATS)
    rows = pd.read_csv(index.with_name("scores.csv"))
    np.testing.assert_allclose(rows["eval_return"] - rows["return"], 35.3)
    summary = pd.read_csv(index.with_name("summary.csv")).set_index("arm")
    assert summary.loc["none", "iqm"] == pytest.approx(0.2)
    assert summary.loc["none", "eval_return_iqm"] == pytest.approx(1.2)
    [row] = pd.read_csv(index.with_name("improvements.csv")).to_dict("records")
    assert (row["arm"], row["over"], row["runs"]) == ("reset", "none", 3)
    assert (row["probability"], row["p"]) == (1, pytest.approx(0.1))
    assert np.isnan(row["low"])
    # s is 0.1 in both: √(2/3) · 0.1 · 2.776445.
    assert row["difference"] == pytest.approx(0.3)
    assert row["difference_low"] == pytest.approx(0.3 - 0.226696, abs=1e-6)
    assert (row["eval_return_probability"], row["eval_return_p"]) == (
        1,
        pytest.approx(0.1),
    )
    index = text_of(index)
    assert "0.200 [-0.048, 0.448] (n = 3)" in index
    assert "IQM by evaluation" in index
    assert "<td>0.100</td>" in index
    assert "the training episodes in the last tenth of its agent steps" in index
