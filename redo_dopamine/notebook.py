"""Train and look at agents from Python: what a notebook needs of this package.

The same paths as `redo-dopamine train` and `redo-dopamine inspect` take. Importing
this imports no agent. Both functions leave gin's configuration as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redo_dopamine.inspect.loaded import LoadedAgent


def gin_value(value: Any) -> str:
    """A Python value as gin source; text that begins with @ or % is such source."""
    if isinstance(value, str) and value[:1] in ("@", "%"):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(gin_value, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(f'{gin_value(x)}, ' for x in value)})"
    return repr(value)


def train(
    gin_files: str | Sequence[str],
    bindings: Mapping[str, Any] | None = None,
    *,
    base_dir: str | os.PathLike[str],
    allow_config_change: bool = False,
    strict: bool = False,
) -> Path:
    """Train an agent, or go on with a run, as `redo-dopamine train` does.

    An interrupt writes a checkpoint first; the same call then goes on from there.

    Args:
        gin_files: a path, or the name of a gin file that ships, or several.
        bindings: settings that win over the files, by gin name:
            `{"redo.tau": 0.1, "RecycledDQNAgent.intervention": "@redo()"}`.
        base_dir: the run's directory; made if missing, resumed if not.
        allow_config_change: whether to resume although settings differ.
        strict: whether to refuse settings that nothing reads.

    Returns:
        The run's directory, which `load` and `report.write_report` take.

    Raises:
        UserError: a setting, or a directory, that cannot be used.
        StopRequested: it was interrupted; a KeyboardInterrupt.
        NotFiniteError: a loss or a parameter is NaN or infinite.
    """
    import gin

    from redo_dopamine import training
    from redo_dopamine.config import gin_state

    training.prepare(quiet=True)
    with gin_state.kept():
        gin.clear_config()
        training.train_from(
            [gin_files] if isinstance(gin_files, str) else gin_files,
            [f"{name} = {gin_value(x)}" for name, x in (bindings or {}).items()],
            os.fspath(base_dir),
            options=training.ResumeOptions(allow_config_change=allow_config_change),
            strict=strict,
        )
    return Path(base_dir)


def load(
    run: str | os.PathLike[str], *, trust_modules: Sequence[str] = ()
) -> LoadedAgent:
    """Load the agent of a run, to ask it: `load(run).q_values(states)`.

    It has `act(observation)`, `new_episode()`, `q_values(states)`,
    `activations(states)` and `parameters`. The run is only read.

    Args:
        run: its directory, for the newest checkpoint, or a checkpoint's file.
        trust_modules: modules of your own that the run's settings name.

    Returns:
        The agent (`redo_dopamine.inspect.loaded.LoadedAgent`).

    Raises:
        UserError: there is no checkpoint, or it cannot be loaded.
    """
    from redo_dopamine import training
    from redo_dopamine.config import gin_state
    from redo_dopamine.inspect import loaded

    training.prepare(quiet=True)
    with gin_state.kept():
        return loaded.load(Path(run), trust_modules)
