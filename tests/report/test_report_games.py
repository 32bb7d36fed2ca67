"""Curves by game: which lines and bands they hold, and where there are none."""

import pytest

from redo_dopamine.report.study import analysis, figures
from report.study_factory import Factory, bar_arms, draw, noisy, replay_ratio_arms


def of(root, arms, games=("Pong", "Qbert"), level=noisy):
    factory = Factory(root / "study", arms, games)
    factory.write_all(level)
    return factory


def drawn(figure, gid):
    return {
        axes.get_title(): [
            artist
            for artist in (*axes.lines, *axes.collections)
            if artist.get_gid() == gid
        ]
        for axes in figure.axes
    }


@pytest.mark.parametrize("row", figures.GAMES, ids=lambda figure: figure.slug)
def test_a_panel_is_a_game_and_a_line_an_arm(tmp_path, row):
    factory = of(tmp_path, bar_arms())
    factory.write_run("redo", "Qbert", 0, 0.1, state="running")
    for seed in (1, 2):
        factory.write_run("redo", "Qbert", seed, 0.1, state="failed")
    figure = row.draw(analysis.analyze(factory.root, 20))
    lines, bands = drawn(figure, "curve"), drawn(figure, "interval")
    assert {game: len(of_game) for game, of_game in lines.items()} == {
        "Pong": 4,
        "Qbert": 3,
    }
    assert {game: len(of_game) for game, of_game in bands.items()} == {
        "Pong": 4,
        "Qbert": 3,
    }


def test_a_band_is_students_interval(tmp_path):
    factory = of(tmp_path, bar_arms(), ("Pong",))
    figure = draw(analysis.analyze(factory.root, 20), "games_dormant")
    # Of the last measurement: 0.3, and 0.005 for each of seeds 0 to 2, so that s is
    # 0.005: 4.302653 · 0.005 / √3 to either side.
    [[line, *_]] = drawn(figure, "curve").values()
    assert line.get_ydata()[-1] == pytest.approx(0.305)
    [[band, *_]] = drawn(figure, "interval").values()
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(0.305 + 0.012421, abs=1e-6)


def test_many_arms_have_no_bands(tmp_path):
    factory = of(tmp_path, replay_ratio_arms((0.25, 1, 2)))
    figure = draw(analysis.analyze(factory.root, 20), "games_dormant")
    assert [len(of_game) for of_game in drawn(figure, "curve").values()] == [6, 6]
    assert [len(of_game) for of_game in drawn(figure, "interval").values()] == [0, 0]


@pytest.mark.parametrize("row", figures.GAMES, ids=lambda figure: figure.slug)
def test_no_finished_run_no_figure(tmp_path, row):
    factory = Factory(tmp_path / "study", bar_arms())
    factory.write_study()
    assert row.draw(analysis.analyze(factory.root, 20)) is None
