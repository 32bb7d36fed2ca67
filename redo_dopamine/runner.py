"""Dopamine's Runner with metrics by name, one progress bar and exact resuming.

What comes in: a base directory, an agent class, and gin's `Runner.*` bindings. What
leaves: metrics and checkpoints in the base directory.
"""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gin
import numpy as np
from absl import logging
from dopamine.discrete_domains import (
    checkpointer,
    iteration_statistics,
    run_experiment,
)
from dopamine.metrics import collector_dispatcher

from redo_dopamine import collectors, provenance
from redo_dopamine.agents import dqn
from redo_dopamine.config_diff import check_same_config
from redo_dopamine.errors import UserError
from redo_dopamine.progress import Progress

# Sets the environment's random stream apart from those of the agent.
_ENVIRONMENT_STREAM = 3


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class PlasticityRunner(run_experiment.Runner):
    """Runs an agent of this package; takes Dopamine's `Runner.*` bindings.

    Every iteration ends with an episode and a checkpoint, and seeds the environment
    anew, so that a run resumed at a checkpoint goes on as if it had not stopped.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Callable[..., Any] = dqn.RecycledDQNAgent,
    ):
        self._iteration = 0
        self._seed_is_due = False
        self._unfinished_return = 0.0
        self._progress = Progress()
        collector_dispatcher.add_collector(
            "csv", functools.partial(collectors.CsvCollector, clock=self._clock)
        )
        super().__init__(
            base_dir,
            lambda sess, environment, summary_writer: agent(environment.action_space.n),
            use_legacy_logger=False,
            fine_grained_print_to_console=False,
        )

    @property
    def finished(self) -> bool:
        """Whether the last checkpoint is that of the last iteration."""
        return self._start_iteration >= self._num_iterations

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

    # Checkpoints.

    def _initialize_checkpointer_and_maybe_resume(
        self, checkpoint_file_prefix: str
    ) -> None:
        self._config = provenance.operative_config()
        self._start_iteration = 0
        latest = checkpointer.get_latest_checkpoint_number(self._checkpoint_dir)
        metrics_size = 0
        if latest >= 0:
            metrics_size = self._resume(checkpoint_file_prefix, latest)
        else:
            self._check_unfinished_start()
        self._checkpointer = checkpointer.Checkpointer(
            self._checkpoint_dir, checkpoint_file_prefix
        )
        collectors.cut_back(self._base_dir, metrics_size)

    def _check_unfinished_start(self) -> None:
        """A run that died before its first checkpoint starts over, as it was."""
        config = Path(self._base_dir) / "config.gin"
        if config.exists():
            check_same_config(config.read_text(), self._config, str(config))

    def _resume(self, prefix: str, number: int) -> int:
        """Load a checkpoint; returns the length of `metrics.csv` that goes with it."""
        name = f"checkpoint {number} in {self._checkpoint_dir}"
        remedy = (
            f"Delete sentinel_checkpoint_complete.{number} there to resume from the "
            "checkpoint before it, or start over with another --base_dir."
        )
        try:
            data = checkpointer.Checkpointer(
                self._checkpoint_dir, prefix
            ).load_checkpoint(number)
            config = data["config"]
        except Exception as error:  # Pickle raises whatever the bytes lead it to.
            raise UserError(
                f"A checkpoint must be whole, but {name} cannot be read "
                f"({type(error).__name__}: {error}). {remedy}"
            ) from error
        check_same_config(config, self._config, name)
        try:
            whole = self._agent.unbundle(self._checkpoint_dir, number, data)
        except Exception as error:
            raise UserError(
                f"A checkpoint must be whole, but {name} cannot be loaded "
                f"({type(error).__name__}: {error}). {remedy}"
            ) from error
        if not whole:
            raise UserError(
                f"A checkpoint must be whole, but {name} lacks its replay buffer. "
                f"{remedy}"
            )
        self._start_iteration = data["current_iteration"] + 1
        logging.info("Resuming at iteration %d", self._start_iteration)
        return data["metrics_size"]

    def _checkpoint_experiment(self, iteration: int) -> None:
        self._collector_dispatcher.flush()
        bundle = self._agent.bundle_and_checkpoint(self._checkpoint_dir, iteration)
        bundle["current_iteration"] = iteration
        bundle["config"] = self._config
        bundle["metrics_size"] = collectors.current_size(self._base_dir)
        self._checkpointer.save_checkpoint(iteration, bundle)

    # Episodes.

    def _initialize_episode(self) -> Any:
        if self._seed_is_due:
            stream = [self._agent.seed, _ENVIRONMENT_STREAM, self._iteration]
            seed_environment(self._environment, np.random.default_rng(stream))
            self._seed_is_due = False
        return self._agent.begin_episode(self._first_observation())

    def _first_observation(self) -> np.ndarray:
        return self._environment.reset()

    def _run_one_step(self, action: Any) -> tuple[Any, float, bool]:
        result = super()._run_one_step(action)
        if not self._agent.eval_mode:
            self._progress.advance(self._agent.dormant_fraction)
        return result

    def _run_one_episode(self) -> tuple[int, float]:
        length, episode_return = super()._run_one_episode()
        self._report_episode(episode_return)
        return length, episode_return

    def _run_continued_episode(
        self, start_step_count: int, max_step_count: int
    ) -> tuple[int, float]:
        length, partial = super()._run_continued_episode(
            start_step_count, max_step_count
        )
        self._unfinished_return += partial
        if self.episode_ended:
            self._report_episode(self._unfinished_return)
            self._unfinished_return = 0.0
        return length, partial

    def _report_episode(self, episode_return: float) -> None:
        if not self._agent.eval_mode:
            self._agent.write_metrics({"train/episode_return": episode_return})
            self._progress.end_episode(episode_return)

    # Iterations.

    @property
    def _evaluates(self) -> bool:
        return self._evaluation_steps > 0

    def _run_one_iteration(self, iteration: int) -> dict[str, Any]:
        self._iteration = iteration
        self._seed_is_due = True
        self._progress.start_iteration(iteration)
        statistics = iteration_statistics.IterationStatistics()
        _, average_return, steps_per_second = self._run_train_phase(statistics)
        self._agent.write_metrics(
            {
                "train/average_return": average_return,
                "train/steps_per_second": steps_per_second,
            }
        )
        if self._evaluates:
            self._progress.start_evaluation(iteration)
            _, average_return = self._run_eval_phase(statistics)
            self._agent.write_metrics({"eval/average_return": average_return})
        return statistics.data_lists

    def run_experiment(self) -> None:
        """Run what is left of the experiment, with a checkpoint per iteration."""
        with self._progress.over(
            self._start_iteration,
            self._num_iterations,
            self._training_steps,
            steps_done=self._agent.training_steps,
        ):
            for iteration in range(self._start_iteration, self._num_iterations):
                self._run_one_iteration(iteration)
                self._checkpoint_experiment(iteration)
        self._collector_dispatcher.close()


def seed_environment(environment: Any, rng: np.random.Generator) -> None:
    """Give the emulator of a Dopamine environment a seed drawn from `rng`."""
    # Dopamine's preprocessing does not pass a seed on, so reach inside it.
    environment.environment.reset(seed=int(rng.integers(2**31)))


@gin.configurable(module="redo_dopamine", allowlist=["runner"])
def experiment(
    base_dir: str, runner: Callable[[str], PlasticityRunner] = PlasticityRunner
) -> PlasticityRunner:
    """The runner of an experiment, as gin chooses it.

    Args:
        base_dir: where everything is written.
        runner: class of the runner.
    """
    return runner(base_dir)
