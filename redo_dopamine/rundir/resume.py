"""Begin a run where nothing is lost, or go on from its newest whole checkpoint.

It goes on only under the configuration that the checkpoint was written under.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint, files, lock, metrics_csv, provenance
from redo_dopamine.rundir import status as run_status
from redo_dopamine.rundir.operative import differences

_ANOTHER = "Move it away if you need it no more, or give another --base_dir."


class RunFinishedError(Exception):
    """The run is done, though its checkpoints are gone."""


def read_config(base_dir: str | Path) -> str | None:
    """The text of `config.gin`; None where there is none."""
    try:
        # Damaged bytes are no settings; what is left of them is compared.
        content = files.read_bytes(Path(base_dir) / "config.gin", files.LARGEST_JSON)
    except FileNotFoundError:
        return None
    return content.decode("utf-8", "replace")


def check(base_dir: str | Path, config: str, agent_steps: int) -> None:
    """Check that a run may begin where there is no checkpoint.

    Args:
        base_dir: of the run.
        config: operative configuration of the run, as `config.gin` would have it.
        agent_steps: that the run is meant to have.

    Raises:
        RunFinishedError: it has had them already.
        UserError: it has had fewer; or files are there that a run would cut or replace,
            and that are none of an unfinished start.
    """
    status = run_status.read(base_dir)
    if status is not None and status.state == run_status.DONE:
        if agent_steps > status.agent_steps > 0:
            raise UserError(
                f"A finished run is prolonged from its last checkpoint, but {base_dir} "
                f"is finished at {status.agent_steps:,} steps and has none any more. "
                f"Ask for no more than these, or give another --base_dir."
            )
        raise RunFinishedError(
            f"{base_dir} is finished, and its checkpoints are gone: nothing is done. "
            "To train again give another --base_dir."
        )
    _check_rows(Path(base_dir))
    _check_config(Path(base_dir), config, status)


def check_config_unchanged(base_dir: str | Path, config: str) -> None:
    """Check that an unfinished start was one of the same configuration.

    Raises:
        UserError: it was of another one.
    """
    saved = read_config(base_dir)
    if saved is not None:
        check_same_config(saved, config, str(Path(base_dir) / "config.gin"))


def _check_rows(base_dir: Path) -> None:
    """Rows are cut only if a start of ours wrote them that had no checkpoint yet."""
    path = base_dir / metrics_csv.FILE_NAME
    try:
        with files.open_read(path) as file:
            begin = file.read(len(metrics_csv.HEADER) + 1)
    except FileNotFoundError:
        return
    if metrics_csv.HEADER.startswith(begin):
        return  # No row.
    info = provenance.read(base_dir)
    checkpointed = None if info is None else info.get(provenance.CHECKPOINTED)
    if begin.startswith(metrics_csv.HEADER) and checkpointed is False:
        return
    why = (
        "the checkpoints that they belong to are gone"
        if checkpointed
        else "no unfinished start of a run explains them"
    )
    raise UserError(
        f"A run without a checkpoint begins again and cuts {path.name} to nothing, but "
        f"{path} has rows, and {why}. {_ANOTHER}"
    )


def _check_config(
    base_dir: Path, config: str, status: run_status.Status | None
) -> None:
    """`config.gin` is replaced only if a run of ours is known to have been here."""
    saved = read_config(base_dir)
    known = status is not None or provenance.read(base_dir) is not None
    if saved is None or known or saved == config:
        return
    raise UserError(
        f"A run writes its settings to config.gin, but {base_dir / 'config.gin'} is "
        f"there already and of no run. {_ANOTHER}"
    )


T = TypeVar("T")

# The last one, and two to fall back on where that is damaged.
_KEEP = 3


def directory_of(base_dir: str | Path) -> Path:
    """Where a run's checkpoints lie."""
    return Path(base_dir) / "checkpoints"


