"""Read and write teacher data: states, a teacher's Q-values, and a student.

A file `<game>.npz` with checksums; `redo-dopamine data teacher` makes one of two runs.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from redo_dopamine.core.graph import Params
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint

_STUDENT = "student"
_REMEDY = (
    "Make one of two runs by 'redo-dopamine data teacher --teacher=RUN_DIR "
    "--student=RUN_DIR', which writes data/distillation/<game>.npz."
)


class TeacherData(NamedTuple):
    """What a student is to learn; flags and settings call it a lesson.

    Attributes:
        states: as the network takes them [N, H, W, stack].
        q_values: the teacher's [N, actions], float32.
        student: parameters to begin with, by name as `checkpoints.flatten` has them.
        checksum: tells these data from others.
    """

    states: np.ndarray
    q_values: np.ndarray
    student: checkpoint.Arrays
    checksum: int

    @property
    def num_actions(self) -> int:
        """How many Q-values a state has."""
        return self.q_values.shape[1]

    def student_like(self, params: Params) -> Params:
        """Give the student's parameters, as a tree like that of a network.

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


def write(
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


def read(path: str | Path) -> TeacherData:
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
