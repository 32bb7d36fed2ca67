"""The order of the rooms: imports point down it, and nothing runs in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "redo_dopamine"
# From the ground up. A room imports from itself and from what is below it.
LAYERS = (
    {"errors", "compat", "core"},
    {"tracing", "networks", "environments", "rundir"},
    {"cli"},
    {"plasticity", "replay", "studies"},
    {"report"},
    {"agents", "offline"},
    {"runners"},
    {"config"},
    {"training", "supervised"},
    {"inspect", "launch"},
    {"notebook"},
    {"tools"},
)
HEIGHT = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in MODULES}


def imported(path):
    """Names of this package's modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in full:
            while name and name not in NAMES:
                name = name.rpartition(".")[0]
            if name:
                yield name


def is_command(path):
    """A package's command stands above everything, wherever it lies."""
    return path.name in ("__main__.py", "__init__.py") and (
        path.name == "__main__.py" or path.parent == ROOT
    )


@pytest.mark.parametrize("name", sorted(NAMES))
def test_imports_point_down(name):
    path = NAMES[name]
    if is_command(path):
        return
    room = name.split(".")[1]
    for other in imported(path):
        below = other.partition(".")[2].split(".")[0]
        assert below == room or HEIGHT[below] < HEIGHT[room], other


def test_every_room_has_its_place():
    rooms = {name.split(".")[1] for name in NAMES if "." in name}
    assert rooms - {"__main__"} == set(HEIGHT)


def test_no_import_runs_in_a_circle():
    graph = {
        name: {
            x
            for x in imported(path)
            # A package that is passed on the way to a module of its own.
            if x != name and not (NAMES[x].name == "__init__.py" and name.startswith(x))
        }
        for name, path in NAMES.items()
    }
    list(TopologicalSorter(graph).static_order())  # Raises where there is one.


def test_a_file_is_one_idea():
    sizes = {name: len(p.read_text().splitlines()) for name, p in NAMES.items()}
    assert {name: n for name, n in sizes.items() if n > 400} == {}


def test_what_the_list_of_slow_tests_names_is_there():
    tests = Path(__file__).parent
    lines = (tests / "slow.txt").read_text().splitlines()[1:]
    for line in lines:
        place, which = line.split(" ", 1)
        path, name = place.split("::")
        assert which in ("all", "but the first"), line
        assert f"\ndef {name}(" in (tests.parent / path).read_text(), line
    assert lines == sorted(set(lines))
