"""Tell which runs Slurm has in its queue, and where each run of a study stands.

Reads `jobs.json` (the job of each run), `squeue` and the runs' own files. `--status`
prints its table.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from redo_dopamine.errors import UserError, shortened
from redo_dopamine.launch import common
from redo_dopamine.rundir import files, status
from redo_dopamine.studies.plan import Run

FOLDER, NAME = "slurm", "jobs.json"
FORMAT = 1
PENDING, MISSING = "pending", "missing"
# In the order of the table.
STATES = (
    *(PENDING, status.RUNNING, status.DONE),
    *(status.FAILED, status.STOPPED, MISSING),
)
_TIMEOUT = 60.0  # seconds
_WAITING = {
    *("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"),
    "SPECIAL_EXIT",
}
# Some are about to end; then a launch a little later finds them so.
_AT_WORK = {
    *("RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING"),
    *("STAGE_OUT", "RESIZING"),
}


_NUMBER = r"\d{1,12}"
_JOB = re.compile(rf"({_NUMBER})(?:_({_NUMBER}))?")


class JobId(NamedTuple):
    """A task of an array; a job by itself has no task."""

    job: str
    task: int | None

    def __str__(self) -> str:
        return self.job if self.task is None else f"{self.job}_{self.task}"

    @classmethod
    def parse(cls, text: str) -> "JobId":
        """From Slurm's way of writing it, such as `12_3`."""
        match = _JOB.fullmatch(text)
        if match is None:
            raise UserError(
                f"Slurm's jobs must be numbers such as 12 or 12_3, but one is "
                f"{shortened(text)!r}. See what squeue prints."
            )
        return cls(match[1], int(match[2]) if match[2] else None)


def job_name(study: str) -> str:
    """The name of a study's jobs."""
    return f"redo-{study}"


def folder(study_directory: Path) -> Path:
    """Where a study's job files are."""
    return study_directory / FOLDER


def read_jobs(study_directory: Path) -> dict[str, JobId]:
    """The last job of each run, by the run's name.

    Raises:
        UserError: the file cannot be made sense of.
    """
    path = folder(study_directory) / NAME
    try:
        found = files.read_json(path)
        jobs = {name: JobId(**x) for name, x in found["runs"].items()}
        for job, task in jobs.values():
            if not (
                isinstance(job, str)
                and re.fullmatch(_NUMBER, job)
                and isinstance(task, int | None)
            ):
                raise TypeError(f"{job!r}, {task!r} is no job")
        return jobs
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{NAME} must tell the Slurm job of each run, but {path} cannot be read: "
            f"{error}. Delete it once squeue shows no more jobs of this study."
        ) from error


def record_jobs(study_directory: Path, jobs: Mapping[str, JobId]) -> None:
    """Add to `jobs.json`; the caller has the launchers' lock."""
    runs = {**read_jobs(study_directory), **jobs}
    content = {"format": FORMAT, "runs": {k: x._asdict() for k, x in runs.items()}}
    path = folder(study_directory) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, content)


def ask(command: Sequence[str]) -> str:
    """What a program of Slurm's says.

    Raises:
        UserError: it fails, with its own words, or it is not there.
    """
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=_TIMEOUT,
        ).stdout
    except subprocess.CalledProcessError as error:
        raise _failed(command[0], error.stderr.strip()) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(command[0], str(error)) from error


def _failed(program: str, why: str) -> UserError:
    return UserError(
        f"Slurm must answer here, but {program} failed: {why}\nGo to a machine of the "
        "cluster, and see by sinfo whether it is up."
    )


def queue(study: str, jobs: Iterable[JobId]) -> dict[JobId, str]:
    """What Slurm has still to do of some jobs: `pending` or `running`.

    Raises:
        UserError: squeue fails.
    """
    arrays = sorted({job.job for job in jobs})
    if not arrays:
        return {}
    try:
        said = ask(
            [
                *("squeue", "--array", "--noheader", "--format=%i|%T|%j"),
                f"--jobs={','.join(arrays)}",
            ]
        )
    except UserError as error:
        if "Invalid job id" in str(error):  # Slurm has forgotten it: it is over.
            return {}
        raise
    return parse_queue(said, job_name(study))


def parse_queue(said: str, name: str) -> dict[JobId, str]:
    """The jobs of one name in squeue's output, less those that are over.

    By name, because a cluster that is set up again counts its jobs from 1 again.
    """
    found = {}
    for line in said.splitlines():
        job, state, of = [*line.strip().split("|", 2), "", ""][:3]
        if of != name:  # Of others, or not what was asked for.
            continue
        if state in _WAITING:
            found[JobId.parse(job)] = PENDING
        elif state in _AT_WORK:
            found[JobId.parse(job)] = status.RUNNING
    return found


def max_array_size() -> int:
    """How many tasks an array may have.

    Raises:
        UserError: scontrol fails.
    """
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask(_SHOW_CONFIG), re.MULTILINE)
    return 1001 if match is None else max(1, int(match[1]))


_SHOW_CONFIG = ("scontrol", "show", "config")


def states(runs: Sequence[Run], study_directory: Path) -> dict[str, str]:
    """Where each run stands, by its name: one of `STATES`.

    Done is what is done by its files; of the rest, what Slurm has in its queue is as
    Slurm says; and again what remains is as its files say.

    Raises:
        UserError: `jobs.json` or squeue cannot be read.
    """
    by_files = {run.name: common.state(run) for run in runs}
    jobs = {
        name: job
        for name, job in read_jobs(study_directory).items()
        if by_files.get(name, status.DONE) != status.DONE
    }
    queued = queue(runs[0].study, jobs.values()) if can_ask() else {}
    found = {}
    for name, state in by_files.items():
        if state == common.TAKEN:
            state = status.RUNNING  # By another launcher perhaps.
        if state == common.MISSING:
            state = MISSING
        if state != status.DONE and name in jobs:
            state = queued.get(jobs[name], state)
        found[name] = state
    return found


def can_ask() -> bool:
    """Whether this machine knows Slurm."""
    return shutil.which("squeue") is not None


def table(runs: Sequence[Run], found: Mapping[str, str]) -> list[str]:
    """Lines: how many runs of each arm are in each state."""
    counts: dict[str, dict[str, int]] = {}
    for run in runs:
        row = counts.setdefault(run.arm, dict.fromkeys(STATES, 0))
        row[found[run.name]] += 1
    counts["all"] = {x: sum(row[x] for row in counts.values()) for x in STATES}
    width = max(map(len, counts))
    lines = [f"{'arm':{width}}  " + "  ".join(f"{state:>7}" for state in STATES)]
    for arm, row in counts.items():
        numbers = "  ".join(f"{row[state]:7}" for state in STATES)
        lines.append(f"{arm:{width}}  {numbers}")
    return lines
