"""Beside jax, flax and optax alone: what works, and what is said to be missing.

The environment is this one, without what those three do not bring along.
"""

import importlib.metadata
import os
import pkgutil
import re
import subprocess
import sys

import pytest

import redo_dopamine
from redo_dopamine import errors

FAMILY = ("jax", "flax", "optax")
ROOMS = ("core", "tracing", "networks", "plasticity", "studies")
_BLOCKER = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""
_IMPORTS = """
import importlib, pkgutil, sys
import redo_dopamine
for name in redo_dopamine.__all__:
    getattr(redo_dopamine, name)
for room in sys.argv[1:]:
    package = importlib.import_module(f"redo_dopamine.{room}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _brought_along(names):
    """The distributions that pip installs for these, without extras."""
    found, left = set(), list(names)
    while left:
        name = _plain(left.pop())
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # Of another system.
        found.add(name)
        left += [re.match(r"[\w.-]+", x)[0] for x in needs if "extra ==" not in x]
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs Python where nothing else is installed."""
    kept = _brought_along(FAMILY)
    blocked = {
        name
        for name, owners in importlib.metadata.packages_distributions().items()
        if not kept & set(map(_plain, owners))
    } - {redo_dopamine.__name__, *(x.name for x in pkgutil.iter_modules([os.getcwd()]))}
    assert {"tensorflow", "dopamine", "gin", "pandas", "cv2", "typeguard"} <= blocked
    assert not {"jax", "flax", "optax", "numpy", "absl"} & blocked
    place = tmp_path_factory.mktemp("alone")
    (place / "sitecustomize.py").write_text(_BLOCKER.format(blocked=blocked))

    def run(*words):
        home = os.path.dirname(os.path.dirname(redo_dopamine.__file__))
        path = os.pathsep.join((str(place), home))
        return subprocess.run(
            [sys.executable, *words],
            cwd=place,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
        )

    return run


def test_every_public_name_and_module_of_the_core_is_there(alone):
    done = alone("-c", _IMPORTS, *ROOMS)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert len(imported) > 60
    assert {name.split(".")[1] for name in imported} == set(ROOMS)


@pytest.mark.parametrize(
    "words", ["--help", "studies", "studies replay_ratio", "train --help"]
)
def test_studies_are_listed_and_help_is_given(alone, words):
    done = alone("-m", "redo_dopamine", *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert "replay_ratio" in done.stdout or "--help" in done.stdout


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("redo_dopamine train --base_dir=run", "dopamine"),
        ("redo_dopamine.train --base_dir=run", "dopamine"),
        ("redo_dopamine inspect --checkpoint=run", "dopamine"),
        ("redo_dopamine report --base_dir=run", "jinja2"),
        ("redo_dopamine play run", "dopamine"),
        ("redo_dopamine demo", "pandas"),
        ("redo_dopamine catalogue", "gin"),
        ("redo_dopamine data record --game=Pong --num_steps=9 --output=x", "dopamine"),
    ],
)
def test_what_needs_more_says_what_to_install_in_a_line(alone, words, module):
    done = alone("-m", *words.split())
    assert (done.returncode, done.stdout) == (errors.USER_ERROR, "")
    assert done.stderr == (
        f"error: This command needs the module {module!r}, which is not installed. Run "
        "'pip install redo-dopamine', which installs what every command needs.\n"
    )


def test_agents_say_so_in_a_library_too(alone):
    done = alone("-c", "import redo_dopamine.agents")
    assert done.stderr.endswith(
        "ModuleNotFoundError: Agents need Dopamine, which is not installed. Run: pip "
        "install redo-dopamine\n"
    )
