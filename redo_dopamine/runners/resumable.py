"""Dopamine's Runner with checkpoints of its whole state, between any two steps.

No checkpoint has numbers that are not finite: `Watch` raises a `NotFiniteError`. In the
loop it does not wait for the device: a number is looked at once it is there.
"""

import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dopamine.discrete_domains import run_experiment

from redo_dopamine.cli.process import StopSwitch
from redo_dopamine.core.checks import not_finite
from redo_dopamine.environments import atari
from redo_dopamine.errors import NotFiniteError, shortened
from redo_dopamine.rundir import operative
from redo_dopamine.runners import dopamine_checkpoint
from redo_dopamine.runners.resume import (
    Checkpoints,
    ResumeOptions,
    Snapshot,
    TrainPhase,
)


class ResumableRunner(run_experiment.Runner):
    """Saves and restores the state of a runner with the attributes below."""

    _environment: Any  # Set by Dopamine's constructor.
    _agent: Any
    _iteration: int
    _phase: TrainPhase
    _stop: StopSwitch
    _options: ResumeOptions
    _checkpoint_seconds: float
    _num_iterations: int
    _training_steps: int
    _rollbacks: int = 0

    def _initialize_checkpointer_and_maybe_resume(
        self, checkpoint_file_prefix: str
    ) -> None:
        del checkpoint_file_prefix
        self._environment = atari.restorable(self._environment)
        self._checkpoints = Checkpoints(
            self._base_dir,
            self._agent,
            operative.operative_config(),
            self._options,
            self._agent_steps(),
        )
        snapshot = self._checkpoints.resume(
            self._restore_environment, self._check_action
        )
        if snapshot is not None:
            self._restore(snapshot)
        elif self._options.dopamine_checkpoint is not None:
            dopamine_checkpoint.start_from(
                self._options.dopamine_checkpoint, self._agent
            )
        self._watch = Watch(self._agent)
        self._last_checkpoint = time.monotonic()

    def _agent_steps(self) -> int:
        """How many the run is meant to have; the settings are checked later."""
        lengths = (self._num_iterations, self._training_steps)
        return math.prod(x if isinstance(x, int) else 0 for x in lengths)

    def _restore(self, snapshot: Snapshot) -> None:
        self._iteration = snapshot.iteration
        self._phase = TrainPhase.from_json(snapshot.phase)
        self._rollbacks = snapshot.rollbacks

    def _restore_environment(self, state: atari.State) -> None:
        atari.set_state(self._environment, state)

    def _check_action(self, action: Any) -> None:
        """Refuse an action of a checkpoint that the environment does not have."""
        space = self._environment.action_space
        if action is None:
            return
        if hasattr(space, "n"):
            fits = isinstance(action, int) and action < space.n
        else:
            fits = isinstance(action, list) and np.shape(action) == space.shape
        if not fits:
            raise ValueError(f"{shortened(action)} is no action of it")

    def _checkpoint(self) -> None:
        self._watch.look_at_all()
        self._checkpoints.save(
            Snapshot(
                self._iteration,
                self._phase.to_json(),
                atari.get_state(self._environment),
                self._rollbacks,
            ),
            write_rows=self._collector_dispatcher.flush,
        )
        self._last_checkpoint = time.monotonic()

    def _checkpoint_a_foreign_start(self) -> None:
        """So that the run is its own from then on, whatever flags it is given."""
        if (
            self._options.dopamine_checkpoint is not None
            and not self._checkpoints.newest
        ):
            self._checkpoint()

    def _between_steps(self) -> None:
        self._watch.look()
        self._stop.check()
        due = time.monotonic() - self._last_checkpoint > self._checkpoint_seconds
        if due and atari.is_restorable(self._environment):
            self._checkpoint()

    def _roll_back(self, error: NotFiniteError) -> None:
        """Go on from the last checkpoint with other random numbers, if still allowed.

        Raises:
            NotFiniteError: it is not allowed, or not any more.
        """
        last = self._checkpoints.newest
        good = f"{error} The last good checkpoint is {last or 'not there: none yet'}."
        if last is None or self._options.rollbacks == 0:
            raise NotFiniteError(
                f"{good} Lower the learning rate, or add --on_nan=rollback to go on "
                "from a checkpoint, once, with another data order."
            ) from error
        if self._rollbacks >= self._options.rollbacks:
            raise NotFiniteError(
                f"{good} The run has gone back {self._rollbacks} time(s) already, and "
                "may not again. Lower the learning rate, or start another run."
            ) from error
        print(
            f"warning: {good} The run goes back to it and on with another data order.",
            file=sys.stderr,
        )
        self._collector_dispatcher.flush()
        snapshot = self._checkpoints.resume(
            self._restore_environment, self._check_action
        )
        assert snapshot is not None  # There is a checkpoint, or this is a UserError.
        self._restore(snapshot)
        self._rollbacks += 1
        self._agent.change_data_order(self._rollbacks)
        self._watch = Watch(self._agent)
        # Now, so that it counts even if the process dies before the next one is due.
        self._checkpoint()


# Gradient steps between two looks at all parameters; every loss is looked at.
_PERIOD = 1000


class _Pending(NamedTuple):
    gradient_step: int
    all_finite: Any  # An array, perhaps still on its way.


class Watch:
    """Looks at the losses and parameters of an agent.

    Args:
        agent: with `recent_losses`, `gradient_step`, `training_steps`, and `TREES`:
            the attributes that a checkpoint must never hold with a NaN in them.
    """

    def __init__(self, agent: Any):
        self._agent = agent
        self._pending: _Pending | None = None
        self._looked_at = agent.gradient_step
        self._all_finite = jax.jit(_all_finite)

    def look(self) -> None:
        """Look at what the device has finished by now, without waiting for it.

        Raises:
            NotFiniteError: a number is not finite.
        """
        losses = self._agent.recent_losses
        while losses and losses[0][1].is_ready():
            self._check_loss(*losses.popleft())
        step = self._agent.gradient_step
        if self._pending is not None:
            if self._pending.all_finite.is_ready():
                pending, self._pending = self._pending, None
                if not pending.all_finite:
                    self._fail(f"by gradient step {pending.gradient_step} some are not")
        elif step - self._looked_at >= _PERIOD:
            self._looked_at = step
            self._pending = _Pending(step, self._all_finite(self._agent.online_params))

    def look_at_all(self) -> None:
        """Wait for the device and look at everything that a checkpoint would hold.

        Raises:
            NotFiniteError: a number is not finite.
        """
        losses = self._agent.recent_losses
        while losses:
            self._check_loss(*losses.popleft())
        if next(self._damaged(), None) is not None:
            self._fail(f"by gradient step {self._agent.gradient_step} some are not")

    def _check_loss(self, gradient_step: int, loss: Any) -> None:
        value = float(loss)
        if not math.isfinite(value):
            self._fail(f"the loss of gradient step {gradient_step} is {value}")

    def _damaged(self) -> Iterator[str]:
        for name in self._agent.TREES:
            yield from not_finite({name: getattr(self._agent, name)})

    def _fail(self, what: str) -> None:
        found = list(self._damaged())
        where = "all parameters are finite"
        if found:
            more = f", and {len(found) - 1} more arrays" if found[1:] else ""
            where = f"not finite: {found[0]}{more}"
        raise NotFiniteError(
            "The losses and parameters of a run must be finite, but at agent step "
            f"{self._agent.training_steps} {what} ({where})."
        )


def _all_finite(params: Mapping[str, Any]) -> jax.Array:
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]
    return jnp.stack(leaves).all()
