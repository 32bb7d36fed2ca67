"""What a launch says of itself."""

import io
from pathlib import Path

from rich.console import Console

from redo_dopamine.launch import local
from redo_dopamine.launch.pool import Task
from redo_dopamine.studies.plan import Run


def task(state, agent_step=0, seconds=1.0):
    length = (1.0, 100, "strides", seconds)
    run = Run("s", "arm", "Pong", 0, "m", Path("d"), (), (), *length)
    return Task(run, state, agent_step=agent_step)


def test_the_total_weighs_slow_runs_more():
    clock = iter([0.0, 10.0, 20.0])
    forecast = local.Forecast(lambda: next(clock))
    tasks = [task("done", seconds=10), task("running", 0, 90)]
    assert local.total_line(tasks, forecast) == "1/2 runs done, 10%"
    tasks[1].agent_step = 50
    # 45 of 90 in 10 s.
    line = "1/2 runs done, 55%, 0:00:10 left"
    assert local.total_line(tasks, forecast) == line
    tasks[1].state, tasks[1].given_up = "failed", True
    line = "1/2 runs done, 1 failed, 55%, 0:00:00 left"
    assert local.total_line(tasks, forecast) == line


def test_an_iteration_that_ends_late_is_no_more_than_all():
    assert local.part_done(task("running", 130)) == 1
    assert local.part_done(task("done", 0)) == 1


def test_durations():
    assert local.duration(3723.4) == "1:02:03"
    assert local.duration(59.6) == "0:01:00"


def test_the_summary_of_a_launch_without_gaps_is_a_line():
    console = Console(file=io.StringIO(), width=100)
    local.Display(console).summary([task("done")])
    assert console.file.getvalue() == "1 of 1 runs are done.\n"


def test_the_summary_names_what_is_missing():
    console = Console(file=io.StringIO(), width=100)
    stopped = task("stopped", 40)
    stopped.message = "stopped by hand"
    local.Display(console).summary([task("done"), stopped])
    out = console.file.getvalue()
    for part in (
        "1 of 2 runs are done.",
        "arm/Pong/0",
        "stopped by hand",
        "40",
        "strides",
    ):
        assert part in out
    assert "The same command again goes on" in out
