"""Start a run from a checkpoint that Dopamine itself has written.

Takes parameters, target parameters and optimizer state from a `ckpt.<n>`, which is a
pickle. A pickle may run any code when it is loaded, so this one can make nothing but
arrays and containers; and it is only read when a flag asks for it by name.
"""

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optax
from numpy._core import multiarray

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint

_FLAG = "--unpickle_dopamine_checkpoint"
_PARAMS, _TARGET, _OPTIMIZER = "online_params", "target_params", "optimizer_state"


def _array_of_jax(
    make: Callable[..., np.ndarray], args: Any, state: Any, aval_state: Any
) -> np.ndarray:
    """In the place of jax's function of the same arguments: stays with NumPy."""
    del aval_state
    array = make(*args)
    array.__setstate__(state)
    return array


def _modules(*names: str) -> Callable[[str], bool]:
    return lambda module: module in names


_numpy_internals = _modules("numpy._core.multiarray", "numpy.core.multiarray")
_optax = lambda module: module.partition(".")[0] == "optax"  # noqa: E731
# All that the pickle may name: the name, the modules it may be of, what it becomes.
_ALLOWED: dict[str, tuple[Callable[[str], bool], Any]] = {
    "ndarray": (_modules("numpy"), np.ndarray),
    "dtype": (_modules("numpy"), np.dtype),
    "_reconstruct": (_numpy_internals, multiarray._reconstruct),
    "scalar": (_numpy_internals, multiarray.scalar),
    "_reconstruct_array": (_modules("jax._src.array"), _array_of_jax),
    "reconstruct_device_array": (_modules("jax._src.device_array"), _array_of_jax),
    "FrozenDict": (_modules("flax.core.frozen_dict"), dict),
    "OrderedDict": (_modules("collections"), OrderedDict),
    "EmptyState": (_optax, optax.EmptyState),
    "ScaleByAdamState": (_optax, optax.ScaleByAdamState),
    "ScaleByRmsState": (_optax, optax.ScaleByRmsState),
    "ScaleByRStdDevState": (_optax, optax.ScaleByRStdDevState),
    "TraceState": (_optax, optax.TraceState),
}


class _Unpickler(pickle.Unpickler):
    """Makes nothing but what `_ALLOWED` lists."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for.

        Raises:
            UnpicklingError: it is none of those allowed.
        """
        allows, becomes = _ALLOWED.get(name, (_modules(), None))
        if not allows(module):
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no part of a DQN checkpoint"
            )
        return becomes


def find(given: str) -> Path:
    """The file that a path means: itself, or the newest whole one in a directory.

    Raises:
        UserError: there is none.
    """
    path = Path(given)
    if path.is_file():
        return path
    for directory in (path, path / "checkpoints"):
        sentinels = directory.glob("sentinel_checkpoint_complete.*")
        numbers = [int(x.suffix[1:]) for x in sentinels if x.suffix[1:].isdigit()]
        for number in sorted(numbers, reverse=True):
            file = directory / f"ckpt.{number}"
            if file.is_file():
                return file
    raise UserError(
        f"{_FLAG} must be a file ckpt.<n> that Dopamine has written, or a directory of "
        f"them, but {given!r} is neither. Give the checkpoints/ of the Dopamine run."
    )


def read(path: Path) -> dict[str, Any]:
    """A checkpoint of Dopamine's as a dictionary of trees of numpy arrays.

    Raises:
        UserError: it is damaged, is none, or names what is not allowed.
    """
    try:
        with path.open("rb") as file:
            bundle = _Unpickler(file).load()
        if not isinstance(bundle, dict) or not {_PARAMS, _TARGET} <= bundle.keys():
            raise ValueError(f"it lacks {_PARAMS} or {_TARGET}")
    # Damaged bytes lead pickle and NumPy to whatever they raise.
    except Exception as error:
        raise UserError(
            f"{_FLAG} must be a whole checkpoint of Dopamine's DQN, but {path} cannot "
            f"be used: {error}. Give another one."
        ) from error
    return bundle


def start_from(given: str, agent: Any) -> None:
    """Give a new agent the parameters of a checkpoint of Dopamine's.

    Steps, exploration and the replay buffer begin again: it is a starting point. An
    optimizer state of another optimizer is left behind, and that is said.

    Args:
        given: as in `find`.
        agent: with `state_tree` and `start_from`.

    Raises:
        UserError: no such checkpoint, or one of another network.
    """
    path = find(given)
    bundle, own = read(path), agent.state_tree()
    try:
        params = _fitted(bundle, own, _PARAMS)
        target = _fitted(bundle, own, _TARGET)
    except ValueError as error:
        raise UserError(
            f"{_FLAG} must be of the network of this run, but {path} is not: {error}"
        ) from error
    try:
        opt_state = _fitted(bundle, own, _OPTIMIZER)
    except (ValueError, KeyError):
        opt_state = None
        print(
            f"warning: the optimizer state of {path} is not of this run's optimizer, "
            "which therefore begins again.",
            file=sys.stderr,
        )
    agent.start_from(params, target, opt_state)


def _fitted(bundle: dict[str, Any], own: dict[str, Any], key: str) -> Any:
    """A tree of the checkpoint in the containers of the agent's own.

    Raises:
        ValueError: its leaves are others in name, shape or type.
    """
    return checkpoint.unflatten(own[key], checkpoint.flatten(bundle[key], key), key)
