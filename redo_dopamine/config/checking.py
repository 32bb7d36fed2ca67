"""Check every gin binding against its rule before anything is built."""

import contextlib
import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gin

from redo_dopamine.config import gin_files, rules_of_dopamine, rules_of_ours
from redo_dopamine.config.gin_files import brief
from redo_dopamine.config.rules import Rule, shown
from redo_dopamine.errors import UserError

# By a setting's gin name without its module, such as `redo.score_batch_size`.
RULES: Mapping[str, Rule] = {
    f"{owner}.{parameter}": rule
    for owner, rules in {**rules_of_dopamine.RULES, **rules_of_ours.RULES}.items()
    for parameter, rule in rules.items()
}

_MISSING = re.compile(r"(\w+)\(\) missing \d+ required [\w-]+ arguments?: (.+)")
_NAME = re.compile(r"'(\w+)'")
_SETTING = re.compile(r"\w+\.\w+ must ")
_MACROS = ("gin.macro", "gin.constant")


def load(
    defaults: str,
    files: Sequence[str],
    bindings: Sequence[str],
    explain: Callable[[Exception], str],
) -> tuple[str, ...]:
    """Parse gin files and bindings, strictly, and check every setting.

    Args:
        defaults: bindings that hold unless the files say otherwise.
        files: paths, or names of files that ship with the package.
        bindings: single bindings, which win over the files.
        explain: what gin says, in a user's words.

    Returns:
        What was read as what, of names of other versions of Dopamine.

    Raises:
        UserError: a file that is not there or not gin, a name nobody knows, or a value
            that breaks its rule.
    """
    try:
        notes = gin_files.parse(defaults, files, bindings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(explain(error)) from error
    check()
    return notes


def check() -> None:
    """Check every setting that a rule is known for.

    Raises:
        UserError: a value that breaks its rule, or settings that need each other in a
            circle. The message names the setting, the rule and the value.
    """
    gin_files.check_references()
    found = [
        (name, value)
        for (_, selector), bound in gin.config._CONFIG.items()
        for parameter, value in bound.items()
        if (name := f"{selector.rpartition('.')[2]}.{parameter}") in RULES
    ]
    with _operative_config_as_it_was():
        # Before what is called with them, which would say it in other words.
        for name, value in sorted(found, key=lambda x: _calls(*x)):
            _check(name, value, RULES[name])


def _calls(name: str, value: Any) -> bool:
    """Whether a value is made for its check, by a function that may have settings."""
    return _is_called(value) and not RULES[name].is_function


def _check(name: str, value: Any, rule: Rule) -> None:
    if rule.is_function and _is_called(value):
        raise _broken(name, rule, value)
    try:
        # Which calls what `@name()` names, as gin itself would.
        found = copy.deepcopy(value)
    except UserError:
        raise
    except Exception as error:
        missing = _MISSING.match(str(error))
        why = (
            f"{missing[1]} needs {' and '.join(_NAME.findall(missing[2]))}. Bind "
            f"{missing[1]}.{_NAME.findall(missing[2])[0]}, for example."
            if missing
            else brief(error)
        )
        told = why if _SETTING.match(why) else f"{name} cannot be made: {why}"
        raise UserError(told) from error
    try:
        fits = rule.fits(found)
    except Exception:  # A comparison with what can be anything.
        fits = False
    if not fits:
        raise _broken(name, rule, found)


def _is_called(value: Any) -> bool:
    reference = gin.config.ConfigurableReference
    if not isinstance(value, reference) or not value.evaluate:
        return False
    return value.config_key[1] not in _MACROS


def _broken(name: str, rule: Rule, value: Any) -> UserError:
    return UserError(
        f"{name} must be {rule.says}, but is {shown(value)}. {rule.remedy}"
    )


@contextlib.contextmanager
def _operative_config_as_it_was() -> Iterator[None]:
    """Calling a function makes its settings a part of what the run has used."""
    before = {key: dict(used) for key, used in gin.config._OPERATIVE_CONFIG.items()}
    try:
        yield
    finally:
        gin.config._OPERATIVE_CONFIG.clear()
        gin.config._OPERATIVE_CONFIG.update(before)
