"""What somebody has put into a run's directory: shown or missed, never a traceback."""

import os

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import find_runs, load_run, write_report
from report.conftest import draw

ROWS = "iteration,agent_step,gradient_step,name,value\n0,4,1,loss,0.5\n"
INFOS = [
    *("", "null", "[]", "[" * 100_000, '{"a":' * 100_000, '{"game": "\\ud800"}'),
    '{"game": ["a"], "seed": {}, "command": 3, "versions": [1], "git": 1, "end": []}',
    '{"game": {"a": 1}, "agent": [], "versions": {"a": []}, "git": {"commit": {}}}',
]


@pytest.mark.parametrize("info", INFOS)
def test_a_run_json_of_any_content(info, tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    (tmp_path / "run.json").write_text(info)
    assert write_report(tmp_path).exists()


def test_a_run_whose_name_is_no_text(tmp_path):
    run = os.fsencode(tmp_path / "run") + b"\xff"
    os.mkdir(run)
    with open(run + b"/metrics.csv", "w") as file:
        file.write(ROWS)
    assert "run\\udcff" in write_report(tmp_path).read_text()


def test_a_report_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="must be an ordinary directory, but is a link"):
        write_report(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("call", [write_report, find_runs, load_run])
@pytest.mark.parametrize("path", ["", " ", "x" * 5_000, "a\0b", "~nobody-here/x"])
def test_a_path_that_is_none(call, path):
    with pytest.raises(UserError, match=r"^(base_dir|path) (must be|must name|begins)"):
        call(path)


@pytest.mark.parametrize("repeats", [float("nan"), 1.5, True, "5", None, 0, -1])
def test_a_number_of_draws_that_is_none(repeats, tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    with pytest.raises(UserError, match="bootstrap_repeats must be a whole number"):
        write_report(tmp_path, repeats)


def test_of_very_many_layers_the_first_are_drawn(tmp_path):
    layers = "".join(f"1,9,9,dormant_fraction/0.1/L{i},0.5\n" for i in range(50))
    (tmp_path / "metrics.csv").write_text(
        f"{ROWS}1,9,9,dormant_fraction/0.1,0.5\n{layers}"
    )
    [run] = find_runs(tmp_path)
    figure = draw([run], "dormant_fraction_per_layer")
    assert "the first 40 of 50" in figure.get_suptitle()
