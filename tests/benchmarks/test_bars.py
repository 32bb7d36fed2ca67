import json

import pytest

from benchmarks import __main__ as command
from benchmarks import measuring, table
from benchmarks.measuring import Bar, alternate

ROUNDS = [(2.0, 30.0), (3.0, 10.0), (1.0, 20.0)]  # Medians 2 and 20.


def bar(direction=">=", bound=10, ratio_of="peer / ours", rounds=ROUNDS):
    return Bar("sample", "a batch", "ms", rounds, ratio_of, direction, bound)


@pytest.mark.parametrize(
    ("direction", "bound", "ratio_of", "passed"),
    [
        (">=", 10, "peer / ours", True),
        (">=", 10.1, "peer / ours", False),
        ("<=", 10, "peer / ours", True),
        ("<=", 9.9, "peer / ours", False),
        (">=", 0.1, "ours / peer", True),
        (">=", 0.11, "ours / peer", False),
        ("<=", 0.1, "ours / peer", True),
        ("<=", 0.09, "ours / peer", False),
    ],
)
def test_a_bar_holds_on_its_own_side(direction, bound, ratio_of, passed):
    assert bar(direction, bound, ratio_of).passed is passed


def test_a_ratio_is_of_the_medians():
    assert bar().ratio == 10
    assert bar(ratio_of="ours / peer").ratio == 0.1
    assert bar(rounds=[(1.0, 1.0), (3.0, 4.0)]).ratio == 1.25


def test_a_result_holds_its_rounds_and_verdict():
    result = json.loads(json.dumps(bar().as_json()))
    assert (result["ours"], result["peer"], result["ratio"]) == (2, 20, 10)
    assert result["passed"] is True
    assert result["rounds"][0] == {"ours": 2, "peer": 30}


def test_turns_alternate():
    calls = []

    def turn(name, value):
        return lambda: calls.append(name) or value

    assert alternate(turn("ours", 1), turn("peer", 2), 2) == [(1, 2), (1, 2)]
    assert calls == ["ours", "peer", "ours", "peer"]


def family(name, **settings):
    machine = {
        "date": "2026-01-01",
        "cpu_count": 2,
        "cpu_model": "A",
        "python": "3.11",
        "jax": "0.6",
        "dopamine": "4.1",
    }
    return {name: {"machine": machine, "bars": [bar(**settings).as_json()]}}


def test_families_that_did_not_run_are_kept():
    old = {"families": family("replay") | family("recycle")}
    new = family("replay", bound=11)
    kept = measuring.merged(old, new)["families"]
    assert list(kept) == ["recycle", "replay"]  # In the order of the list.
    assert kept["recycle"] == old["families"]["recycle"]
    assert kept["replay"] == new["replay"]


def test_they_are_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    command._save(family("replay"))
    command._save(family("memory"))
    saved = json.loads((tmp_path / "results.json").read_text())
    assert saved == {"families": family("replay") | family("memory")}


def test_the_table_marks_what_passes_and_what_falls_short():
    results = {"families": family("replay", bound=3) | family("memory", bound=21)}
    shown = table.render(results)
    assert (
        "| sample | a batch | 2 ms | 20 ms | 10.00 | peer / ours ≥ 3 | passes |\n"
        "| sample | a batch | 2 ms | 20 ms | 10.00 | peer / ours ≥ 21 "
        "| **falls short** |\n"
    ) in shown
    assert shown.count("2 cores (A)") == 1  # One machine, said once.


@pytest.mark.parametrize(
    ("bound", "mark"),
    [
        (3, "passes"),  # The rounds' own ratios: 15, 3.3 and 20.
        (10, "passes in 2 of 3 rounds"),
        (11, "at its bar: **falls short** in 1 of 3 rounds"),
        (21, "**falls short**"),
    ],
)
def test_a_mark_says_where_rounds_differ(bound, mark):
    assert table.row(bar(bound=bound).as_json()).endswith(f"| {mark} |\n")


def test_half_a_percent_can_be_read():
    shown = table.row(
        bar("<=", 1.005, "ours / peer", [(1.0062, 1.0)]).as_json(),
    )
    assert "| 1.0062 |" in shown
    assert "≤ 1.005 | **falls short** |" in shown


def test_only_what_stands_between_the_marks_changes(tmp_path):
    readme = tmp_path / "README.md"
    before, after = "# Title\n\n| a | table |\n\n", "\n## More\nß\n"
    readme.write_text(f"{before}{table.BEGIN}\nold\n{table.END}{after}", "utf-8")
    for text in ("| new |\n", "| newer |\n"):
        table.write(readme, text)
        expected = f"{before}{table.BEGIN}\n{text}{table.END}{after}"
        assert readme.read_text("utf-8") == expected


@pytest.mark.parametrize(
    "text", ["", table.BEGIN, f"{table.END}\n{table.BEGIN}", table.BEGIN * 2]
)
def test_a_file_without_the_marks_is_left_alone(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match="bench:begin"):
        table.write(readme, "| new |\n")
    assert readme.read_text() == text


def test_every_family_is_a_module():
    for name in measuring.FAMILIES:
        assert (command.HERE / f"{name}.py").is_file()
    with pytest.raises(SystemExit, match="but not"):
        command._names("replay,reply")
