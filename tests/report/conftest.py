"""A small run whose numbers can be worked out by hand."""

import json
from pathlib import Path

import pytest

from redo_dopamine.report import run_page

HEADER = "iteration,agent_step,gradient_step,name,value\n"

# Two recycles, at gradient steps 10 and 20; dormancy is measured at both, at 0, and
# after each. The last recycle finds nothing.
BODY = """\
0,100,0,dormant_fraction/0.0,0.1
0,100,0,dormant_fraction/0.1,0.3
0,100,0,dormant_fraction/0.1/Conv_0,0.2
0,100,0,dormant_fraction/0.1/Dense_0,0.4
0,100,0,overlap/0.1/Conv_0,nan
0,120,5,train/episode_return,10.0
0,140,10,dormant_fraction/0.0,0.2
0,140,10,dormant_fraction/0.1,0.5
0,140,10,dormant_fraction/0.1/Conv_0,0.4
0,140,10,dormant_fraction/0.1/Dense_0,0.6
0,140,10,overlap/0.1/Conv_0,0.75
0,140,10,recycled/Conv_0,4
0,140,10,recycled/Dense_0,6
0,140,10,loss,0.5
0,150,12,train/average_return,10.0
0,150,12,train/steps_per_second,100.0
0,150,12,eval/average_return,11.0
1,160,15,dormant_fraction/0.0,0.0
1,160,15,dormant_fraction/0.1,0.1
1,170,17,train/episode_return,30.0
1,180,20,dormant_fraction/0.0,0.0
1,180,20,dormant_fraction/0.1,0.3
1,180,20,recycled/Conv_0,1
1,180,20,recycled/Dense_0,0
1,180,20,loss,0.25
1,200,25,dormant_fraction/0.0,0.0
1,200,25,dormant_fraction/0.1,0.2
1,220,30,recycled/Conv_0,0
1,220,30,recycled/Dense_0,0
1,240,35,train/average_return,30.0
1,240,35,train/steps_per_second,300.0
2,260,40,train/steps_per_second,120.0
"""

INFO = {
    "versions": {"jax": "0.6.2", "python": "3.11.2"},
    "seed": 7,
    "git": {"commit": "abc123", "dirty": True},
    "command": ["python", "-m", "redo_dopamine.train", "--base_dir=a b"],
    "start": "2026-01-02T03:04:05Z",
    "end": "2026-01-02T04:04:05Z",
    "game": "Pong",
    "agent": "dqn",
}


def draw(runs, slug):
    """Returns the figure of that name; None where no run recorded what it shows."""
    return next(x.draw(runs) for x in run_page.FIGURES if x.slug == slug)


class MakeRun:
    """Writes run directories below a temporary directory."""

    def __init__(self, root: Path):
        self.root = root

    def __call__(
        self,
        name: str = "redo",
        body: str = BODY,
        header: str = HEADER,
        info: object = INFO,
        config: str | None = "redo.tau = 0.1\n",
    ) -> Path:
        path = self.root / name
        path.mkdir(parents=True)
        (path / "metrics.csv").write_text(header + body)
        if info is not None:
            (path / "run.json").write_text(json.dumps(info))
        if config is not None:
            (path / "config.gin").write_text(config)
        return path


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    return MakeRun(tmp_path)
