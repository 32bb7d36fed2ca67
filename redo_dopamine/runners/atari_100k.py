"""The Atari 100K protocol: 100,000 agent steps, then a hundred evaluation episodes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import gin
import numpy as np
from dopamine.discrete_domains import atari_lib

from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent
from redo_dopamine.environments import atari
from redo_dopamine.runners.resume import ResumeOptions, TrainPhase
from redo_dopamine.runners.runner import PlasticityRunner

# Actions [B] for observation stacks [B, H, W, stack].
Policy = Callable[[np.ndarray], np.ndarray]
_NO_OP = 0


def play_episodes(
    environments: Sequence[Any],
    policy: Policy,
    *,
    stack_size: int,
    epsilon: float,
    max_steps: int,
    rng: np.random.Generator,
    start: Callable[[Any, np.random.Generator], np.ndarray],
) -> list[float]:
    """Play one episode in every environment, all of them side by side.

    Every step asks the policy once, for all environments that still run. Their
    number falls; the batch is padded to the next of a few sizes, so that a compiled
    policy is compiled for those only.

    Args:
        environments: Dopamine environments of one game.
        policy: greedy actions for a batch of states.
        stack_size: observations in a state.
        epsilon: probability of a random action.
        max_steps: agent steps after which an episode is cut off.
        rng: for random actions and starts.
        start: begins an episode and returns its first observation [H, W, 1].

    Returns:
        The undiscounted return of each episode, in the order of the environments.
    """
    num_actions = environments[0].action_space.n
    observations = np.stack([start(x, rng) for x in environments])
    states = np.zeros((*observations.shape[:3], stack_size), np.uint8)
    states[..., -1] = observations[..., 0]
    returns = np.zeros(len(environments))
    running: np.ndarray = np.arange(len(environments))
    for _ in range(max_steps):
        if running.size == 0:
            break
        greedy = policy(_padded(states, len(environments)))[: running.size]
        random = rng.integers(num_actions, size=running.size)
        actions = np.where(rng.random(running.size) < epsilon, random, greedy)
        states = np.roll(states, -1, axis=-1)
        over = np.zeros(running.size, bool)
        for i, (index, action) in enumerate(zip(running, actions, strict=True)):
            observation, reward, terminal, _ = environments[int(index)].step(
                int(action)
            )
            states[i, ..., -1] = observation[..., 0]
            returns[index] += reward
            over[i] = terminal
        running, states = running[~over], states[~over]
    return returns.tolist()


def start_with_no_ops(
    environment: Any, rng: np.random.Generator, *, max_no_ops: int
) -> np.ndarray:
    """Begin an episode and do nothing for up to `max_no_ops` agent steps.

    Args:
        environment: a Dopamine environment.
        rng: draws how many, 0 and `max_no_ops` included.
        max_no_ops: 30 in the Atari 100K benchmark.

    Returns:
        The observation [H, W, 1] that the agent sees first.
    """
    observation = environment.reset()
    for _ in range(rng.integers(max_no_ops, endpoint=True)):
        observation, _, terminal, _ = environment.step(_NO_OP)
        if terminal:
            observation = environment.reset()
    return observation


def _padded(states: np.ndarray, largest: int) -> np.ndarray:
    """States with zeros behind them, up to `largest`, its half, its quarter, ..."""
    size = largest
    while size // 2 >= len(states):
        size //= 2
    padding = np.zeros((size - len(states), *states.shape[1:]), states.dtype)
    return np.concatenate([states, padding])


GAMES = (
    *("Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing"),
    *("Breakout", "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway"),
    *("Frostbite", "Gopher", "Hero", "Jamesbond", "Kangaroo", "Krull", "KungFuMaster"),
    *("MsPacman", "Pong", "PrivateEye", "Qbert", "RoadRunner", "Seaquest", "UpNDown"),
)

_TRAINING_STARTS, _EVALUATION = 4, 5  # Random streams, apart from the others.


@gin.configurable(
    module="redo_dopamine", allowlist=["agent", "num_eval_episodes", "max_no_ops"]
)
class Atari100kRunner(PlasticityRunner):
    """Trains for an exact number of steps, then evaluates on full episodes.

    An iteration is `Runner.training_steps` steps of one environment, where the loss
    of a life ends an episode if `AtariPreprocessing.terminal_on_life_loss` says so.
    Its end cuts off the running episode, as a time limit does. The evaluation that
    follows plays `num_eval_episodes` episodes side by side, in environments where
    only the end of the game is one. Every episode starts with up to `max_no_ops`
    steps that do nothing.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions.
        num_eval_episodes: episodes per evaluation; 0 for none.
        max_no_ops: agent steps of doing nothing at the start of an episode.
        options: as in `PlasticityRunner`.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any = RecycledDrQEpsAgent,
        num_eval_episodes: int = 100,
        max_no_ops: int = 30,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, options=options)
        if self._max_steps_per_episode is None:
            raise ValueError(
                "Runner.max_steps_per_episode must be a number of agent steps, but is "
                "None. Atari 100K uses 27_000."
            )
        self._num_eval_episodes = num_eval_episodes
        self._start = functools.partial(start_with_no_ops, max_no_ops=max_no_ops)
        self._eval_environments: list[Any] = []

    def _stream(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self._agent.seed, *stream])

    # Training.

    def _cuts_off(self, phase: TrainPhase) -> bool:
        return phase.num_steps >= self._training_steps

    def _first_observation(self) -> np.ndarray:
        starts = self._stream(_TRAINING_STARTS, self._iteration, self._phase.num_starts)
        return self._start(self._environment, starts)

    # Evaluation.

    @property
    def _evaluates(self) -> bool:
        return self._num_eval_episodes > 0

    def eval_environments(self) -> list[Any]:
        """One environment per episode of an evaluation, made when first asked for."""
        while len(self._eval_environments) < self._num_eval_episodes:
            environment = atari_lib.create_atari_environment()
            environment.terminal_on_life_loss = False
            self._eval_environments.append(atari.direct(environment))
        return self._eval_environments

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        del statistics
        environments = self.eval_environments()
        rng = self._stream(_EVALUATION, self._iteration)
        for environment in environments:
            atari.seed_environment(environment, rng)
        returns = play_episodes(
            environments,
            self._greedy_actions,
            stack_size=self._agent.stack_size,
            epsilon=self._agent.epsilon_eval,
            max_steps=self._max_steps_per_episode,
            rng=rng,
            start=self._start,
        )
        return len(returns), float(np.mean(returns))

    def _greedy_actions(self, states: np.ndarray) -> np.ndarray:
        self._stop.check()
        return self._agent.greedy_actions(states)
