"""Settings that are bound and that nothing of a run reads."""

import inspect
from collections.abc import Iterator
from typing import Any

import gin

from redo_dopamine.core.checks import is_number

# Read while the configuration is loaded, or of gin itself.
_READ = (
    "create_runner.schedule",
    "create_agent.agent_name",
    "Atari100kRainbowAgent.seed",
)
_OF_GIN = ("gin", "import")


def unused_settings() -> list[str]:
    """The settings that nothing has read since gin's configuration was loaded.

    To be asked for once all of a run is built. What a function will read that is handed
    on and called later, as `@linearly_decaying_epsilon`, is not among them; nor is what
    is bound to its default, which asks for nothing.
    """
    used: dict[str, set[str]] = {}
    waiting: set[str] = set()
    for (_, selector), parameters in gin.config._OPERATIVE_CONFIG.items():
        used.setdefault(selector, set()).update(parameters)
        waiting.update(_handed_on(list(parameters.values())))
    return sorted(
        name
        for (_, selector), parameters in gin.config._CONFIG.items()
        for parameter, value in parameters.items()
        if parameter not in used.get(selector, ())
        and selector not in waiting
        and selector.partition(".")[0] not in _OF_GIN
        and (name := f"{selector.rpartition('.')[2]}.{parameter}") not in _READ
        and not _is_default(selector, parameter, value)
    )


def _is_default(selector: str, parameter: str, value: Any) -> bool:
    wrapped = gin.config._REGISTRY[selector].wrapped  # Gin has no public way to it.
    known = inspect.signature(wrapped).parameters.get(parameter)
    default = known.default if known else inspect.Parameter.empty
    alike = type(value) is type(default) or (is_number(value) and is_number(default))
    return alike and bool(value == default)


def _handed_on(value: Any) -> Iterator[str]:
    """Selectors of the functions in a value."""
    if isinstance(value, gin.config.ConfigurableReference):
        yield value.config_key[1]
    elif isinstance(value, dict):
        yield from _handed_on([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _handed_on(item)
