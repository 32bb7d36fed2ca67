"""Figures against gradient steps: what they hold, and where there are none."""

import numpy as np
import pytest

from redo_dopamine.report.study import analysis
from report.study_factory import Factory, bar_arms, draw, noisy, replay_ratio_arms


def add(path, name, values):
    """Write more rows of a metric, 100 gradient steps apart."""
    rows = [f"0,{400 * i},{100 * i},{name},{x}" for i, x in enumerate(values, 1)]
    with (path / "metrics.csv").open("a") as file:
        file.write("\n".join(rows) + "\n")


@pytest.fixture
def sweep(tmp_path):
    made = Factory(tmp_path / "study", replay_ratio_arms((1, 2)), ("Pong",))
    made.write_all(noisy)
    return made


def of(factory):
    return analysis.analyze(factory.root, repeats=50)


def curves(figure):
    return [
        [line for line in axes.lines if line.get_gid() == "curve"]
        for axes in figure.axes
    ]


def test_a_panel_is_a_series_and_a_line_a_place(sweep):
    figure = draw(of(sweep), "dormant_by_gradient_step")
    assert [axes.get_title() for axes in figure.axes] == ["DQN", "DQN + ReDo"]
    lines = curves(figure)
    assert [len(of_panel) for of_panel in lines] == [2, 2]
    assert lines[0][0].get_color() == lines[1][0].get_color()
    assert lines[0][0].get_color() != lines[0][1].get_color()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["replay ratio 1", "replay ratio 2"]
    # Of the last measurement: 0.3, and 0.005 for each of seeds 0 to 2.
    assert lines[0][0].get_xdata()[-1] == 500
    assert lines[0][0].get_ydata()[-1] == pytest.approx(0.305)


def test_what_an_intervention_leaves_is_of_arms_that_have_one(sweep):
    found = of(sweep)
    assert draw(found, "dormant_after") is None
    for seed in (0, 1, 2):
        add(
            sweep.path("redo_rr2", "Pong", seed),
            "dormant_fraction_after/0.1",
            [0.2, 0.1 * seed],
        )
    figure = draw(of(sweep), "dormant_after")
    [[line]] = curves(figure)
    np.testing.assert_allclose(line.get_xydata(), [[100, 0.2], [200, 0.1]])
    assert figure.axes[0].get_ylim()[0] == 0


def test_the_largest_q_value(sweep):
    assert draw(of(sweep), "largest_q") is None
    add(sweep.path("dqn_rr1", "Pong", 0), "largest_q", [1.0, 3.0])
    add(sweep.path("dqn_rr1", "Pong", 1), "largest_q", [2.0, 5.0])
    [[line]] = curves(draw(of(sweep), "largest_q"))
    assert line.get_ydata().tolist() == [1.5, 4.0]


def test_without_an_axis_all_arms_share_a_panel(tmp_path):
    made = Factory(tmp_path / "study", bar_arms(), ("Pong",))
    made.write_all(noisy)
    figure = draw(of(made), "dormant_by_gradient_step")
    assert [len(of_panel) for of_panel in curves(figure)] == [4]
    assert len(figure.legends[0].get_texts()) == 4


def test_unfinished_runs_are_not_drawn(sweep):
    for seed in (0, 1, 2):
        sweep.write_run("redo_rr1", "Pong", seed, 0.1, state="running")
    figure = draw(of(sweep), "dormant_by_gradient_step")
    assert [len(of_panel) for of_panel in curves(figure)] == [2, 1]
