"""What the README says is so."""

import re
from pathlib import Path

import gin
import jax
import jax.numpy as jnp
import numpy as np

from helpers import runs
from redo_dopamine import config_diff

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in fences if name == language]


def test_the_example_of_your_own_network_recycles():
    [example] = blocks("python")
    scope = {}
    exec(example, scope)
    activations = scope["activations"]["hidden"]
    dormant = int(jnp.sum(activations[0] == 0))  # All states of the example are alike.
    assert dormant > 0
    assert int(scope["metrics"]["recycled/hidden"]) >= dormant
    fresh = scope["draw_params"](jax.random.PRNGKey(1000))
    silent = np.asarray(activations[0] == 0)
    kernel = scope["params"]["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(
        kernel[:, silent], fresh["params"]["Dense_0"]["kernel"][:, silent]
    )


def test_the_settings_shown_are_those_of_the_config(clean_gin):
    [listing] = [b for b in blocks("") if "redo.tau" in b]
    lines = [line.partition("#")[0] for line in listing.splitlines()]
    runs.configure_run("dqn_redo.gin", ())
    shipped = config_diff.parse_settings(gin.config_str(max_line_length=10**6))
    gin.clear_config()
    gin.parse_config("import redo_dopamine.configurables\n" + "\n".join(lines))
    shown = config_diff.parse_settings(gin.config_str(max_line_length=10**6))
    assert len(shown) == 10
    assert {name: shipped.get(name) for name in shown} == shown


def test_the_files_it_names_are_there():
    for name in re.findall(r"`(\w+\.gin)`", README):
        assert name == "config.gin" or (ROOT / "gin_configs" / name).is_file()
    for path in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / path).is_file()


def test_it_tells_of_every_gin_file():
    for path in (ROOT / "gin_configs").glob("*.gin"):
        assert f"`{path.name}`" in README
