"""Imports point one way (DESIGN: core <- networks <- replay, agents <- train)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "redo_dopamine"
APPLICATION = {
    "bindings",
    "gin_circles",
    "physical_memory",
    "typed_numbers",
    "allocation",
    "agents",
    "atari_100k",
    "checkpoints",
    "collectors",
    "compat",
    "config_diff",
    "configurables",
    "configure",
    "control",
    "minatar",
    "core",
    "emulator",
    "dopamine_checkpoint",
    "errors",
    "evaluation",
    "finite",
    "gin_files",
    "metrics_file",
    "shared_names",
    "networks",
    "progress",
    "exit_status",
    "command_line",
    "fresh_start",
    "paths",
    "process",
    "provenance",
    "replay",
    "resumable_runner",
    "resuming",
    "run_files",
    "run_lock",
    "run_status",
    "runner",
    "stopping",
    "stored_config",
    "train_phase",
    "whole_files",
}
# What each part may import of this package.
MAY_IMPORT = {
    "core": {"core"},
    "networks": {"core", "networks"},
    "replay": {"core", "errors", "replay", "compat", "run_files", "whole_files"},
    "agents": {
        "core",
        "networks",
        "replay",
        "agents",
        "compat",
        "finite",
        "physical_memory",
    },
    "bindings": {
        "bindings",
        "core",
        "errors",
        "gin_circles",
        "gin_files",
        "physical_memory",
    },
    "gin_circles": {"errors"},
    "physical_memory": set(),
    "typed_numbers": {"errors"},
    # Beside the agents: nothing that needs Dopamine or TensorFlow.
    "supervised": {
        "bindings",
        "checkpoints",
        "typed_numbers",
        "physical_memory",
        "config_diff",
        "core",
        "errors",
        "exit_status",
        "finite",
        "fresh_start",
        "gin_files",
        "metrics_file",
        "networks",
        "paths",
        "process",
        "provenance",
        "run_files",
        "run_lock",
        "run_status",
        "shared_names",
        "stopping",
        "supervised",
    },
    "report": {
        "command_line",
        "errors",
        "exit_status",
        "paths",
        "process",
        "report",
        "run_files",
        "typed_numbers",
    },
    "compat": set(),
    "allocation": set(),
    "errors": set(),
    "exit_status": set(),
    "command_line": {"errors", "exit_status", "process"},
    "process": {"exit_status"},
    "redo_train": {"process", "train"},
    "run_files": {"errors"},
    "paths": {"errors", "run_files"},
    "fresh_start": {
        "config_diff",
        "errors",
        "metrics_file",
        "provenance",
        "run_files",
        "run_status",
    },
    "finite": {"core"},
    "dopamine_checkpoint": {"checkpoints", "errors"},
    "stored_config": {"errors", "gin_files"},
    "run_lock": {"errors", "run_files"},
    "run_status": {"errors", "run_files", "run_lock", "whole_files"},
    "studies": {
        "errors",
        "process",
        "run_files",
        "run_lock",
        "run_status",
        "studies",
        "typed_numbers",
        "whole_files",
    },
    "checkpoints": {"errors", "run_files", "whole_files"},
    "collectors": {"metrics_file", "run_lock"},
    "metrics_file": {"errors", "run_files", "run_lock"},
    "gin_files": {"errors", "gin_circles"},
    "shared_names": {"core", "networks"},
    "control": {"agents", "compat", "control", "emulator", "resuming", "runner"},
    "minatar": {"agents", "compat", "emulator", "minatar", "resuming", "runner"},
    "emulator": set(),
    "resuming": {
        "checkpoints",
        "collectors",
        "config_diff",
        "emulator",
        "errors",
        "fresh_start",
        "provenance",
        "run_lock",
        "train_phase",
    },
    "resumable_runner": {
        "compat",
        "dopamine_checkpoint",
        "emulator",
        "finite",
        "provenance",
        "resuming",
        "stopping",
        "train_phase",
    },
    "stopping": set(),
    "train_phase": {"errors"},
    "whole_files": {"run_files"},
    "progress": set(),
    "provenance": {"run_files", "run_lock", "whole_files"},
    "config_diff": {"errors"},
    "runner": APPLICATION
    - {
        "atari_100k",
        "configurables",
        "configure",
        "control",
        "minatar",
        "runner",
    },
    "evaluation": set(),
    "atari_100k": {
        "agents",
        "compat",
        "emulator",
        "evaluation",
        "resuming",
        "runner",
        "train_phase",
    },
    "configurables": {
        "agents",
        "atari_100k",
        "control",
        "minatar",
        "core",
        "networks",
        "offline",
        "replay",
        "shared_names",
    },
    # Fixed data; recording goes by way of an agent's checkpoint.
    "offline": {
        "typed_numbers",
        "agents",
        "compat",
        "configure",
        "emulator",
        "errors",
        "exit_status",
        "inspect",
        "paths",
        "process",
        "progress",
        "offline",
        "replay",
        "run_files",
        "resuming",
        "runner",
        "supervised",
        "train_phase",
        "whole_files",
        "core",
    },
    "configure": {"bindings", "configurables", "errors", "fresh_start", "gin_files"},
    "train": APPLICATION,
    "inspect": {
        "typed_numbers",
        "agents",
        "checkpoints",
        "collectors",
        "command_line",
        "compat",
        "configure",
        "core",
        "errors",
        "exit_status",
        "inspect",
        "paths",
        "replay",
        "report",
        "run_files",
        "runner",
        "stored_config",
    },
    "demo": {"command_line", "errors", "exit_status", "paths", "report"},
    "catalogue": {"configurables", "process"},
    "__init__": {"process"},
}
PURE = {"jax", "jaxlib", "flax", "optax", "chex", "numpy"}
STANDARD = {"collections", "dataclasses", "functools", "math", "numbers", "operator"}
STANDARD |= {"typing"}


def imports(path):
    """`(package, part)` for every import of a module: `("redo_dopamine", "core")`."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            yield package, rest.partition(".")[0]


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = {part for package, part in imports(path) if package == "redo_dopamine"}
    assert own <= MAY_IMPORT[part_of(path)]


def test_core_and_networks_import_only_the_jax_family():
    for path in MODULES:
        if part_of(path) in ("core", "networks"):
            packages = {package for package, _ in imports(path)}
            assert packages <= PURE | STANDARD | {"redo_dopamine"}, path


def test_every_part_is_used():
    assert {part_of(path) for path in MODULES} == set(MAY_IMPORT)


def test_modules_are_of_readable_size():
    """A file is one idea, and none needs more than this."""
    sizes = {p.name: len(p.read_text().splitlines()) for p in MODULES}
    assert {name: n for name, n in sizes.items() if n > 400} == {}
