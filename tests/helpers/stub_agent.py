"""An agent without a network or a game, with a real replay buffer: saved in no time."""

import jax
import numpy as np
import optax
from dopamine.jax.replay_memory import elements

from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.runners.resume import Checkpoints, ResumeOptions, Snapshot

CONFIG = "redo.tau = 0.1\nJaxDQNAgent.seed = 3\n"
METRICS_HEADER = "iteration,agent_step,gradient_step,name,value\n"


class StubAgent:
    """What `resuming.Checkpoints` asks of an agent."""

    def __init__(self, width=3, seed=3):
        self._rng = np.random.default_rng(seed)
        self._replay = FrameReplay(
            stack_size=2,
            update_horizon=1,
            gamma=0.9,
            seed=seed,
            max_capacity=40,
            batch_size=4,
        )
        params = {"Conv_0": {"kernel": np.ones((2, width)), "bias": np.zeros(width)}}
        self._tree = {
            "online_params": params,
            "optimizer_state": optax.adam(0.1).init(params),
            "training_steps": np.asarray(0),
        }

    def advance(self, num_steps=12):
        for _ in range(num_steps):
            frame = self._rng.integers(256, size=(4, 4)).astype(np.uint8)
            done = bool(self._rng.random() < 0.2)
            self._replay.add(
                elements.TransitionElement(frame, np.int32(1), 0.5, done, False)
            )
        self._tree = jax.tree.map(lambda x: np.asarray(x) + 1, self._tree)

    def state_tree(self):
        return jax.tree.map(np.array, self._tree)

    def bundle_and_checkpoint(self, directory, number):
        self._replay.save(directory, number)
        return self.state_tree()

    def unbundle(self, directory, number, bundle):
        try:
            self._replay.load(directory, number)
        except FileNotFoundError:
            return False
        self._tree = bundle
        return True

    def content(self):
        """Everything, to be compared."""
        leaves = [(x.dtype.str, x.tobytes()) for x in jax.tree.leaves(self._tree)]
        replay = self._replay.to_state_dict()
        arrays = {k: np.asarray(v).tobytes() for k, v in replay["arrays"].items()}
        return leaves, replay["state"], arrays


class StubRun:
    """A run of it: steps, then a checkpoint."""

    def __init__(self, base_dir, config=CONFIG, options=ResumeOptions(), agent=None):  # noqa: B008
        self.base_dir = base_dir
        self.agent = agent or StubAgent()
        self.metrics = base_dir / "metrics.csv"
        if not self.metrics.exists():
            self.metrics.write_text(METRICS_HEADER)
        self.checkpoints = Checkpoints(str(base_dir), self.agent, config, options)

    def advance_and_save(self, iteration):
        self.agent.advance()
        with self.metrics.open("a") as file:
            file.write(f"{iteration},{iteration},{iteration},loss,0.5\n")
        self.save(iteration)
        return self.agent.content()

    def save(self, iteration):
        environment = {"emulator": np.arange(50, dtype=np.uint8)}
        self.checkpoints.save(
            Snapshot(iteration, {"num_steps": iteration}, environment)
        )

    def resume(self):
        return self.checkpoints.resume()
