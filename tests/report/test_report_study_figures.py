"""What a study's figures draw: colors by series, places on the axis, the paper."""

import dataclasses

import pytest
from matplotlib.colors import to_hex

from redo_dopamine.report import style
from redo_dopamine.report.study import analysis, figures, points
from redo_dopamine.studies import spec
from redo_dopamine.studies.study import PaperDormancy, PaperScore
from report.study_factory import Factory, bar_arms, draw, noisy, paper_values


@pytest.fixture(scope="module")
def ratios(tmp_path_factory):
    root = tmp_path_factory.mktemp("study") / "replay_ratio"
    dormant = [{"arm": "dqn_rr1", "game": "Pong", "low": 47, "high": 54, "tau": 0.1}]
    factory = Factory(
        root, seeds=[0, 1], paper=paper_values(), paper_dormant_percent=dormant
    )
    factory.write_all(noisy)
    return analysis.analyze(root, 20)


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    root = tmp_path_factory.mktemp("study") / "baselines"
    factory = Factory(root, arms=bar_arms(), seeds=[0, 1], scale=1.0)
    factory.write_all(noisy)
    return analysis.analyze(root, 20)


def test_a_series_has_one_color_in_every_figure(ratios):
    for slug in ("sample_efficiency", "dormant_fraction"):
        figure = draw(ratios, slug)
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == [f"replay ratio {x}" for x in ("0.25", "0.5", "1", "2")]
        for axes in figure.axes:
            curves = [line for line in axes.lines if line.get_gid() == "curve"]
            assert [x.get_color() for x in curves] == list(style.COLORS[:2])
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names == ["DQN", "DQN + ReDo"]


def test_the_headline_stands_on_doublings_beside_the_paper(ratios):
    figure = draw(ratios, "headline")
    # Ours are some hundredths, the paper's up to .6, so ours are drawn again alone.
    both, alone = figure.axes
    assert both.xaxis.get_majorticklocs().tolist() == [-2, -1, 0, 1]
    marks = [text.get_text() for text in both.get_xticklabels()]
    assert marks == ["0.25", "0.5", "1", "2"]
    hollow = [x for x in both.lines if x.get_markerfacecolor() == "white"]
    assert [x.get_ydata().tolist() for x in hollow] == [
        [0.41, 0.475, 0.30, 0.09],
        [0.40, 0.57, 0.625, 0.54],
    ]
    assert [x.get_color() for x in hollow] == list(style.COLORS[:2])
    assert not [x for x in alone.lines if x.get_markerfacecolor() == "white"]
    assert figure.get_suptitle().endswith(
        "8,000 frames instead of 10,000,000 (scale 0.0008)"
    )


def test_arms_without_a_place_are_bars(bars):
    figure = draw(bars, "headline")
    (axes,) = figure.axes
    colors = [to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
    # A method has one color in every study: resets green, ReDo vermilion.
    assert colors == ["#0072B2", "#009E73", "#CC79A7", "#D55E00"]
    heights = [bar.get_height() for bar in axes.patches]
    expected = [float(bars.aggregates[a.name]["iqm"].value) for a in bars.study.arms]
    assert heights == pytest.approx(expected)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["DQN", "reset", "weight decay", "ReDo"]
    assert "instead of" not in figure.get_suptitle()


def test_final_dormancy_has_a_panel_for_the_papers_game(ratios):
    figure = draw(ratios, "dormant_at_the_end")
    every, pong = figure.axes
    assert [every.get_title(), pong.get_title()] == ["all games", "Pong only"]
    [paper] = [line for line in pong.lines if line.get_gid() == "paper"]
    assert list(paper.get_ydata()) == [0.47, 0.54]
    means = [line for line in pong.lines if line.get_gid() == "ours"]
    # .3 and .05 at the end, and half a hundredth more for seed 1.
    assert means[0].get_ydata() == pytest.approx([0.3025] * 4)
    assert means[1].get_ydata() == pytest.approx([0.0525] * 4)


def test_a_papers_value_before_its_end_says_when(ratios):
    value = PaperDormancy("dqn_rr1", "Pong", 26, 30, 0.1, 40_000_000)
    study = dataclasses.replace(ratios.study, paper_dormancy=(value,))
    figure = draw(dataclasses.replace(ratios, study=study), "dormant_at_the_end")
    assert figure.axes[1].get_title().endswith("(the paper: after 40,000,000 frames)")


@pytest.mark.parametrize(
    ("tau", "shown"), [(0.1, True), (0.0, False), (0.025, False), (None, False)]
)
def test_a_papers_value_stands_only_on_an_axis_of_its_own_tau(ratios, tau, shown):
    value = PaperDormancy("dqn_rr1", "Pong", 26, 95, tau)
    study = dataclasses.replace(ratios.study, paper_dormancy=(value,))
    figure = draw(dataclasses.replace(ratios, study=study), "dormant_at_the_end")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["all games", "Pong only"][: 1 + shown]
    drawn = [x for axes in figure.axes for x in axes.lines if x.get_gid() == "paper"]
    assert len(drawn) == shown
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("the paper's range" in labels) == shown
    assert (figure.axes[0].get_ylim()[1] > 0.9) == shown


def test_places_that_are_no_doublings_are_a_step_apart(ratios):
    arms = [
        dataclasses.replace(arm, x=x)
        for arm, x in zip(ratios.study.arms[:3], (0.0, 0.01, 0.1), strict=True)
    ]
    study = dataclasses.replace(ratios.study, arms=tuple(arms))
    assert not points.is_doubling(study)
    assert [points.place(study, arm) for arm in arms] == [0, 1, 2]


def test_improvement_compares_series_at_the_same_place(ratios, bars):
    def pairs(found):
        return list(zip(found["arm"], found["over"], strict=True))

    expected = [(f"redo_rr{x}", f"dqn_rr{x}") for x in ("0.25", "0.5", "1", "2")]
    assert pairs(ratios.improvements) == expected
    expected = [(name, "none") for name in ("reset", "decay", "redo")]
    assert pairs(bars.improvements) == expected
    table = ratios.comparisons()
    assert pairs(table) == pairs(ratios.improvements)
    assert table["p"].between(0, 1).all()
    assert (table["low"] <= table["probability"]).all()
    assert (table["probability"] <= table["high"]).all()
    labels = draw(ratios, "probability_of_improvement").axes[0].get_yticklabels()
    assert labels[0].get_text().startswith("DQN + ReDo, RR 0.25  >  DQN, RR 0.25\np = ")


def test_a_caption_is_of_the_paper_only_where_its_numbers_are_there(tmp_path):
    factory = Factory(tmp_path)
    factory.write_study()
    study = spec.load(tmp_path)
    rows = (*figures._SCORED, *figures._BY_EPOCH, *figures.GAMES)
    assert not [row.slug for row in rows if "paper" in row.caption_of(study)]
    there = dataclasses.replace(study, paper=(PaperScore("dqn_rr1", 0.4),))
    [headline] = [row for row in rows if row.slug == "headline"]
    assert headline.caption_of(there).endswith("where it gives them.")
