"""Dopamine's runner, resumable, with metrics of dormancy."""

import math
import operator
import time
from collections.abc import Callable
from typing import Any

import gin
import numpy as np
from dopamine.discrete_domains import iteration_statistics

from redo_dopamine.agents import dqn
from redo_dopamine.cli.process import StopRequested, StopSwitch
from redo_dopamine.environments import atari
from redo_dopamine.errors import NotFiniteError
from redo_dopamine.runners import collectors
from redo_dopamine.runners.collectors import Progress
from redo_dopamine.runners.resumable import ResumableRunner
from redo_dopamine.runners.resume import ResumeOptions, TrainPhase

# Sets the environment's random stream apart from those of the agent.
_ENVIRONMENT_STREAM = 3


@gin.configurable(module="redo_dopamine", allowlist=["agent", "checkpoint_minutes"])
class PlasticityRunner(ResumableRunner):
    """Runs an agent of this package; takes Dopamine's `Runner.*` bindings.

    It writes a checkpoint at the end of every iteration, every `checkpoint_minutes`,
    and when a signal asks it to stop. A run that is resumed goes on
    as if it had not stopped, inside an episode too where the environment is Atari;
    another one is resumed at the last end of an iteration.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions.
        checkpoint_minutes: between two checkpoints inside an iteration.
        options: of how a run in `base_dir` is resumed.
    """

    # What an environment must have; a test of each is made before the agent is built.
    NEEDS: tuple[str, ...] = (
        *("reset", "step", "game_over", "observation_space.shape", "action_space.n"),
    )

    def __init__(
        self,
        base_dir: str,
        agent: Callable[..., Any] = dqn.RecycledDQNAgent,
        checkpoint_minutes: float = 10.0,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        self._options = options
        self._iteration = 0
        self._phase = TrainPhase()
        self._stop = StopSwitch()
        self._progress = Progress()
        self._checkpoint_seconds = 60 * checkpoint_minutes
        collectors.register(self._clock)
        super().__init__(
            base_dir,
            lambda _, environment, **other: self._checked_agent(agent, environment),
            use_legacy_logger=False,
            fine_grained_print_to_console=False,
        )
        self._check_lengths()

    def _checked_agent(self, agent: Callable[..., Any], environment: Any) -> Any:
        for name in self.NEEDS:
            try:
                operator.attrgetter(name)(environment)
            except AttributeError:
                raise ValueError(
                    "Runner.create_environment_fn must give an environment for "
                    f"{type(self).__name__}, with {name}, but gives a "
                    f"{type(environment).__name__}. Take the runner, the agent and the "
                    "environment of one gin file that ships."
                ) from None
        return self._build_agent(agent, environment)

    def _build_agent(self, agent: Callable[..., Any], environment: Any) -> Any:
        built = agent(environment.action_space.n)
        shape = tuple(environment.observation_space.shape)
        if math.prod(shape) != math.prod(built.observation_shape):
            raise ValueError(
                "JaxDQNAgent.observation_shape must be that of the environment's "
                f"observations, {shape}, but is {built.observation_shape}. Leave it "
                "out for Atari."
            )
        return built

    def _check_lengths(self) -> None:
        for name in ("num_iterations", "training_steps"):
            value = getattr(self, f"_{name}")
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"Runner.{name} must be a whole number >= 1, but is {value!r}. "
                    "Bind it to 1 or more."
                )

    @property
    def finished(self) -> bool:
        """Whether the last checkpoint is that of the last iteration."""
        return self._iteration >= self._num_iterations

    @property
    def agent(self) -> Any:
        """The agent, restored from the last checkpoint if there is one."""
        return self._agent

    @property
    def num_iterations(self) -> int:
        """How many iterations the run has in all."""
        return self._num_iterations

    def _clock(self) -> collectors.Clock:
        return collectors.Clock(
            self._iteration, self._agent.training_steps, self._agent.gradient_step
        )

    # Training.

    def _run_train_phase(self, statistics: Any) -> Any:
        del statistics
        phase = self._phase
        self._agent.eval_mode = False
        while not self._is_over(phase):
            self._between_steps()
            started = time.monotonic()
            self._advance(phase)
            phase.seconds += time.monotonic() - started
        phase.over = True
        self._agent.write_metrics(self._phase_metrics(phase))

    def _phase_metrics(self, phase: TrainPhase) -> dict[str, float]:
        return {
            "train/average_return": phase.average_return,
            "train/steps_per_second": phase.steps_per_second,
        }

    def _is_over(self, phase: TrainPhase) -> bool:
        """Iterations end with an episode, unless episodes have no longest length."""
        can_end = phase.action is None or self._max_steps_per_episode is None
        return can_end and phase.num_steps >= self._training_steps

    def _cuts_off(self, phase: TrainPhase) -> bool:
        """Whether the end of the iteration cuts off the running episode."""
        # An evaluation needs the environment; a checkpoint must be able to hold it.
        goes_on = atari.is_restorable(self._environment) and not self._evaluates
        return self._is_over(phase) and not goes_on

    def _advance(self, phase: TrainPhase) -> None:
        """One step of the environment and what the agent makes of it."""
        if phase.action is None:
            phase.begin_episode(self._initialize_episode())
        observation, reward, terminal = self._run_one_step(phase.action)
        phase.count_step(self._true_reward(reward))
        if self._clip_rewards:
            reward = np.clip(reward, -1, 1)
        finished = (
            self._environment.game_over
            or phase.episode_steps == self._max_steps_per_episode
        )
        if finished or self._cuts_off(phase):
            self._end_episode_at(observation, reward, terminal)
            phase.end_episode(finished)
            if finished:
                self._agent.write_metrics(
                    {"train/episode_return": phase.episode_return}
                )
                self._progress.end_episode(phase.episode_return)
        elif terminal:  # A life is lost.
            self._end_episode(reward, terminal)
            phase.go_on(self._agent.begin_episode(observation))
        else:
            phase.go_on(self._agent.step(reward, observation))

    def _true_reward(self, reward: float) -> float:
        """What a step counts for in an episode's return."""
        return reward

    def _end_episode_at(self, observation: Any, reward: float, terminal: bool) -> None:
        """Tell the agent of an episode's last step, and what it has led to."""
        self._end_episode(reward, terminal)  # Dopamine's agents are told no more.

    def _initialize_episode(self) -> Any:
        if self._phase.num_starts == 0 and not self._agent.eval_mode:
            stream = [self._agent.seed, _ENVIRONMENT_STREAM, self._iteration]
            atari.seed_environment(self._environment, np.random.default_rng(stream))
        return self._agent.begin_episode(self._first_observation())

    def _first_observation(self) -> np.ndarray:
        return self._environment.reset()

    def _run_one_step(self, action: Any) -> tuple[Any, float, bool]:
        if self._agent.eval_mode:
            self._stop.check()
        result = super()._run_one_step(action)
        if not self._agent.eval_mode:
            self._progress.advance(
                self._agent.dormant_fraction, self._agent.waiting_for
            )
        return result

    # Iterations.

    @property
    def _evaluates(self) -> bool:
        return self._evaluation_steps > 0

    def _evaluate(self) -> None:
        """Evaluate, or leave everything as it was before."""
        environment = atari.get_state(self._environment)
        memory = self._agent.actor_state()
        try:
            self.episode_ended = True  # Dopamine goes on with an episode otherwise.
            _, average_return = self._run_eval_phase(
                iteration_statistics.IterationStatistics()
            )
        except StopRequested:
            atari.set_state(self._environment, environment)
            self._agent.set_actor_state(memory)
            raise
        self._agent.write_metrics({"eval/average_return": average_return})

    def _run_one_iteration(self, iteration: int) -> None:
        self._progress.start_iteration(iteration, self._phase.num_steps)
        if not self._phase.over:
            self._run_train_phase(None)
        if self._evaluates:
            self._progress.start_evaluation(iteration)
            self._evaluate()

    def _run_next_iteration(self) -> None:
        self._run_one_iteration(self._iteration)
        self._iteration += 1
        self._phase = self._phase.next()
        self._checkpoint()

    def run_experiment(self) -> None:
        """Run what is left of the experiment.

        Raises:
            StopRequested: a signal has come, and a checkpoint has been written.
            NotFiniteError: a loss or a parameter is NaN or infinite.
        """
        progress = self._progress.over(
            self._iteration,
            self._num_iterations,
            self._training_steps,
            steps_done=self._agent.training_steps,
            steps_of_iteration=self._phase.num_steps,
            tau=max(self._agent._plasticity.tracking.taus, default=math.nan),
        )
        with self._stop.listening(), progress:
            try:
                self._checkpoint_a_foreign_start()
                while not self.finished:
                    try:
                        self._run_next_iteration()
                    except NotFiniteError as error:
                        self._roll_back(error)
            except StopRequested:
                if atari.is_restorable(self._environment):
                    self._checkpoint()
                raise
        self._collector_dispatcher.close()


@gin.configurable(module="redo_dopamine", allowlist=["runner"])
def experiment(
    base_dir: str,
    runner: Callable[..., PlasticityRunner] = PlasticityRunner,
    options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
) -> PlasticityRunner:
    """The runner of an experiment, as gin chooses it.

    Args:
        base_dir: where everything is written.
        runner: class of the runner.
        options: of how a run in `base_dir` is resumed.
    """
    return runner(base_dir, options=options)


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class MinatarRunner(PlasticityRunner):
    """Runs an agent of Atari on MinAtar, whose observations differ by game.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions and what
            observations are like.
        options: as in `PlasticityRunner`.
    """

    NEEDS = ("reset", "step", "game_over", "action_space.n", "agent_kwargs")

    def __init__(
        self,
        base_dir: str,
        agent: Callable[..., Any] = dqn.RecycledDQNAgent,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, options=options)

    def _build_agent(self, agent: Callable[..., Any], environment: Any) -> Any:
        return agent(environment.action_space.n, **environment.agent_kwargs())
