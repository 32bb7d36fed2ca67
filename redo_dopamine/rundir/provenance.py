"""Write `run.json` and `config.gin`: where a run comes from. Asks git."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from redo_dopamine.rundir import files, lock
from redo_dopamine.rundir.operative import operative_config

NAME = "run.json"
CHECKPOINTED = "checkpointed"  # Whether a checkpoint was ever there.
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


def record_start(
    base_dir: str, *, seed: int, game: str, agent: str, unused: Sequence[str] = ()
) -> None:
    """Write `config.gin` and `run.json`; a resumed run keeps its first start.

    Args:
        base_dir: of the run.
        seed: of all its random streams.
        game: what it plays or learns.
        agent: what learns.
        unused: settings that are bound and that it does not read.
    """
    directory = Path(base_dir)
    before = read(base_dir)
    if before is None:
        # It only tells where the run comes from, and is no reason not to go on.
        files.set_aside(directory / NAME)
    lock.check(base_dir)
    files.write_text(directory / "config.gin", operative_config())
    info = {
        "agent": agent,
        "game": game,
        "seed": seed,
        "unused_settings": list(unused),
        "command": [sys.executable, *sys.argv],
        "versions": _versions(),
        "git": _git_state(),
        "start": _now(),
        "resumed": [],
        "end": None,
        CHECKPOINTED: False,
    }
    if before is not None:
        info["start"] = before["start"]
        info["resumed"] = [*before["resumed"], _now()]
        # Of a version that did not note it, it is not known.
        info[CHECKPOINTED] = before.get(CHECKPOINTED)
    files.write_json(directory / NAME, info)


def record_checkpoint(base_dir: str | Path) -> None:
    """Note in `run.json` that rows of `metrics.csv` belong to a checkpoint."""
    _record(base_dir, CHECKPOINTED, True)


def record_end(base_dir: str | Path) -> None:
    """Note in `run.json` that the run has come to its end."""
    _record(base_dir, "end", _now())


def _record(base_dir: str | Path, key: str, value: Any) -> None:
    info = read(base_dir)
    if info is not None and info.get(key) != value:
        lock.check(base_dir)
        files.write_json(Path(base_dir) / NAME, info | {key: value})


def read(base_dir: str | Path) -> dict[str, Any] | None:
    """What `run.json` says; None if it is missing or is not what was written."""
    try:
        info = files.read_json(Path(base_dir) / NAME)
    except (OSError, ValueError):
        return None
    if not isinstance(info, dict) or not isinstance(info.get("start"), str):
        return None
    resumed = info.get("resumed")
    whole = isinstance(resumed, list) and all(isinstance(x, str) for x in resumed)
    return info if whole else None


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
    here = Path(__file__).parent.parent
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
