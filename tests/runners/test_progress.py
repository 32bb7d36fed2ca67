"""The progress bar: its total, and what it says a run is doing."""

import io
import os
import sys

import pytest

from helpers import runs
from redo_dopamine.cli import process
from redo_dopamine.runners.collectors import Progress

NAN = float("nan")


def drive(progress, iterations, steps):
    """Steps of each iteration; yields the bar after every one of them."""
    for iteration, number in iterations:
        progress.start_iteration(iteration, steps.pop(iteration, 0))
        for _ in range(number):
            progress.advance(NAN)
            yield progress._bar


@pytest.mark.parametrize(
    ("start", "done", "in_iteration", "total"),
    [(0, 0, 0, 8000), (0, 621, 621, 8000), (3, 4100, 0, 9100), (7, 8050, 1050, 8050)],
)
def test_a_resumed_run_has_the_total_of_a_whole_one(start, done, in_iteration, total):
    progress = Progress()
    with progress.over(start, 8, 1000, done, in_iteration):
        assert (progress._bar.n, progress._bar.total) == (done, total)
        progress.start_iteration(start, in_iteration)
        assert progress._bar.total == total


def test_it_never_runs_past_its_total_and_ends_at_it():
    progress = Progress()
    with progress.over(1, 3, 5, 7, 2):
        # The first ends 2 steps late; the last is done again, after a NaN.
        for bar in drive(progress, [(1, 5), (2, 4), (2, 6)], {1: 2}):
            assert bar.n <= bar.total
        assert bar.n == bar.total == 7 + 5 + 4 + 6


def test_it_says_what_a_run_does(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress = Progress()
    with progress.over(0, 1, 2, 0, tau=0.1):
        progress.start_iteration(0)
        said = []
        for waiting in ("filling the replay buffer", "compiling the update", ""):
            progress.advance(NAN, waiting)
            said.append(progress._bar.postfix)
        progress.end_episode(3.0)
        said.append(progress._bar.postfix)
        progress.advance(0.11)
        said.append(progress._bar.postfix)
    assert said == [
        "filling the replay buffer",
        "compiling the update",
        "until the episode ends",
        "until the episode ends, return 3",
        "until the episode ends, return 3, dormant 11.0% (τ 0.1)",
    ]
    # What takes a while is on the screen before it begins.
    assert "compiling the update" in sys.stderr.getvalue()


@pytest.mark.slow
@pytest.mark.usefixtures("clean_gin")
def test_agents_say_what_they_wait_for(tmp_path, monkeypatch):
    seen = []
    advance = Progress.advance

    def noting(self, dormant_fraction, waiting_for=""):
        seen.append(waiting_for)
        advance(self, dormant_fraction, waiting_for)

    monkeypatch.setattr(Progress, "advance", noting)
    for gin_file, bindings in (("dqn.gin", runs.TINY), ("ppo.gin", runs.TINY_PPO)):
        seen.clear()
        short = ("Runner.num_iterations = 1", "Runner.max_steps_per_episode = 25")
        runs.run(tmp_path / gin_file, gin_file, (*bindings, *short))
        assert seen[0] == "filling the replay buffer"
        assert [*dict.fromkeys(seen)][1:] == ["compiling the update", ""]


def test_stages_are_said_to_a_terminal_alone(monkeypatch):
    for watched, said in ((False, ""), (True, "Loading ...\r           \r")):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setattr(sys.stderr, "isatty", lambda x=watched: x, raising=False)
        with process.saying("Loading"):
            pass
        assert sys.stderr.getvalue() == said


@pytest.mark.parametrize(("columns", "longest"), [(0, 80), (60, 60)])
def test_a_bar_is_seen_where_the_terminal_knows_no_width(columns, longest, monkeypatch):
    """As under `script` without a terminal of its own, or in a CI's."""
    size = os.terminal_size((columns, columns))  # No rows either.
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: size)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
    progress = Progress()
    with progress.over(0, 1, 1000, 0):
        progress.start_iteration(0)
        progress.start_evaluation(0)
    shown = sys.stderr.getvalue().split("\r")
    assert longest - 5 < max(map(len, shown)) <= longest + 1
    assert "Evaluating 1/1" in shown[-1]
