"""The settings in force: as text, compared with those of before, and those unread.

Gin's operative configuration has what the functions called so far were given by gin,
bound or by default. It leaves out defaults that are no literals, such as functions, and
what is handed on by `**settings`.
"""

import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import gin

_EMPTY = inspect.Parameter.empty
_DEFAULT = "its default"
# Asking for more of them than before is how a run is prolonged.
_MAY_CHANGE = (
    "Runner.num_iterations",
    "LabelShuffle.num_epochs",
    "Distillation.num_epochs",
    "RegressionProbe.num_epochs",
    # The same data may lie elsewhere: a checksum tells whether they are the same.
    "fashion_mnist.data_dir",
    "cifar10.data_dir",
    "Distillation.lesson",
)
# Read while the configuration is loaded, or of gin itself.
_READ = (
    *("create_runner.schedule", "create_agent.agent_name"),
    "Atari100kRainbowAgent.seed",
)
_OF_GIN = ("gin", "import")


def operative_config() -> str:
    """Every setting in force, one a line, as a gin file that can be read again."""
    config = gin.operative_config_str(max_line_length=10**6)
    return re.sub(r"^# =+$", f"# {'=' * 78}", config, flags=re.MULTILINE)


def parse_settings(config: str) -> dict[str, str]:
    """`{"scope/Name.parameter": "value"}` of an operative configuration string.

    A value that is a macro's is written out.
    """
    settings = {}
    for line in config.splitlines():
        name, separator, value = line.partition(" = ")
        if separator and not line.startswith("#"):
            settings[name.strip()] = value.strip()
    for name, value in settings.items():
        for _ in settings:  # A macro may be another one's; in a circle it stays.
            if not value.startswith("%"):
                break
            value = settings.get(value[1:], value)
        settings[name] = value
    return settings


def differences(saved: str, current: str) -> list[str]:
    """A line for each setting that differs, but for those that may."""
    before, now = parse_settings(saved), parse_settings(current)
    # Of a function that was called on both sides; another one was not called yet, or
    # belongs to something whose own choice stands on both.
    called = {_owner(x) for x in before} & {_owner(x) for x in now}
    for name in now.keys() - before.keys():
        # What is not bound is the default of a setting that is newer than the run.
        if _owner(name) in called and _is_bound(name) and not _says_default(name, now):
            before[name] = _DEFAULT
    for name in before.keys() - now.keys():
        if (
            _owner(name) in called
            and default_of(name) is not None
            and not _says_default(name, before)
        ):
            now[name] = _DEFAULT
    return [
        f"  {name}: {before[name]} -> {now[name]}"
        for name in sorted(before.keys() & now.keys())
        if not _same(before[name], now[name]) and not name.endswith(_MAY_CHANGE)
    ]


def unused_settings() -> list[str]:
    """The settings that nothing has read since gin's configuration was loaded.

    To be asked for once all of a run is built. What a function will read that is handed
    on and called later is not among them; nor is what is bound to its default, which
    asks for nothing.
    """
    used: set[tuple[str, str, str]] = set()
    waiting: set[str] = set()
    for (scope, selector), parameters in gin.config._OPERATIVE_CONFIG.items():
        scopes = itertools.accumulate(scope.split("/"), "{}/{}".format)
        used.update(itertools.product(("", *scopes), (selector,), parameters))
        waiting.update(_handed_on(list(parameters.values())))
    called = {selector for _, selector in gin.config._OPERATIVE_CONFIG}
    while more := _settings_of(waiting - called) - waiting:  # They may hand on others.
        waiting |= more
    return sorted(
        f"{scope}/{name}" if scope else name
        for (scope, selector), parameters in gin.config._CONFIG.items()
        for parameter, value in parameters.items()
        if (scope, selector, parameter) not in used
        and selector not in waiting
        and selector.partition(".")[0] not in _OF_GIN
        and (name := f"{selector.rpartition('.')[2]}.{parameter}") not in _READ
        and not _equal(value, default_of(f"{selector}.{parameter}"))
    )


def default_of(name: str) -> Any:
    """A setting's default; None where there is no such setting.

    Of a setting without one, `inspect.Parameter.empty`.
    """
    owner, _, parameter = name.rpartition("/")[2].rpartition(".")
    # Gin has no public way to it.
    try:
        [selector] = gin.config._REGISTRY.matching_selectors(owner)
    except ValueError:  # None, or several.
        return None
    wrapped = gin.config._REGISTRY[selector].wrapped
    for made in inspect.getmro(wrapped) if inspect.isclass(wrapped) else (wrapped,):
        try:
            parameters = inspect.signature(made).parameters
        except (TypeError, ValueError):
            return None
        if parameter in parameters:
            return parameters[parameter].default
        if all(x.kind is not x.VAR_KEYWORD for x in parameters.values()):
            return None
    return _EMPTY  # Taken by **settings: not known here.


def _same(before: str, now: str) -> bool:
    """Whether two values are the same as they are written, or as numbers: 1 and 1.0."""
    try:
        return before == now or float(before) == float(now)
    except ValueError:
        return False


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _is_bound(name: str) -> bool:
    scope, _, rest = name.rpartition("/")
    owner, _, parameter = rest.rpartition(".")
    return any(
        parameter in parameters and f".{selector}".endswith(f".{owner}")
        for (of, selector), parameters in gin.config._CONFIG.items()
        if of == scope
    )


def _says_default(name: str, settings: dict[str, str]) -> bool:
    try:
        value = gin.config.parse_value(settings[name])
    except (ValueError, SyntaxError):
        return False
    return _equal(value, default_of(name))


def _equal(value: Any, default: Any) -> bool:
    if isinstance(value, gin.config.ConfigurableReference) and not value.evaluate:
        if not callable(default):
            return False
        return inspect.unwrap(value.configurable.wrapped) is inspect.unwrap(default)
    numbers = (int, float)
    alike = type(value) is type(default) or {type(value), type(default)} == {*numbers}
    return alike and bool(value == default)


def _settings_of(selectors: set[str]) -> set[str]:
    """Selectors of all functions that settings of these name."""
    return {
        found
        for (_, selector), parameters in gin.config._CONFIG.items()
        if selector in selectors
        for found in _handed_on(list(parameters.values()), called=True)
    }


def _handed_on(value: Any, called: bool = False) -> Iterator[str]:
    """Selectors of the functions in a value; by default of those not called with it."""
    if isinstance(value, gin.config.ConfigurableReference):
        if called or not value.evaluate:
            yield value.config_key[1]
    elif isinstance(value, dict):
        yield from _handed_on([*value.keys(), *value.values()], called)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _handed_on(item, called)
