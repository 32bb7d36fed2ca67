"""Returns as scores: a human's scale, and that of a game's best arm."""

import numpy as np
import pandas as pd
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import write_report
from redo_dopamine.report.study import analysis, scores
from redo_dopamine.studies import spec
from report.study_factory import Factory, bar_arms

ARMS = bar_arms()[:2]


def of(factory):
    return analysis.analyze(factory.root, repeats=20)


@pytest.fixture
def maze(tmp_path):
    """Two arms and two seeds in two games; returns are levels, since no human's."""
    made = Factory(
        tmp_path / "study", ARMS, ("Maze", "Cave"), score="best arm", seeds=[0, 1]
    )
    levels = {"none": {"Maze": (2.0, 4.0), "Cave": (1.0, 3.0)}}
    levels["reset"] = {"Maze": (6.0, 10.0), "Cave": (0.0, 1.0)}
    made.write_all(lambda arm, game, seed: levels[arm["name"]][game][seed])
    return made


def test_the_humans_scale_is_that_of_the_tables():
    scale = scores.human()
    assert scale.column == "human_normalized"
    assert len(scale.ends) == 57
    assert scale.normalize("Pong", -20.7) == pytest.approx(0, abs=1e-9)
    assert scale.normalize("Pong", 14.6) == pytest.approx(1)
    # Mean of 152.1 and 1971.0.
    assert scale.normalize("DemonAttack", 1061.55) == pytest.approx(0.5)
    assert "Maze" not in scale.ends
    assert np.isnan(scale.normalize("Maze", 1.0))


def test_the_best_arms_mean_is_1_in_each_game(maze):
    found = of(maze)
    # The means: Maze 3 and 8, Cave 2 and 0.5.
    assert found.scale.ends == {"Maze": (0, 8), "Cave": (0, 2)}
    np.testing.assert_allclose(found.matrices["none"].final, [[0.25, 0.5], [0.5, 1.5]])
    reset = found.aggregates["reset"]
    # Of 0.75, 1.25, 0 and 0.5: the middle half.
    assert reset["iqm"].value == pytest.approx((0.5 + 0.75) / 2)
    assert reset["mean"].value == pytest.approx(0.625)


def test_an_unfinished_run_and_a_missing_return_do_not_move_the_scale(maze):
    maze.write_run("reset", "Maze", 1, 100.0, state="running")
    maze.write_run("none", "Cave", 0, float("nan"))
    assert of(maze).scale.ends == {"Maze": (0, 6), "Cave": (0, 3)}


def test_a_game_in_which_no_arm_has_a_return_above_0_has_no_scores(maze):
    for arm in ("none", "reset"):
        for seed in (0, 1):
            maze.write_run(arm, "Cave", seed, 0.0)
    found = of(maze)
    assert found.games == ("Maze",)
    assert "No arm has a mean return above 0 of Cave" in " ".join(found.notes)


def test_pages_and_tables_say_by_what_returns_are_normalized(maze):
    page = write_report(maze.root, bootstrap_repeats=20)
    table = pd.read_csv(page.parent / "scores.csv")
    assert table.columns[-2:].tolist() == ["best_arm_normalized", "eval_return"]
    assert table.query("arm == 'reset' and game == 'Maze' and seed == 1")[
        "best_arm_normalized"
    ].iloc[-1] == pytest.approx(1.25)
    text = page.read_text() + (page.parent / "games.html").read_text()
    assert "best-arm-normalized: 0 is a return of 0, 1 the mean return of" in text
    assert "human" not in text.lower()


def test_another_scale_is_an_error(tmp_path):
    made = Factory(tmp_path / "study", ARMS, score="mean")
    made.write_study()
    with pytest.raises(UserError, match=r"must be one of .* but is 'mean'"):
        of(made)


def test_a_study_may_ask_for_every_kind_and_no_other():
    assert tuple(scores.KINDS) == spec.SCORES
