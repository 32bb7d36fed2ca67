"""The short names: each is the thing itself, and none is imported before its time."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import redo_dopamine
from redo_dopamine import agents, report

PACKAGES = (redo_dopamine, agents, report)


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in PACKAGES for name in package.__all__],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_a_name_is_there(package, name):
    assert getattr(package, name) is getattr(package, name)
    assert name in dir(package) or package is not redo_dopamine


@pytest.mark.parametrize("package", PACKAGES, ids=lambda x: x.__name__)
def test_type_checkers_see_the_same_names(package):
    tree = ast.parse(Path(package.__file__).read_text())
    [block] = [
        x for x in tree.body if isinstance(x, ast.If) and "TYPE" in ast.dump(x.test)
    ]
    seen = {alias.asname or alias.name for x in block.body for alias in x.names}
    assert seen == set(package.__all__) - {"__version__"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda x: x.__name__)
def test_another_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="has no attribute 'ReDo'"):
        _ = package.ReDo


def test_importing_the_package_imports_nothing_heavy():
    code = "import redo_dopamine, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not {"jax", "flax", "dopamine", "tensorflow"} & set(done.stdout.split())
