"""`run.json` and `config.gin`: where a run comes from.

What comes in: the finished configuration and the process's own surroundings. What
leaves: two files in the run's directory. Touches git, by asking it.
"""

import json
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import gin

from redo_dopamine import whole_files

_DISTRIBUTIONS = (
    "redo-dopamine",
    "dopamine-rl",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "tensorflow",
    "gin-config",
    "ale-py",
    "gymnasium",
    "mujoco",
    "numpy",
)


def operative_config() -> str:
    """Every setting in force, one a line, as a gin file that can be read again."""
    config = gin.operative_config_str(max_line_length=10**6)
    return re.sub(r"^# =+$", f"# {'=' * 78}", config, flags=re.MULTILINE)


def record_start(base_dir: str, *, seed: int, game: str, agent: str) -> None:
    """Write `config.gin` and `run.json`; a resumed run keeps its first start."""
    directory = Path(base_dir)
    whole_files.write_text(directory / "config.gin", operative_config())
    path = directory / "run.json"
    info = {
        "agent": agent,
        "game": game,
        "seed": seed,
        "command": [sys.executable, *sys.argv],
        "versions": _versions(),
        "git": _git_state(),
        "start": _now(),
        "resumed": [],
        "end": None,
    }
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        info["start"] = before["start"]
        info["resumed"] = [*before["resumed"], _now()]
    whole_files.write_json(path, info)


def record_end(base_dir: str) -> None:
    """Note in `run.json` that the run has come to its end."""
    path = Path(base_dir) / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["end"] = _now()
    whole_files.write_json(path, info)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _git_state() -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from; None outside of one."""
    here = Path(__file__).parent
    if not (here.parent / ".git").exists():
        return None
    git = ["git", "-C", str(here)]
    try:
        commit, changes = (
            subprocess.run(
                [*git, *question], capture_output=True, check=True, text=True
            ).stdout.strip()
            for question in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
