"""Teach a network the Q-values of another on fixed states, from teacher data.

`python -m redo_dopamine.supervised.distillation --base_dir=DIR --lesson=FILE`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.cli import flags, process
from redo_dopamine.core.checks import check_positive, whole_setting
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory
from redo_dopamine.errors import UserError
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.rundir import checkpoint
from redo_dopamine.supervised.command import Command
from redo_dopamine.supervised.experiment import EpochExperiment, Objective, make_draw

_STUDENT = "student"
_REMEDY = (
    "Make one of two runs by 'redo-dopamine data teacher --teacher=RUN_DIR "
    "--student=RUN_DIR', which writes data/distillation/<game>.npz."
)


class TeacherData(NamedTuple):
    """What a student learns from; flags and settings call it a lesson."""

    states: np.ndarray  # As the network takes them [N, H, W, stack].
    q_values: np.ndarray  # The teacher's [N, actions], float32.
    student: checkpoint.Arrays  # Initial parameters, by `checkpoint.flatten`'s names.
    checksum: int  # Tells these data from others.

    @property
    def num_actions(self) -> int:
        """How many Q-values a state has."""
        return self.q_values.shape[1]

    def student_like(self, params: Params) -> Params:
        """Return the student's parameters, as a tree like that of a network.

        Raises:
            UserError: the network is another one than the student's.
        """
        try:
            return checkpoint.unflatten(params, self.student, _STUDENT)
        except ValueError as error:
            raise UserError(
                "A pretrained student must be of the network that Distillation.network "
                f"names, but is another one: {error}"
            ) from error


def write_teacher_data(
    path: Path, states: np.ndarray, q_values: np.ndarray, student: Params
) -> None:
    """Write a file of teacher data, whole or not at all.

    Args:
        path: of the file; its directory is made if missing.
        states: [N, H, W, stack].
        q_values: the teacher's [N, actions].
        student: parameters to begin with.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "states": np.ascontiguousarray(states),
        "q_values": np.asarray(q_values, np.float32),
        **checkpoint.flatten(student, _STUDENT),
    }
    checkpoint.write_file(path, arrays, {"checksum": checkpoint.checksum(arrays)})


def read_teacher_data(path: str | Path) -> TeacherData:
    """Read a file of teacher data.

    Raises:
        UserError: it is missing, damaged or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"Distillation.lesson must be a file, but {path} is none. {_REMEDY}"
        )
    try:
        arrays, meta = checkpoint.read(path)
        data = TeacherData(
            arrays["states"],
            arrays["q_values"],
            {name: x for name, x in arrays.items() if name.startswith(_STUDENT)},
            int(meta["checksum"]),
        )
    except (ValueError, KeyError) as error:
        raise UserError(
            f"Distillation.lesson must be a whole file of teacher data, but {path} "
            f"cannot be used: {error} {_REMEDY}"
        ) from error
    for name, array in (("states", data.states), ("q_values", data.q_values)):
        wrong = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if wrong.any():
            raise UserError(
                f"Distillation.lesson must hold finite numbers, but row "
                f"{np.flatnonzero(wrong)[0]} of {name} in {path} does not "
                f"({wrong.sum()} such rows). {_REMEDY}"
            )
    return data


# From teacher data and newly drawn parameters to a student's initial ones.
InitFn = Callable[[TeacherData, Params], Params]


def fresh_student(lesson: TeacherData, drawn: Params) -> Params:
    """Begin with new parameters from the initializers."""
    del lesson
    return drawn


def pretrained_student(lesson: TeacherData, drawn: Params) -> Params:
    """Begin with the parameters of the student's run.

    Raises:
        UserError: they are of another network.
    """
    return jax.tree.map(jnp.array, lesson.student_like(drawn))


def squared_error(q_values: np.ndarray) -> Objective:
    r"""Measure how far a student's Q-values are from a teacher's.

    .. math:: \text{loss} = E_{s,a} \big( Q(s, a) - Q_{teacher}(s, a) \big)^2

    and `relative_loss`, which is that divided by the variance of the teacher's
    Q-values around each action's mean: 1 for the best student that is blind to states.

    Args:
        q_values: the teacher's, of all states [N, actions].
    """
    variance = np.mean(np.var(q_values.astype(np.float64), axis=0))

    def objective(outputs: Any, targets: jax.Array) -> Mapping[str, jax.Array]:
        loss = jnp.mean((outputs.q_values - targets) ** 2)
        return {"loss": loss, "relative_loss": loss / np.float32(variance)}

    return objective


class Distillation(EpochExperiment):
    """Regress the Q-values that a trained teacher gives to replayed states.

    Sokar et al., ICML 2023 (arXiv 2302.12902): a network pretrained at replay ratio 1
    learns them worse than a fresh one and falls dormant. That the loss is the mean
    squared error over all actions, the states a fixed set and an epoch a pass over it
    are choices of this project, since the paper's are not known; the optimizer is
    DQN's. Its moments begin at zero for every student.

    Two experiments of a seed that differ in `start` or `intervention` have the same
    states and order of the data.

    Args:
        lesson: path of a file of teacher data.
        network: makes the student's network from a number of actions.
        start: what the student begins with: `fresh_student` or `pretrained_student`.
        learning_rate: of Adam.
        eps: of Adam.
        The others are those of `EpochExperiment`.

    Raises:
        UserError: teacher data that cannot be read, or a student of another network.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        lesson: str,
        network: Callable[[int], Any] = NatureNetwork,
        start: InitFn = fresh_student,
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
        seed = whole_setting("seed", seed, low=0)
        check_positive(learning_rate=learning_rate, eps=eps)
        data = read_teacher_data(lesson)
        self._q_values = data.q_values
        made = network(data.num_actions)
        draw_params = make_draw(made, data.states)
        super().__init__(
            *(made, data.states, squared_error(data.q_values)),
            optax.adam(learning_rate, eps=eps),
            start(data, draw_params(jax.random.PRNGKey(seed))),
            draw_params=draw_params,
            intervention=intervention,
            taus=taus,
            checksum=data.checksum,
            seed=seed,
            num_epochs=num_epochs,
            batch_size=batch_size,
            tracking_batch_size=tracking_batch_size,
        )

    def targets_at(self, epoch: int) -> np.ndarray:
        """The teacher's Q-values [N, actions], which stay."""
        return self._q_values


_LESSON = "Distillation.lesson"


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lesson", help="path of a file of teacher data")


def _bindings(options: argparse.Namespace) -> list[str]:
    lesson = flags.optional("--lesson", options.lesson)
    return [] if lesson is None else [f"{_LESSON} = {lesson!r}"]


def _dataset() -> str:
    try:
        return Path(str(gin.query_parameter(_LESSON))).stem
    except ValueError:
        raise UserError(
            f"Teacher data must be named, but {_LESSON} is not bound. Give "
            "--lesson=FILE."
        ) from None


COMMAND = Command(
    module="distillation",
    kind=Distillation,
    description="Teach a network the Q-values of another on fixed states.",
    names={
        "fresh_student": fresh_student,
        "pretrained_student": pretrained_student,
        "NatureNetwork": NatureNetwork,
        "ImpalaNetwork": ImpalaNetwork,
    },
    defaults="""
Distillation.network = @NatureNetwork
Distillation.start = @fresh_student
Distillation.intervention = @none()
""",
    dataset=_dataset,
    add_flags=_add_flags,
    bindings=_bindings,
)
main = COMMAND.main


if __name__ == "__main__":
    process.run(main)
