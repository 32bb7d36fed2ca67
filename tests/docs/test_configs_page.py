"""docs/configs.md says of every gin file that ships what is in it."""

import re

import gin
import pytest

from helpers import documents, runs
from redo_dopamine.config import load

PAGE = (documents.ROOT / "docs" / "configs.md").read_text()
INCLUDE = re.compile(r"^include '(.+)'", re.MULTILINE)


def rows():
    """The cells beside each file's name."""
    cells = [[x.strip("`") for x in row] for row in documents.tables(PAGE)]
    found = {name: rest for name, *rest in cells if name.endswith(".gin")}
    assert len(found) == len([row for row in cells if row[0].endswith(".gin")])
    return found


def test_it_has_every_file_that_ships_and_no_other():
    assert sorted(rows()) == load.shipped_configs()


@pytest.mark.parametrize("name", load.shipped_configs())
def test_a_row_is_what_the_file_does(name, clean_gin):
    includes, intervention, length, what = rows()[name]
    included = INCLUDE.findall((load.CONFIG_DIR / name).read_text())
    assert [includes] == (included or ["–"])
    runs.configure_run(name, ())
    agents = [
        *("RecycledDQNAgent", "RecycledDrQEpsAgent"),
        *("RecycledPPOAgent", "RecycledSACAgent", "RecycledRainbowAgent"),
        *("RecycledFullRainbowAgent", "RecycledQuantileAgent"),
        "RecycledImplicitQuantileAgent",
    ]
    [bound] = {load.bound(f"{x}.intervention") for x in agents} - {None}
    assert intervention == str(bound).removesuffix("()")
    steps = gin.query_parameter("Runner.training_steps")
    assert length == f"{gin.query_parameter('Runner.num_iterations') * steps:,}"
    assert len(what) > 10


def test_a_threshold_that_it_gives_is_the_files(clean_gin):
    given = {
        name: re.search(r"τ = ([\d.]+)", row[-1])[1]
        for name, row in rows().items()
        if "τ = " in row[-1]
    }
    assert len(given) > 5
    for name, tau in given.items():
        runs.configure_run(name, ())
        assert gin.query_parameter("redo.tau") == float(tau.rstrip("."))


def test_the_periods_of_the_target_network_are_2000_gradient_steps():
    pairs = [row for row in documents.tables(PAGE) if len(row) == 2]
    assert len(pairs) == 4
    for ratio, period in pairs:
        assert float(ratio) * int(period.replace(",", "")) == 2000
