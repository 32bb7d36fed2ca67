"""New tasks for networks that have learned before: a teacher's Q-values, regressed.

What comes in: a lesson (`lessons`), a network and an intervention. What leaves:
metrics, epoch by epoch, and a state to go on from.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory, none
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.supervised import teacher_data
from redo_dopamine.supervised.experiment import EpochExperiment
from redo_dopamine.supervised.problem import Objective, Problem
from redo_dopamine.supervised.settings import check, whole
from redo_dopamine.supervised.teacher_data import Lesson

# From a lesson and newly drawn parameters to those that a student begins with.
Start = Callable[[Lesson, Params], Params]


def fresh_student(lesson: Lesson, drawn: Params) -> Params:
    """A student that has learned nothing: new parameters from the initializers."""
    del lesson
    return drawn


def pretrained_student(lesson: Lesson, drawn: Params) -> Params:
    """A student that has been trained before: the parameters of the lesson's run.

    Raises:
        UserError: they are of another network.
    """
    return jax.tree.map(jnp.array, lesson.student_like(drawn))


def squared_error(q_values: np.ndarray) -> Objective:
    r"""How far a student's Q-values are from a teacher's.

    .. math:: \text{loss} = E_{s,a} \big( Q(s, a) - Q_{teacher}(s, a) \big)^2

    and `relative_loss`, which is that divided by the variance of the teacher's
    Q-values around each action's mean: 1 for a student that says the same of all
    states, as well as it can.

    Args:
        q_values: the teacher's, of all states [N, actions].
    """
    variance = np.mean(np.var(q_values.astype(np.float64), axis=0))

    def objective(outputs: Any, targets: jax.Array) -> Mapping[str, jax.Array]:
        loss = jnp.mean((outputs.q_values - targets) ** 2)
        return {"loss": loss, "relative_loss": loss / np.float32(variance)}

    return objective


class Distillation(EpochExperiment):
    """A student regresses the Q-values that a trained teacher gives to replayed states.

    Sokar et al., ICML 2023 (arXiv 2302.12902): a network pretrained at replay ratio 1
    learns them worse than a fresh one and falls dormant. That the loss is the mean
    squared error over all actions, the states a fixed set and an epoch a pass over it
    are choices of this project, since the paper's are not known; the optimizer is
    DQN's. Its moments begin at zero for every student.

    Two experiments of a seed that differ in `start` or `intervention` have the same
    states and order of the data.

    Args:
        lesson: path of a lesson's file.
        network: makes the student's network from a number of actions.
        start: what the student begins with: `fresh_student` or `pretrained_student`.
        intervention: what to do against lost plasticity, such as `redo()`.
        seed: of all random streams.
        num_epochs: passes over the states.
        batch_size: states an update.
        learning_rate: of Adam.
        eps: of Adam.
        taus: thresholds to measure dormancy at, at the end of every epoch.
        tracking_batch_size: states that a measurement averages over, the same ones
            always; all where there are no more.

    Raises:
        UserError: a lesson that cannot be read, or a student of another network.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        lesson: str,
        network: Callable[[int], Any] = NatureNetwork,
        start: Start = fresh_student,
        intervention: InterventionFactory | None = None,
        *,
        seed: int = 0,
        num_epochs: int = 160,
        batch_size: int = 32,
        learning_rate: float = 6.25e-5,
        eps: float = 1.5e-4,
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        tracking_batch_size: int = 1024,
    ):
        seed = whole("seed", seed, low=0)
        check("learning_rate", learning_rate, lambda x: x > 0, "a finite number > 0")
        check("eps", eps, lambda x: x > 0, "a finite number > 0")
        given = teacher_data.read(lesson)
        problem = Problem(
            network(given.num_actions),
            given.states,
            squared_error(given.q_values),
            optax.adam(learning_rate, eps=eps),
            intervention or none(),
            taus,
        )
        drawn = problem.draw_params(jax.random.PRNGKey(seed))
        self._q_values = given.q_values
        super().__init__(
            problem,
            problem.init(start(given, drawn)),
            checksum=given.checksum,
            num_inputs=len(given.states),
            seed=seed,
            num_epochs=num_epochs,
            batch_size=batch_size,
            tracking_batch_size=tracking_batch_size,
        )

    def targets_at(self, epoch: int) -> np.ndarray:
        """The teacher's Q-values [N, actions], which stay."""
        return self._q_values
