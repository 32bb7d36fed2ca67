"""What a directory without a checkpoint may hold: nothing that a start would lose.

What comes in: a run's directory. What leaves: leave to begin there, or the reason why
not. It reads only.
"""

from pathlib import Path

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files, metrics_csv, provenance
from redo_dopamine.rundir import status as run_status
from redo_dopamine.rundir.config_diff import check_same_config

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
