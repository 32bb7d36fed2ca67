"""What a job asks of Slurm: the options, their rules, and submitit's names for them."""

import argparse
import dataclasses
import math
import re
import shlex
from pathlib import Path
from typing import Any

from redo_dopamine.cli.flags import as_whole, shown
from redo_dopamine.errors import UserError
from redo_dopamine.studies.scaling import check_scale

_ROOT = Path(__file__).resolve().parents[3]
_TIME = re.compile(r"(?:(\d{1,9})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?", re.ASCII)
_MEMORY = re.compile(r"[1-9]\d{0,8}[KMGT]", re.ASCII)
_MOST = 1_000_000  # Cores, GPUs, tasks.
# Slurm's warning before a job's end, in seconds: enough for a run that is still
# importing to begin, and write its checkpoint.
_MOST_WARNING = 90
_WARNING_PER_MINUTE = 15
# Set here and in the job, so that submitit's own variable for it has no say.
WARNING_SIGNAL = "USR2"


@dataclasses.dataclass(frozen=True)
class Request:
    """What each task of an array gets.

    Attributes:
        minutes: until Slurm ends it; it goes on after that, in the queue again.
        cpus: cores, and threads.
        memory: a number and K, M, G or T.
        gpus: of its node.
        max_parallel: tasks at a time; None for as many as Slurm gives.
        partition: None for the cluster's own choice.
        account: likewise.
    """

    minutes: int
    cpus: int
    memory: str
    gpus: int
    max_parallel: int | None = None
    partition: str | None = None
    account: str | None = None

    @property
    def warning_seconds(self) -> int:
        """How long before the time limit Slurm sends its signal."""
        return min(_MOST_WARNING, self.minutes * _WARNING_PER_MINUTE)

    def parameters(self, name: str, num_tasks: int) -> dict[str, Any]:
        """For `submitit.AutoExecutor.update_parameters`, which leaves out None.

        Args:
            name: of the job.
            num_tasks: of the array.
        """
        return {
            "name": name,
            "timeout_min": self.minutes,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "slurm_array_parallelism": self.max_parallel or num_tasks,
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            # The job finds this package, which is not installed, wherever it starts.
            "slurm_setup": [
                f"export PYTHONPATH={shlex.quote(str(_ROOT))}"
                '"${PYTHONPATH:+:$PYTHONPATH}"',
                f"export SUBMITIT_PREEMPT_SIGNAL={WARNING_SIGNAL}",
            ],
            # Since Slurm 22.05 srun does not take it over from sbatch.
            "slurm_srun_args": [f"--cpus-per-task={self.cpus}"],
            "slurm_additional_parameters": {
                "mem": self.memory,
                "requeue": True,  # Whatever the cluster's JobRequeue says.
                "signal": f"{WARNING_SIGNAL}@{self.warning_seconds}",
            },
        }


def add(parser: argparse.ArgumentParser) -> None:
    """Options of a `Request`."""
    parser.add_argument("--partition", metavar="NAME", help="default: the cluster's")
    parser.add_argument("--account", metavar="NAME", help="default: yours")
    parser.add_argument(
        "--time",
        default="4:00:00",
        metavar="T",
        help="minutes, or Slurm's HH:MM:SS, D-HH, D-HH:MM:SS; a run that needs longer "
        "is requeued, and goes on (default: 4:00:00)",
    )
    parser.add_argument(
        "--cpus", default="2", metavar="N", help="cores of each run (default: 2)"
    )
    parser.add_argument(
        "--gpus", default="0", metavar="N", help="GPUs of each run (default: 0)"
    )
    parser.add_argument(
        "--mem",
        metavar="SIZE",
        help="memory of each run, such as 8G; default: 4G, and 8G times the scale for "
        "the replay buffer",
    )
    parser.add_argument(
        "--max_parallel", metavar="N", help="runs at a time (default: no limit)"
    )


def request(options: argparse.Namespace) -> Request:
    """The request that options ask for.

    Raises:
        UserError: one that makes no sense.
    """
    check_scale(options.scale)
    most = options.max_parallel
    memory = f"{4 + math.ceil(8 * options.scale)}G"
    return Request(
        minutes=parse_time(options.time),
        cpus=_whole("--cpus", options.cpus, 1),
        memory=memory if options.mem is None else parse_memory(options.mem),
        gpus=_whole("--gpus", options.gpus, 0),
        max_parallel=None if most is None else _whole("--max_parallel", most, 1),
        partition=_name("--partition", options.partition),
        account=_name("--account", options.account),
    )


def _name(flag: str, text: str | None) -> str | None:
    """What goes into a line of the job's script, and must not end it."""
    if text is None or re.fullmatch(r"\w[\w.,@:+-]*", text, re.ASCII):
        return text
    raise UserError(
        f"{flag} must be a name that Slurm knows, of letters, digits and -_.,@:+, but "
        f"is {shown(text)}. Leave it out for the default, or see sinfo "
        "and sacctmgr."
    )


def parse_time(text: str) -> int:
    """Minutes, from minutes or Slurm's forms; parts of a minute count as one.

    Raises:
        UserError: it is none of them, or no time at all.
    """
    match = _TIME.fullmatch(text)
    seconds = 0
    if match is not None:
        days, *rest = match.groups()
        numbers = [int(x) for x in rest if x is not None]
        # Without days a number alone is minutes, and two are minutes and seconds.
        if days is None and len(numbers) < 3:
            numbers = [0, *numbers]
        hours, minutes, more = (*numbers, 0, 0)[:3]
        seconds = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + more
    if seconds <= 0:
        raise UserError(
            "--time must be minutes such as 90, or one of Slurm's forms HH:MM:SS, D-HH "
            f"and D-HH:MM:SS, and more than nothing, but is {shown(text)}."
        )
    return math.ceil(seconds / 60)


def parse_memory(text: str) -> str:
    """The text, if Slurm takes it for memory; without a unit it would mean megabytes.

    Raises:
        UserError: it is not.
    """
    if not _MEMORY.fullmatch(text.upper()):
        raise UserError(
            "--mem must be a whole number and a unit of K, M, G or T, such as 8G, but "
            f"is {shown(text)}."
        )
    return text.upper()


def _whole(name: str, text: str, least: int) -> int:
    found = as_whole(text, least, _MOST)
    if found is None:
        raise UserError(
            f"{name} must be a whole number >= {least} and <= {_MOST}, but is "
            f"{shown(text)}."
        )
    return found
