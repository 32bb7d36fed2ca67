"""Make teacher data of two runs: a teacher's Q-values of its replay, and a student.

The teacher's run needs its replay buffer. Writes a file for
`redo_dopamine.supervised.distillation`; the runs are only read. Touches gin's global
state.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from redo_dopamine.config import load
from redo_dopamine.core.jit import compiled
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import restore
from redo_dopamine.supervised import distillation

_STATES = 9  # A random stream, apart from the others.
_AT_ONCE = 256  # States, so that few are in memory twice.


class Request(NamedTuple):
    """What to make teacher data of.

    Attributes:
        teacher: a run's directory, or a checkpoint, with its replay buffer.
        student: likewise; its replay buffer is not needed.
        output: directory for `<game>.npz`.
        num_states: drawn from the teacher's replay buffer without replacement.
        seed: of the draw.
        trust_modules: modules of the user's own that the runs' settings name.
    """

    teacher: str
    student: str
    output: str
    num_states: int = 10_000
    seed: int = 0
    trust_modules: Sequence[str] = ()


class _Run(NamedTuple):
    """A restored agent, and what it plays."""

    path: Path
    agent: Any
    game: str


def make(request: Request) -> Path:
    """Make teacher data; returns the path of the file.

    Raises:
        UserError: a run that cannot be used, runs that do not fit each other, or a
            directory that cannot be written.
    """
    teacher = _restored(request, request.teacher, replay=True)
    path = Path(request.output) / f"{teacher.game}.npz"
    if os.path.lexists(path):
        raise UserError(
            f"Teacher data need a file of their own, but {path} is there. Give another "
            "--output, or move it away."
        )
    student = _restored(request, request.student, replay=False)
    kinds = [(run.game, run.agent.num_actions) for run in (teacher, student)]
    if kinds[0] != kinds[1]:
        raise UserError(
            "A student must be of its teacher's game, but {} plays {} and {} plays "
            "{}. Give two runs of one game.".format(
                *(teacher.path, teacher.game, student.path, student.game)
            )
        )
    q_values = _q_values(teacher.agent)
    parts = [(x, q_values(x)) for x in _states(teacher, request)]
    states, said = (np.concatenate(part) for part in zip(*parts, strict=True))
    try:
        distillation.write_teacher_data(path, states, said, student.agent.online_params)
    except OSError as error:
        raise UserError(
            f"--output must be a directory that can be written, but {path} cannot: "
            f"{error.strerror}. Give another one."
        ) from error
    return path


def _restored(request: Request, given: str, *, replay: bool) -> _Run:
    path = restore.find_checkpoint(given)
    agent = restore.atari_agent(
        path, replay=replay, trust_modules=request.trust_modules
    )
    return _Run(path, agent, load.bound(load.GAME))


def _q_values(agent: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The agent's Q-values [B, actions] of states [B, ...]."""
    of_one = agent._q_values
    of_all = compiled(
        lambda params, states: jax.vmap(lambda state: of_one(params, state))(states)
    )
    return lambda states: np.asarray(of_all(agent.online_params, states))


def _states(teacher: _Run, request: Request) -> Iterator[np.ndarray]:
    """States of the replay buffer as they enter the network [B, ...]."""
    agent = teacher.agent
    available = agent._replay.num_transitions
    if not 1 <= request.num_states <= available:
        raise UserError(
            f"--num_states must be in [1, {available}], the transitions in the "
            f"replay buffer of {teacher.path}, but is {request.num_states}."
        )
    rng = np.random.default_rng([request.seed, _STATES])
    slots = rng.permutation(available)[: request.num_states]
    for first in range(0, len(slots), _AT_ONCE):
        part = agent._replay.transitions(slots[first : first + _AT_ONCE])
        yield np.asarray(agent.preprocess_fn(part.state))