def write(
    base_dir: str | Path, number: int, arrays: checkpoint.Arrays, meta: dict[str, Any]
) -> None:
    """Write a checkpoint.

    Args:
        base_dir: of the run, whose lock the caller holds.
        number: greater than that of every other checkpoint.
        arrays: by name.
        meta: what else there is to remember, in JSON's terms.

    Raises:
        OSError: it could not be written; those before it are as they were.
        LockLostError: the directory is no longer this process's.
    """
    lock.check(base_dir)
    directory_of(base_dir).mkdir(exist_ok=True)
    checkpoint.write(directory_of(base_dir), number, arrays, meta)


def note_written(base_dir: str | Path) -> None:
    """Note in `run.json` that there is a checkpoint, and delete the oldest ones."""
    provenance.record_checkpoint(base_dir)
    checkpoint.delete_all_but(directory_of(base_dir), _KEEP)


def restore_newest(
    base_dir: str | Path,
    restore: Callable[[int], T],
    passed_over: tuple[type[Exception], ...] = (checkpoint.DamagedCheckpointError,),
) -> T | None:
    """Restore the newest checkpoint that is whole; None where there is none at all.

    Args:
        base_dir: of the run.
        restore: from the checkpoint of a number.
        passed_over: what it raises of one that is not whole.

    Raises:
        UserError: all are damaged.
    """
    directory = directory_of(base_dir)
    numbers = checkpoint.numbers(directory)
    if not numbers:
        return None
    for number in numbers:
        try:
            return restore(number)
        except passed_over as error:
            warn(f"{error} The checkpoint before it is used.")
    raise UserError(
        f"A run is resumed from a checkpoint that is whole, but none in "
        f"{directory} is, as told above. Restore what was changed, or start "
        "over with another --base_dir."
    )


def begin(
    base_dir: str | Path, config: str, agent_steps: int, same_config: bool = True
) -> None:
    """Prepare a directory without a checkpoint for a run from its first step.

    Args:
        base_dir: of the run.
        config: operative configuration of the run.
        agent_steps: that the run is meant to have.
        same_config: whether an unfinished start must have been of the same one.

    Raises:
        RunFinishedError: the run is done, though its checkpoints are gone.
        UserError: it was of another configuration, or to begin would lose what lies
            there.
    """
    if same_config:
        check_config_unchanged(base_dir, config)
    check(base_dir, config, agent_steps)
    metrics_csv.cut_back(base_dir, 0)


def warn(message: str) -> None:
    """Say on standard error what a run goes on in spite of."""
    print(f"warning: {message}", file=sys.stderr)


# With these changed it is another run, not the same one under other settings: the
# environment's state would be of another game, and a checkpoint holds its own seed.
_IDENTITY = (
    "create_atari_environment.game_name",
    "create_control_environment.environment_id",
    "create_minatar_environment.game_name",
    "Runner.create_environment_fn",
    "JaxDQNAgent.seed",
    "PPOAgent.seed",
    "SACAgent.seed",
    "Atari100kRainbowAgent.seed",
)


def check_same_config(saved: str, current: str, checkpoint: str) -> None:
    """Refuse to go on from a checkpoint with other settings.

    Args:
        saved: operative configuration that the checkpoint was written under.
        current: the one asked for now.
        checkpoint: how the message names the checkpoint.

    Raises:
        UserError: they differ in more than the length and the place of the data.
    """
    changes = differences(saved, current)
    if changes:
        raise UserError(
            "A run must resume under the configuration it was started with, but "
            f"{checkpoint} was written under another one:\n"
            + "\n".join(changes)
            + "\nRestore these settings, or start a new run with another --base_dir."
        )


def check_allowed_changes(saved: str, current: str, checkpoint: str) -> list[str]:
    """Refuse only the changes that make it another run; returns the others.

    Args:
        saved: as in `check_same_config`.
        current: as there.
        checkpoint: as there.

    Raises:
        UserError: the game, the environment or the seed differs.
    """
    changes = differences(saved, current)
    identity = [x for x in changes if x.split(":")[0].strip().endswith(_IDENTITY)]
    if identity:
        raise UserError(
            "A run may change its settings with --allow_config_change, but not its "
            f"environment or seed, and those of {checkpoint} differ:\n"
            + "\n".join(identity)
            + "\nRestore these settings, or start a new run with another --base_dir."
        )
    return changes
