"""What is imported before a command begins is never collected."""

import subprocess
import sys

_COMMAND = """
import gc
from redo_dopamine import command_line
before = len(gc.get_objects())
command_line.run(lambda argv: print(gc.get_freeze_count() >= before > 0))
"""


def test_a_command_begins_with_all_that_is_there_out_of_the_collectors_sight():
    said = subprocess.check_output([sys.executable, "-c", _COMMAND], text=True)
    assert said == "True\n"
