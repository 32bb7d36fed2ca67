"""Every page of docs/: its code is run, its links lead somewhere."""

import functools
import re

import gin
import pytest

from helpers import documents, runs, shell
from redo_dopamine import errors
from redo_dopamine.config import load
from redo_dopamine.launch.slurm import options as slurm_options
from redo_dopamine.launch.slurm import submit

ROOT = documents.ROOT
# docs/api.md is docstrings, which have tests of their own.
PAGES = sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "api.md"})


@functools.cache
def scope_of(page):
    """What a page's Python defines, run once."""
    return documents.run_python(page, {"__name__": page.stem})


pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def elsewhere(clean_gin, tmp_path, monkeypatch):
    """No page may need the directory of the checkout, or leave anything in it."""
    monkeypatch.chdir(tmp_path)


def test_the_pages_are_there():
    names = {page.stem for page in PAGES}
    assert names == {
        *("README", "getting_started", "your_own_network", "metrics", "configs"),
        *("studies", "cluster", "claims", "released_code", "faq"),
        *("laptop", "causes", "training", "catalogue", "determinism", "methods"),
        *("with_cleanrl", "with_purejaxrl", "with_equinox", "with_nnx", "with_haiku"),
        *("tracing", "migrating", "gpu", "does_redo_work"),
    }


@pages
def test_every_block_is_of_a_language_that_is_run(page):
    found = documents.blocks(page.read_text())
    assert {block.language for block in found} <= {"python", "gin", "sh"}
    assert page.read_text().count("\n```") == 2 * len(found), "a fence is not closed"


@pages
def test_its_python_runs(page):
    assert scope_of(page)


@pages
def test_its_shell_commands_are_read_by_their_parsers(page, capsys):
    for block in documents.blocks(page.read_text(), "sh"):
        words = shell.commands(block.text)
        assert words, f"nothing in the block at line {block.line}"
        for command in words:
            shell.check(command)


@pages
def test_its_gin_files_load(page, tmp_path):
    for block in documents.blocks(page.read_text(), "gin"):
        file = tmp_path / "mine.gin"
        file.write_text(block.text)
        gin.clear_config()
        load.load_gin_configs([str(file)], [])
        assert "include" in block.text  # Else it is no whole configuration.


@pages
def test_its_links_lead_somewhere(page):
    for target, fragment in documents.links(page):
        assert target.exists(), f"{page.name} links to {target}"
        if fragment:
            assert fragment in documents.anchors(target), f"{target}#{fragment}"


@pages
def test_its_lines_are_short(page):
    for number, line in enumerate(page.read_text().splitlines(), 1):
        free = (
            line.startswith(("|", "![")) or "](http" in line or line.startswith("- [")
        )
        assert free or len(line) <= 90, f"line {number} has {len(line)} characters"


def test_the_index_has_every_page_and_picture():
    index = ROOT / "docs" / "README.md"
    linked = {target.name for target, _ in documents.links(index)}
    others = {page.name for page in PAGES} - {"README.md"}
    assert others | {"inspect_a_run.ipynb"} <= linked
    main = ROOT / "README.md"
    assert index in {target for target, _ in documents.links(main)}


def test_your_own_network_needs_the_jax_family_alone():
    page = (ROOT / "docs" / "your_own_network.md").read_text()
    page = page.partition("## With the agents")[0]
    source = "".join(block.text for block in documents.blocks(page, "python"))
    imported = set(re.findall(r"^(?:from|import) ([\w.]+)", source, re.MULTILINE))
    ours = {x for x in imported if x.startswith("redo_dopamine")}
    assert {x.split(".")[1] for x in ours if "." in x} == {"core"}
    assert {x.split(".")[0] for x in imported - ours} <= {"jax", "flax", "optax"}


def test_the_network_of_the_page_trains_with_an_agent(tmp_path):
    page = ROOT / "docs" / "your_own_network.md"
    scope = scope_of(page)
    more = ("JaxDQNAgent.network = @MyNetwork", "Runner.num_iterations = 1")
    try:
        run = runs.run(tmp_path / "run", bindings=(*runs.TINY_REDO, *more))
    finally:
        with gin.unlock_config():
            gin.clear_config()
    names = {row["name"] for row in runs.metrics(run)}
    layers = {layer.name for layer in scope["graph"].layers}
    assert {f"dormant_fraction/0.1/{x}" for x in layers} <= names
    assert {f"recycled/{x}" for x in layers} <= names


def test_the_exit_statuses_of_the_faq_are_all_there_are():
    page = (ROOT / "docs" / "faq.md").read_text()
    shown = {int(row[0]) for row in documents.tables(page) if row[0].isdecimal()}
    known = vars(errors).values()
    assert shown == {value for value in known if isinstance(value, int)}


def test_the_defaults_of_the_cluster_page_are_those_of_the_launcher():
    page = (ROOT / "docs" / "cluster.md").read_text()
    options = submit._parser().parse_args(["--study=x", "--base_dir=y", "--scale=1"])
    request = slurm_options.request(options)
    shown = {x[0].strip("`"): x[1] for x in documents.tables(page) if len(x) == 3}
    assert slurm_options.parse_time(shown["--time"]) == request.minutes
    numbers = int(shown["--cpus"]), int(shown["--gpus"])
    assert numbers == (request.cpus, request.gpus)
    assert shown["--mem"] == request.memory
