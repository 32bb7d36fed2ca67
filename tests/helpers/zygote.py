"""Forks training processes that have everything imported: a start costs no seconds.

Reads one JSON line per process from standard input, `argv`, `log` and `die_at` (a call
to the disk, or null); answers with its id, and with its exit status when it has ended.
"""

import faulthandler
import json
import os
import sys
import traceback

from absl import flags

from helpers.failing_disk import FailingDisk, die
from redo_dopamine import training as training
from redo_dopamine.cli import memory
from redo_dopamine.tools import train


def run(request):
    """In the child: train, and leave with the status that the command would have."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.dump_traceback_later(250, exit=True)
    status = 0
    memory.keep_freed_memory()  # As the command does.
    try:
        rest = flags.FLAGS(["redo-train", *request["argv"]])
        with FailingDisk(die, request["die_at"]).installed() as disk:
            train.main(rest)
        print(f"calls to the disk: {len(disk.calls)}")
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main():
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
