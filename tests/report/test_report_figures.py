"""What is drawn: labels, one curve per run, recycle marks, colors."""

import pytest
from matplotlib.figure import Figure

from redo_dopamine.report import load_run, run_page, style
from report.conftest import draw

ALL = [figure.slug for figure in run_page.FIGURES]


def drawn(figure, gid):
    """Returns the lines with this gid in each panel."""
    return [[x for x in axes.lines if x.get_gid() == gid] for axes in figure.axes]


@pytest.fixture
def runs(make_run):
    plain = "".join(
        f"0,{i},{i},{name},0.5\n"
        for i in (1, 2)
        for name in ("dormant_fraction/0.1", "dormant_fraction/0.1/Conv_0", "loss")
    )
    return [load_run(make_run("redo")), load_run(make_run("plain", body=plain))]


@pytest.mark.parametrize("slug", ALL)
def test_axes_and_runs_are_named(slug, runs):
    figure = draw(runs, slug)
    assert isinstance(figure, Figure)
    expected = run_page.FRAMES if slug == "return" else "gradient steps"
    for axes in figure.axes:
        assert axes.get_xlabel() == expected
        assert axes.get_ylabel()
    (legend,) = figure.legends
    names = [label.get_text() for label in legend.get_texts()]
    assert names[:2] == ["redo", "plain"]


@pytest.mark.parametrize("slug", ALL)
def test_nothing_recorded_is_no_figure(slug, make_run):
    assert draw([load_run(make_run(body=""))], slug) is None


def test_dormant_fraction_has_a_panel_per_threshold(runs):
    figure = draw(runs, "dormant_fraction")
    assert [axes.get_title() for axes in figure.axes] == ["τ = 0", "τ = 0.1"]
    # The second run has no measurement at 0.
    assert [len(lines) for lines in drawn(figure, "curve")] == [1, 2]
    assert drawn(figure, "curve")[1][0].get_ydata().tolist() == [
        0.3,
        0.5,
        0.1,
        0.3,
        0.2,
    ]


def test_recycles_that_changed_something_are_marked(runs):
    for lines in drawn(draw(runs, "dormant_fraction"), "recycle"):
        assert [line.get_xdata()[0] for line in lines] == [10, 20]


def test_shared_recycles_are_drawn_once_in_grey(make_run):
    pair = [load_run(make_run("a")), load_run(make_run("b"))]
    lines = drawn(draw(pair, "dormant_fraction"), "recycle")[0]
    assert [line.get_color() for line in lines] == [style.SHARED, style.SHARED]


def test_many_recycles_become_one_row_of_triangles(make_run):
    body = "".join(
        f"0,{i},{i},dormant_fraction/0.1,0.5\n0,{i},{i},recycled/Conv_0,1\n"
        for i in range(style.MAX_RECYCLE_LINES + 1)
    )
    figure = draw([load_run(make_run(body=body))], "dormant_fraction")
    ((rug,),) = drawn(figure, "recycle")
    assert rug.get_marker() == "^"
    assert len(rug.get_xdata()) == style.MAX_RECYCLE_LINES + 1
    # It lies below 0, where it hides no curve.
    (axes,) = figure.axes
    bottom, top = axes.get_ylim()
    assert bottom + max(rug.get_ydata()) * (top - bottom) < 0


def test_per_layer_uses_the_largest_threshold(runs):
    figure = draw(runs, "dormant_fraction_per_layer")
    assert [axes.get_title() for axes in figure.axes] == ["Conv_0", "Dense_0"]
    assert [len(lines) for lines in drawn(figure, "curve")] == [2, 1]
    assert {axes.get_ylabel() for axes in figure.axes} == {
        "fraction of neurons, τ = 0.1"
    }


def test_recycled_per_layer_draws_the_counts(runs):
    figure = draw(runs, "recycled_per_layer")
    ((conv,), (dense,)) = drawn(figure, "curve")
    assert conv.get_xdata().tolist() == [10, 20, 30]
    assert conv.get_ydata().tolist() == [4, 1, 0]
    assert dense.get_ydata().tolist() == [6, 0, 0]


def test_returns_draw_episodes_mean_and_averages(runs):
    figure = draw(runs, "return")
    (episodes,) = drawn(figure, "episodes")[0]
    assert episodes.get_xdata().tolist() == [480, 680]
    (mean,) = drawn(figure, "running_mean")[0]
    assert mean.get_ydata().tolist() == [10.0, 20.0]
    (train,) = drawn(figure, "train")[0]
    assert train.get_ydata().tolist() == [10.0, 30.0]
    (evaluation,) = drawn(figure, "eval")[0]
    assert evaluation.get_ydata().tolist() == [11.0]


def test_fractions_start_at_zero_and_stay_below_one(runs):
    for slug in ("dormant_fraction", "overlap_per_layer"):
        for axes in draw(runs, slug).axes:
            bottom, top = axes.get_ylim()
            assert -0.03 < bottom <= 0
            assert 0.5 < top <= 1.03


def test_a_run_has_one_color_in_every_figure(runs):
    for slug in ("dormant_fraction_per_layer", "loss"):
        gid = "running_mean" if slug == "loss" else "curve"
        first, second = drawn(draw(runs, slug), gid)[0]
        assert first.get_color() == style.COLORS[0]
        assert second.get_color() == style.COLORS[1]


def test_more_runs_than_colors_differ_by_line_style():
    looks = [tuple(style.look(i).values()) for i in range(4 * len(style.COLORS))]
    assert len(set(looks)) == len(looks)


def test_dollars_in_names_start_no_formula(make_run):
    figure = draw([load_run(make_run("_a$x_1$"))], "loss")
    figure.canvas.draw()
    (label,) = figure.legends[0].get_texts()
    assert label.get_text() == r"_a\$x_1\$"


@pytest.mark.parametrize(
    ("environment", "label", "last"),
    [
        ("create_atari_environment", run_page.FRAMES, 1040),
        ("create_minatar_environment", "agent steps", 260),
        ("create_control_environment", "agent steps", 260),
    ],
)
def test_returns_are_against_what_an_agent_step_is(make_run, environment, label, last):
    path = make_run(body="2,260,40,train/average_return,1.0\n")
    (path / "config.gin").write_text(f"Runner.create_environment_fn = @{environment}\n")
    [axes] = draw([load_run(path)], "return").axes
    assert axes.get_xlabel() == label
    assert [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata())] == [
        last
    ]
