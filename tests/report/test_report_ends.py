"""Where each arm ended: `ends.csv`, and the same on the page of games."""

import pandas as pd
import pytest

from redo_dopamine.report import write_report
from redo_dopamine.report.study import analysis, curves, tables
from report.study_factory import HUMAN, Factory, replay_ratio_arms

SEEDS = (0, 1, 2)


def level(arm, game, seed):
    return 0.1 * (1 + int(seed)) * arm["x"]


@pytest.fixture
def sweep(tmp_path):
    """Runs that end at gradient step 500, where 0.3 or 0.05 of all is dormant."""
    made = Factory(tmp_path / "study", replay_ratio_arms((1, 2)), ("Pong",))
    made.write_all(level)
    return made


def add(sweep, arm, step, name, value):
    """One more row of each run of an arm; `value` is of the seed."""
    for seed in SEEDS:
        with (sweep.path(arm, "Pong", seed) / "metrics.csv").open("a") as file:
            file.write(f"3,{4 * step},{step},{name},{value(seed)}\n")


def ends(sweep):
    found = curves.by_step(analysis.analyze(sweep.root, repeats=200))
    return found.set_index(["arm", "gradient_step", "metric"]).sort_index()


def test_returns_are_raw_and_of_the_end(sweep):
    low, high = HUMAN.ends["Pong"]
    row = ends(sweep).loc[("dqn_rr2", 500, "return")]
    assert row["mean"] == pytest.approx(low + 0.4 * (high - low))
    # Three runs at 0.2, 0.4 and 0.6 of the way: 4.302653 · 0.2 / √3 to either side.
    assert row["low"] == pytest.approx(low + (0.4 - 0.49682754) * (high - low))
    assert row["high"] == pytest.approx(low + (0.4 + 0.49682754) * (high - low))
    assert (row["game"], row["runs"]) == ("Pong", 3)


def test_evaluations_stand_beside_the_score(sweep):
    sweep.study["judged_by"] = "training"
    sweep.write_all(level, evaluated=True)
    low, high = HUMAN.ends["Pong"]
    found = ends(sweep).xs("eval_return", level="metric")["mean"]
    # An evaluation here is a human's way above the training.
    assert found[("dqn_rr2", 500)] == pytest.approx(low + 1.4 * (high - low))
    sweep.study["judged_by"] = "evaluation"
    sweep.write_study()
    judged = ends(sweep)["mean"].loc["dqn_rr2", 500]
    assert judged["return"] == pytest.approx(low + 1.4 * (high - low))
    assert judged["train_return"] == pytest.approx(low + 0.4 * (high - low))


def test_an_arm_that_goes_on_is_also_read_where_others_ended(sweep):
    add(sweep, "dqn_rr2", 1000, "dormant_fraction/0.1", lambda seed: 0.4 + 0.1 * seed)
    found = ends(sweep).xs("dormant_fraction/0.1", level="metric")["mean"]
    assert found["dqn_rr1"].to_dict() == pytest.approx({500: 0.305})
    assert found["dqn_rr2"].to_dict() == pytest.approx({500: 0.305, 1000: 0.5})
    returns = ends(sweep).xs("return", level="metric")
    assert list(returns.loc["dqn_rr2"].index) == [1000]


def test_between_two_measurements_it_is_read_on_the_line(sweep):
    for step, q in ((400, 2.0), (600, 4.0)):
        add(sweep, "dqn_rr2", step, "largest_q", lambda seed, q=q: q)
    found = ends(sweep).xs("largest_q", level="metric")["mean"]
    assert found.to_dict() == {("dqn_rr2", 500): 3.0, ("dqn_rr2", 600): 4.0}


def test_what_was_not_measured_by_then_is_left_out(sweep):
    add(sweep, "redo_rr2", 1000, "dormant_fraction_after/0.1", lambda seed: 0.1)
    found = ends(sweep).xs("dormant_fraction_after/0.1", level="metric")["mean"]
    assert found.to_dict() == pytest.approx({("redo_rr2", 1000): 0.1})


def test_ends_that_are_all_but_equal_are_the_earliest_of_them(sweep):
    add(sweep, "dqn_rr2", 525, "dormant_fraction/0.1", lambda seed: 0.7)
    add(sweep, "redo_rr2", 526, "dormant_fraction/0.1", lambda seed: 0.7)
    assert set(ends(sweep).loc["dqn_rr2"].index.get_level_values(0)) == {500}
    assert set(ends(sweep).loc["redo_rr2"].index.get_level_values(0)) == {500, 526}


def test_the_interval_of_a_fraction_ends_at_0(sweep):
    add(sweep, "dqn_rr1", 500, "dormant_fraction_after/0.1", lambda seed: 0.1 * seed)
    add(sweep, "dqn_rr1", 500, "largest_q", lambda seed: 0.1 * seed)
    found = ends(sweep).loc["dqn_rr1", 500]
    assert found.loc["dormant_fraction_after/0.1", "low"] == 0
    assert found.loc["largest_q", "low"] == pytest.approx(0.1 - 0.248414, abs=1e-6)


def test_only_finished_runs_count(sweep):
    sweep.write_run("dqn_rr1", "Pong", 2, 0.9, state="stopped")
    assert set(ends(sweep).loc["dqn_rr1", "runs"]) == {2}
    for seed in (0, 1):
        sweep.write_run("dqn_rr1", "Pong", seed, 0.9, state="stopped")
    assert "dqn_rr1" not in ends(sweep).index


def test_the_report_has_them_as_a_file_and_on_the_page_of_games(sweep):
    page = write_report(sweep.root, 50)
    file = pd.read_csv(page.with_name("ends.csv"))
    assert list(file.columns) == curves.ENDS
    assert len(file) == 4 * 2  # Arms, and the return and the dormant fraction of each.
    games = page.with_name("games.html").read_text()
    assert "Where each arm ended" in games
    assert "dormant at τ = 0.1" in games
    assert 'href="ends.csv"' in games
    row = tables.where_arms_ended(analysis.analyze(sweep.root, repeats=50)).frame.iloc[
        0
    ]
    assert (row.name, row["gradient steps"]) == ("DQN, RR 1", "500")
    assert row["dormant at τ = 0.1"].startswith("0.305 [0.293, 0.317] (n = 3)")


def test_what_was_not_measured_is_a_dash_on_the_page(sweep):
    add(sweep, "dqn_rr1", 500, "largest_q", lambda seed: 2.0)
    page = write_report(sweep.root, 50).with_name("games.html").read_text()
    section = page.split("Where each arm ended</h")[1].split("</table>")[0]
    assert "nan" not in section.lower()
    assert section.count("<td>–</td>") == 3  # Of the arms without largest Q.
    assert '<th scope="row">DQN, RR 1</th>' in section
