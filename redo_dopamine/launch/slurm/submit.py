"""A study on a Slurm cluster: `redo-dopamine launch slurm --study=NAME --base_dir=DIR`.

Submits a job array with a task per run that is missing, and does not wait: `--status`
tells how the runs stand, `--resubmit` sends those that failed. Its files are in
`<study>/slurm/`. Exit status 0, or 2 for a mistake in what was typed or a failure of
Slurm's.
"""

import argparse
import collections
import contextlib
import dataclasses
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from redo_dopamine.cli import process
from redo_dopamine.errors import UserError
from redo_dopamine.launch import common
from redo_dopamine.launch.slurm import options as slurm_options
from redo_dopamine.launch.slurm import queue
from redo_dopamine.launch.slurm.queue import JobId
from redo_dopamine.launch.slurm.task import RunTask
from redo_dopamine.rundir import lock
from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies import plan, record

_LOCK = "slurm.lock"
# For ever: a task that makes no progress gives itself up.
_MAX_REQUEUES = 10**6
_TO_SUBMIT = (run_status.FAILED, run_status.STOPPED, queue.MISSING)
_GRACE = 0.75  # Of the warning before a job's end; the rest is for requeueing.


def _parser() -> argparse.ArgumentParser:
    options = common.parser(
        "redo-dopamine launch slurm", "Runs a study on a Slurm cluster."
    )
    options.set_defaults(scale=None)  # To know whether it was given.
    slurm_options.add(options)
    one = options.add_mutually_exclusive_group()
    one.add_argument(
        "--status",
        action="store_true",
        help="print how many runs of each arm are pending, running, done, ..., and "
        "submit nothing; without --arms, --games, --seeds: of all launches so far",
    )
    one.add_argument(
        "--resubmit",
        action="store_true",
        help="submit what is missing; without --arms, --games, --seeds and --scale: of "
        "all launches so far",
    )
    return options


def main(
    arguments: Sequence[str] | None = None,
    command: Callable[[plan.Run], list[str]] = common.command,
) -> int:
    """Entry point; returns the exit status.

    Args:
        arguments: in the place of the command line's.
        command: gives the command that executes a run.
    """
    return common.main(_parser(), arguments, lambda options: _run(options, command))


def _run(options: argparse.Namespace, command: Callable[[plan.Run], list[str]]) -> int:
    # Jobs start wherever Slurm sees fit.
    options.base_dir = str(Path(options.base_dir).absolute())
    if options.status or options.resubmit:
        _take_from_record(options)
    if options.scale is None:
        options.scale = 1.0
    request = slurm_options.request(options)
    if options.status:
        _print_status(options)
        return 0
    if not options.print_commands:
        _check_slurm()
    runs = common.plan_from(options)
    if options.print_commands:
        common.print_commands(runs, command)
    else:
        _launch(runs, request, command)
    return 0


def _take_from_record(options: argparse.Namespace) -> None:
    """What was not given, from `study.json`: all that was ever launched there.

    Raises:
        UserError: the file cannot be made sense of.
    """
    # Its file may have another name.
    name = plan.select(options.study).study.name
    path = Path(options.base_dir) / name / record.NAME
    try:
        found = record.read(path)
    except (FileNotFoundError, NotADirectoryError):
        print(
            f"note: nothing was launched there yet: there is no {path}.",
            file=sys.stderr,
        )
        return
    except (OSError, UserError) as error:
        raise UserError(
            f"{record.NAME} must tell what was launched, but {path} cannot be read: "
            f"{error} Launch again with the same --arms, --games, --seeds and --scale; "
            "finished runs stay so."
        ) from error
    options.arms = options.arms or ",".join(arm["name"] for arm in found["arms"])
    options.games = options.games or ",".join(found["games"])
    options.seeds = options.seeds or "".join(f"{seed}," for seed in found["seeds"])
    options.scale = found["scale"] if options.scale is None else options.scale


def _print_status(options: argparse.Namespace) -> None:
    selection = plan.select(
        options.study, options.arms, options.games, options.seeds, options.scale
    )
    runs = plan.runs(selection, options.base_dir)
    directory = Path(options.base_dir) / selection.study.name
    if not queue.can_ask():
        print("note: there is no squeue here, so this is by files.", file=sys.stderr)
    found = queue.states(runs, directory)
    print("\n".join(queue.table(runs, found)))
    for run in runs:
        if found[run.name] == run_status.FAILED:
            status = run_status.read(run.directory)
            print(f"{run.name} failed: {'' if status is None else status.message}")


