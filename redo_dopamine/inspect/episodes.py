"""Play episodes with a run's agent, as its evaluations do, and watch its neurons."""

import contextlib
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from redo_dopamine.environments import atari
from redo_dopamine.inspect import video
from redo_dopamine.inspect.loaded import LoadedAgent, RecentDormancy
from redo_dopamine.inspect.restore import Restored, find_checkpoint, restore
from redo_dopamine.runners.resume import TrainPhase

_PLAYING = 9  # A random stream, apart from the others.
_TAU = 0.1  # Where the run tracked none.


class Episode(NamedTuple):
    """One that was played.

    Attributes:
        seed: of the game and of the agent's random actions.
        episode_return: sum of the rewards.
        length: agent steps.
        cut: whether `Runner.max_steps_per_episode` ended it, and not the game.
    """

    seed: int
    episode_return: float
    length: int
    cut: bool


class Played(NamedTuple):
    """What came of it.

    Attributes:
        checkpoint: of the agent.
        agent_step: of the checkpoint.
        gradient_step: of the checkpoint.
        episodes: in the order of their seeds.
    """

    checkpoint: Path
    agent_step: int
    gradient_step: int
    episodes: tuple[Episode, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values, with the average return and its spread.

        `return_std` is the standard deviation of a sample; None of one episode.
        """
        returns = [x.episode_return for x in self.episodes]
        return {
            "checkpoint": str(self.checkpoint),
            "agent_step": self.agent_step,
            "gradient_step": self.gradient_step,
            "average_return": statistics.fmean(returns),
            "return_std": statistics.stdev(returns) if len(returns) > 1 else None,
            "lowest_return": min(returns),
            "highest_return": max(returns),
            "num_cut": sum(x.cut for x in self.episodes),
            "episodes": [
                {
                    "seed": x.seed,
                    "return": x.episode_return,
                    "length": x.length,
                    "cut": x.cut,
                }
                for x in self.episodes
            ],
        }


class _Watched:
    """An environment of which every step is looked at.

    Args:
        environment: whose interface this has.
        look: told the observation and the reward of a step.
    """

    def __init__(self, environment: Any, look: Callable[[Any, float], None]):
        self._watched, self._look = environment, look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def step(self, action: Any) -> Any:
        """Another step."""
        result = self._watched.step(action)
        self._look(result[0], getattr(self._watched, "true_reward", result[1]))
        return result


def play(
    run: str | Path,
    *,
    num_episodes: int,
    seed: int = 0,
    film: str | Path | None = None,
    frames_per_second: int = 15,
    trust_modules: Sequence[str] = (),
) -> Played:
    """Play whole games with a checkpoint's agent; it learns nothing.

    Episode i has the seed `seed + i`, and is the same whatever is played before it.

    Args:
        run: a run's directory, for its newest checkpoint, or a checkpoint's file.
        num_episodes: how many.
        seed: of the first.
        film: a file for a video of the first episode; None for none.
        frames_per_second: of the video; Atari has 15 agent steps in a second.
        trust_modules: modules of the user's own that the run's settings name.

    Raises:
        UserError: no checkpoint, or a video that cannot be made.
    """
    path = find_checkpoint(run)
    if film is not None:
        video.check(Path(film))
    restored = restore(path, replay=False, trust_modules=trust_modules)
    loaded = LoadedAgent(restored)
    environment = restored.runner._environment
    if hasattr(environment, "terminal_on_life_loss"):
        environment._environment.terminal_on_life_loss = False
    found = []
    for number in range(seed, seed + num_episodes):
        with contextlib.ExitStack() as stack:
            if film is not None and number == seed:
                restored.runner._environment = _Watched(
                    environment,
                    stack.enter_context(
                        _filmed(loaded, environment, Path(film), frames_per_second)
                    ),
                )
            found.append(_episode(restored, number))
            restored.runner._environment = environment
    agent = restored.agent
    return Played(path, agent.training_steps, agent.gradient_step, tuple(found))


def _episode(restored: Restored, seed: int) -> Episode:
    agent, runner = restored.agent, restored.runner
    agent.set_actor_state(agent.actor_state() | {"rng": jax.random.PRNGKey(seed)})
    rng = np.random.default_rng([seed, _PLAYING])
    atari.seed_environment(runner._environment, rng)
    runner._phase = TrainPhase(num_starts=seed)  # Draws how Atari 100K begins.
    held = getattr(runner._environment, "held_statistics", contextlib.nullcontext)
    with held():
        length, total = runner._run_one_episode()
    cut = not runner._environment.game_over
    return Episode(seed, float(total), length, cut)


@contextlib.contextmanager
def _filmed(loaded: LoadedAgent, environment: Any, path: Path, fps: int) -> Any:
    """What looks at each step of an episode, for a video that it then writes."""
    tau = max(loaded.agent._plasticity.tracking.taus, default=_TAU)
    recent, total, steps = RecentDormancy(loaded, tau), 0.0, 0
    with video.writer(path, fps) as write:

        def look(observation: Any, reward: float) -> None:
            nonlocal total, steps
            total, steps = total + float(reward), steps + 1
            picture = video.picture_of(environment, observation)
            head = f"step {steps:,}, return {total:g}"
            write(video.frame(picture, head, tau, recent.look()))

        yield look
