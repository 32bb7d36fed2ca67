"""What the README says is so."""

import re
from pathlib import Path

import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import documents, runs, shell
from redo_dopamine import training
from redo_dopamine.config import registry
from redo_dopamine.rundir import operative
from redo_dopamine.tools import catalogue

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


PROGRAMS = ("make", "pip", "source", "redo-train", "redo-dopamine", "python")


TRAINING = (ROOT / "docs" / "training.md").read_text()


def blocks(language, page=README):
    return [block.text for block in documents.blocks(page, language)]


def test_the_example_of_your_own_network_recycles():
    [example] = blocks("python")
    scope = {}
    exec(example, scope)
    activations = scope["activations"]["Dense_0"]
    dormant = int(jnp.sum(activations[0] == 0))  # All states of the example are alike.
    assert dormant > 0
    assert int(scope["metrics"]["recycled/Dense_0"]) >= dormant
    fresh = scope["draw_params"](jax.random.PRNGKey(1000))
    silent = np.asarray(activations[0] == 0)
    kernel = scope["params"]["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(
        kernel[:, silent], fresh["params"]["Dense_0"]["kernel"][:, silent]
    )


def test_the_settings_shown_are_those_of_the_config(clean_gin):
    [listing] = [b for b in blocks("gin", TRAINING) if "redo.tau" in b]
    lines = [line.partition("#")[0] for line in listing.splitlines()[2:]]
    runs.configure_run("dqn_redo.gin", ())
    shipped = operative.parse_settings(gin.config_str(max_line_length=10**6))
    gin.clear_config()
    gin.parse_config("import redo_dopamine.config.registry\n" + "\n".join(lines))
    shown = operative.parse_settings(gin.config_str(max_line_length=10**6))
    assert len(shown) == 10
    assert {name: shipped.get(name) for name in shown} == shown


def test_the_combination_it_shows_is_one(clean_gin, tmp_path):
    [listing] = [b for b in blocks("gin", TRAINING) if "fixed_budget.select" in b]
    lines = [line.partition("#")[0] for line in listing.splitlines()[2:]]
    small = ("NatureNetwork.width = 0.25", "ImpalaNetwork.width = 0.0625")
    runs.configure_run("dqn.gin", (*lines, *small))
    agent = training.build_runner(str(tmp_path)).agent
    assert type(agent.network_def).__name__ == "ImpalaNetwork"
    assert agent.network_def.activation(-1.0) == pytest.approx(-0.01)
    assert agent.network_def.normalize is not None
    assert type(agent.optimizer_state[0]).__name__ == "L2ToInitState"


def test_its_commands_are_ones(clean_gin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Launchers write down what was asked for.
    listings = [x for x in blocks("") if x.startswith(PROGRAMS)]
    assert len(listings) >= 3
    for words in (words for x in listings for words in shell.commands(x)):
        shell.check(words)


def test_the_files_it_names_are_there():
    for name in re.findall(r"`(\w+\.gin)`", README):
        assert name == "config.gin" or (ROOT / "gin_configs" / name).is_file()
    for path in re.findall(r"\]\((docs/[^)#]+)", README):
        assert (ROOT / path).is_file()


def test_the_catalogues_table_is_what_its_command_prints():
    page = (ROOT / "docs" / "catalogue.md").read_text()
    begin, end = "<!-- catalogue -->\n", "<!-- end of catalogue -->"
    shown = page[page.index(begin) + len(begin) : page.index(end)]
    assert shown == catalogue.table()
    offer = len(registry.AGENTS) + len(registry.NETWORKS)
    assert shown.count("\n") > offer + len(registry.INTERVENTIONS)


def test_the_three_settings_of_redo_are_those_of_the_config():
    [listing] = [b for b in blocks("") if "\nredo.tau" in b]
    shown = {line.partition("#")[0].rstrip() for line in listing.splitlines()}
    shipped = (ROOT / "gin_configs" / "dqn_redo.gin").read_text()
    found = {line.partition("#")[0].rstrip() for line in shipped.splitlines()}
    assert shown <= found


def test_it_is_read_in_a_few_minutes():
    assert len(README.encode()) <= 9_000


@pytest.mark.parametrize(
    "name", re.findall(r"`(@?[\w.]+)` \|", catalogue.table()), ids=str
)
def test_gin_knows_every_name_of_the_catalogue(name, clean_gin):
    gin.parse_config(f"create_agent.debug_mode = @{name.removeprefix('@')}")
    selector = name.removeprefix("@").rpartition(".")[2]
    assert gin.query_parameter("create_agent.debug_mode").selector.endswith(selector)
