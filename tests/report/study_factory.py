"""Writes study directories that look like what launches leave, within milliseconds."""

import json
from pathlib import Path

import numpy as np

from redo_dopamine.report.study import figures, scores

FRAMES = {"study": 10_000_000, "run": 8_000}
RATIOS = (0.25, 0.5, 1, 2)
HUMAN = scores.human()
PAPER = {"dqn": (0.41, 0.475, 0.30, 0.09), "redo": (0.40, 0.57, 0.625, 0.54)}


def text_of(page):
    """Returns a page without its line breaks."""
    return " ".join(page.read_text().split())


def draw(analysis, slug):
    """Returns the figure of that name; None where there is nothing to show."""
    rows = (*figures.of_study(analysis.study), *figures.GAMES)
    return next(row.draw(analysis) for row in rows if row.slug == slug)


def replay_ratio_arms(ratios=RATIOS):
    return [
        {
            "name": f"{name}_rr{ratio:g}",
            "label": f"{series}, RR {ratio:g}",
            "series": series,
            "x": ratio,
            "gin_file": "dqn.gin",
            "bindings": [],
        }
        for name, series in (("dqn", "DQN"), ("redo", "DQN + ReDo"))
        for ratio in ratios
    ]


def bar_arms():
    names = {"none": "DQN", "reset": "reset", "decay": "weight decay", "redo": "ReDo"}
    return [
        {"name": name, "label": label, "series": label, "x": None}
        for name, label in names.items()
    ]


class Factory:
    """A study directory and its runs.

    The normalized score of a run is `level(arm, game, seed)` at its end, and rises
    to it along `iterations` points.
    """

    def __init__(self, root: Path, arms=None, games=("Pong", "DemonAttack"), **study):
        self.root = root
        self.study = {
            "format": 1,
            "name": "replay_ratio",
            "claim": "ReDo keeps DQN from losing performance at high replay ratios.",
            "source": "Sokar et al., 2023, Figure 10",
            "scale": 0.0008,
            "games": list(games),
            "seeds": [0, 1, 2],
            "frames": FRAMES,
            "axis": "replay ratio",
            "arms": replay_ratio_arms() if arms is None else arms,
            "paper": [],
            "paper_dormant_percent": [],
        } | study
        self.iterations = 4

    def path(self, arm, game, seed) -> Path:
        return self.root / arm / game / str(seed)

    def write_study(self):
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "study.json").write_text(json.dumps(self.study))

    def write_all(self, level, evaluated=False):
        self.write_study()
        for arm in self.study["arms"]:
            for game in self.study["games"]:
                for seed in self.study["seeds"]:
                    score = level(arm, game, seed)
                    self.write_run(arm["name"], game, seed, score, evaluated=evaluated)

    def write_run(
        self, arm, game, seed, score, state="done", message="", evaluated=False
    ) -> Path:
        path = self.path(arm, game, seed)
        path.mkdir(parents=True, exist_ok=True)
        # The return whose normalized score is `score`.
        low, high = HUMAN.ends.get(game, (0.0, 1.0))
        steps = self.study["frames"]["run"] // 4 // self.iterations
        rows = ["iteration,agent_step,gradient_step,name,value"]
        dormant = 0.3 if "redo" not in arm else 0.05
        done = self.iterations if state == "done" else self.iterations // 2
        for i in range(done):
            value = low + (high - low) * score * (i + 1) / self.iterations
            for quarter in range(1, 5):
                step = i * steps + quarter * steps // 4
                fraction = dormant * (step / steps / self.iterations) + 0.005 * int(
                    seed
                )
                at = f"{i},{step},{step // 4},"
                rows += [
                    f"{at}dormant_fraction/0.0,{fraction / 5}",
                    f"{at}dormant_fraction/0.1,{fraction}",
                    f"{at}loss,{0.1}",
                ]
            at = f"{i},{(i + 1) * steps},{(i + 1) * steps // 4},"
            rows += [f"{at}train/episode_return,{value - 1}"]
            rows += [f"{at}train/episode_return,{value + 1}"]
            rows += [f"{at}train/average_return,{value}"]
            if evaluated:
                rows += [f"{at}eval/average_return,{value + high - low}"]
        (path / "metrics.csv").write_text("\n".join(rows) + "\n")
        (path / "config.gin").write_text("Atari100kRunner.num_eval_episodes = 100\n")
        info = {"seed": seed, "game": game, "end": "x" if state == "done" else None}
        (path / "run.json").write_text(json.dumps(info))
        status = {"format": 1, "state": state, "message": message}
        status |= {"agent_step": done * steps, "agent_steps": self.iterations * steps}
        (path / "status.json").write_text(json.dumps(status))
        return path


def paper_values():
    """Returns the paper's replay-ratio sweep, as `study.json` has it."""
    return [
        {
            "arm": f"{name}_rr{ratio:g}",
            "iqm": iqm,
            "low": iqm - 0.04,
            "high": iqm + 0.05,
        }
        for name, values in PAPER.items()
        for ratio, iqm in zip(RATIOS, values, strict=True)
    ]


def noisy(arm, game, seed):
    """A level that falls with the replay ratio without ReDo, and differs by seed."""
    digits = [ord(x) for x in arm["name"] + game]
    rng = np.random.default_rng([*digits, int(seed)])
    x = 1.0 if arm["x"] is None else arm["x"]
    lift = 0.02 if "edo" in arm["name"] else 0.02 - 0.008 * x
    return float(lift + rng.normal(0, 0.008))
