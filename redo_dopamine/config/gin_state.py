"""Gin's configuration taken and put back: there is one per process."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import gin


class GinState(NamedTuple):
    """What is bound, what of it was used, and what it made."""

    bound: dict[Any, dict[str, Any]]
    used: dict[Any, dict[str, Any]]
    singletons: dict[Any, Any]
    imports: set[Any]
    is_locked: bool


def current() -> GinState:
    """Take a copy of the configuration."""
    of = gin.config
    return GinState(
        {name: dict(values) for name, values in of._CONFIG.items()},
        {name: dict(values) for name, values in of._OPERATIVE_CONFIG.items()},
        dict(of._SINGLETONS),
        set(of._IMPORTS),
        of.config_is_locked(),
    )


@contextlib.contextmanager
def kept(inside: GinState | None = None) -> Iterator[None]:
    """Leave the configuration as it was, whatever the block does to it.

    Args:
        inside: the one that is in force meanwhile; None for that which is there.
    """
    before = current()
    try:
        if inside is not None:
            _put(inside)
        yield
    finally:
        _put(before)


def _put(state: GinState) -> None:
    of = gin.config
    for there, values in (
        (of._CONFIG, {name: dict(x) for name, x in state.bound.items()}),
        (of._OPERATIVE_CONFIG, {name: dict(x) for name, x in state.used.items()}),
        (of._SINGLETONS, state.singletons),
        (of._IMPORTS, state.imports),
    ):
        there.clear()
        there.update(values)
    of._set_config_is_locked(state.is_locked)