def _check_slurm() -> None:
    for program in ("sbatch", "srun", "squeue", "scontrol"):
        if shutil.which(program) is None:
            raise UserError(
                f"Slurm's programs must be on the PATH, but there is no {program} "
                "here. Go to a machine of the cluster, or run what --print_commands "
                "prints by other means."
            )
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise UserError(
            "Slurm jobs are submitted by the package submitit, but it is not "
            "installed here. Run: pip install 'redo-dopamine[cluster]'"
        ) from error


def _launch(
    runs: Sequence[plan.Run],
    request: slurm_options.Request,
    command: Callable[[plan.Run], list[str]],
) -> None:
    """Submit what is missing, while no other launcher of this study does."""
    directory = runs[0].directory.parents[2]
    try:
        with lock.held(directory, _LOCK, patience=30):
            found = queue.states(runs, directory)
            wanted = [run for run in runs if found[run.name] in _TO_SUBMIT]
            _tell_skipped(found)
            if wanted:
                _submit_all(wanted, request, directory, command)
    except lock.DirectoryInUseError as error:
        raise UserError(
            f"One launcher at a time submits a study, but another one has {directory}:"
            f" {lock.holder(directory, _LOCK)}. Try again when it has ended."
        ) from error


def _tell_skipped(found: Mapping[str, str]) -> None:
    counts = collections.Counter(x for x in found.values() if x not in _TO_SUBMIT)
    if counts:
        reasons = ", ".join(f"{counts[x]} {x}" for x in queue.STATES if counts[x])
        print(f"{counts.total()} of {len(found)} runs skipped: {reasons}.")
    if counts.total() == len(found):
        print("Nothing to submit.")


def _submit_all(
    runs: Sequence[plan.Run],
    request: slurm_options.Request,
    directory: Path,
    command: Callable[[plan.Run], list[str]],
) -> None:
    """Submit runs, in as few arrays as the cluster allows."""
    size = queue.max_array_size()
    arrays = [runs[i : i + size] for i in range(0, len(runs), size)]
    if request.max_parallel is not None:
        # Each array has a limit of its own.
        share = max(1, request.max_parallel // len(arrays))
        request = dataclasses.replace(request, max_parallel=share)
    for array in arrays:
        jobs = _submit(array, request, directory, command)
        # At once: whatever comes, these are known to be in the queue.
        queue.record_jobs(directory, jobs)
        job = next(iter(jobs.values())).job
        print(f"Runs submitted as job {job}: {len(array)}.")


def _submit(
    runs: Sequence[plan.Run],
    request: slurm_options.Request,
    directory: Path,
    command: Callable[[plan.Run], list[str]],
) -> dict[str, JobId]:
    """Submit one array; returns the job of each run."""
    import submitit

    tasks = [
        RunTask(
            command(run),
            run.directory,
            cpus=request.cpus,
            minutes=request.minutes,
            grace=_GRACE * request.warning_seconds,
        )
        for run in runs
    ]
    folder = queue.folder(directory)
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise UserError(
            f"The folder of jobs must be an ordinary one, but {folder} is a link. Move "
            "it away, or give another --base_dir."
        )
    # Not as a part of the job that this may be called from; but which cluster it is,
    # and the user's own defaults, remain.
    ours = {
        name: value
        for name, value in os.environ.items()
        if name == "SLURM_CONF" or name.startswith("SBATCH_")
    }
    try:
        with (
            submitit.helpers.clean_env(),
            submitit.helpers.environment_variables(**ours),
            contextlib.redirect_stderr(io.StringIO()),  # The exception says it, too.
        ):
            executor = submitit.AutoExecutor(
                folder, cluster="slurm", slurm_max_num_timeout=_MAX_REQUEUES
            )
            name = queue.job_name(runs[0].study)
            executor.update_parameters(**request.parameters(name, len(runs)))
            jobs = executor.submit_array(tasks)
    except RuntimeError as error:  # submitit's for all that sbatch refuses.
        raise UserError(
            f"Slurm must take the job, but sbatch failed: {error}. If it is for what "
            "was asked, change --partition, --account, --time, --cpus, --mem or --gpus."
        ) from error
    ids = [JobId.parse(job.job_id) for job in jobs]
    return {run.name: job for run, job in zip(runs, ids, strict=True)}


if __name__ == "__main__":
    process.run(main)
