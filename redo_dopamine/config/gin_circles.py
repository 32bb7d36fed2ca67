"""What refers to itself: gin files that include each other, and settings.

Gin would follow a circle until Python's stack ends.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gin

from redo_dopamine.errors import UserError

_INCLUDE = re.compile(r"^\s*include\s+(['\"])(.+?)\1", re.MULTILINE)
_MACRO = "gin.macro"

Node = TypeVar("Node", bound=Hashable)


def check_includes(gin_files: Sequence[str]) -> None:
    """Refuse gin files that include each other in a circle.

    Raises:
        UserError: they do.
    """
    circle = _circle(list(filter(None, map(_find, gin_files))), _included)
    if circle:
        raise UserError(
            "Gin files must not include each other in a circle, but "
            f"{' includes '.join(circle)}. Remove one of these includes."
        )


def check_references() -> None:
    """Refuse settings of gin's configuration that refer to themselves.

    Raises:
        UserError: they do.
    """
    settings = {
        (scope, selector, name): value
        for (scope, selector), bound in gin.config._CONFIG.items()
        for name, value in bound.items()
    }

    def referred(setting: tuple[str, str, str]) -> Iterator[tuple[str, str, str]]:
        for reference in _called(settings[setting]):
            scope, selector = reference.config_key
            for other in settings:
                within = other[0] == "" or f"{scope}/".startswith(f"{other[0]}/")
                if other[1] == selector and within:
                    yield other

    circle = _circle(list(settings), referred)
    if circle:
        raise UserError(
            "Settings must not refer to themselves, but "
            + " needs ".join(map(_name, circle))
            + ". Bind one of them to a value."
        )


def _name(setting: tuple[str, str, str]) -> str:
    scope, selector, parameter = setting
    if selector == _MACRO:
        return f"%{scope}"
    scoped = f"{scope}/" if scope else ""
    return f"{scoped}{selector.rpartition('.')[2]}.{parameter}"


def _called(value: Any) -> Iterator[Any]:
    """References that are evaluated with a value, however deep they lie in it."""
    if isinstance(value, gin.config.ConfigurableReference):
        if value.evaluate:
            yield value
    elif isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            yield from _called(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _called(item)


def _find(name: str) -> str | None:
    """The file that gin takes for a name."""
    for prefix in gin.config._LOCATION_PREFIXES:
        path = os.path.join(prefix, name)
        if os.path.isfile(path):
            return os.path.realpath(path)
    return None


def _included(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:  # Gin says so.
        return []
    return list(filter(None, (_find(x[2]) for x in _INCLUDE.finditer(text))))


def _circle(
    starts: Iterable[Node], following: Callable[[Node], Iterable[Node]]
) -> list[Node]:
    """The nodes of a circle, the first once more at the end; [] without one."""
    done: set[Node] = set()
    for start in starts:
        path: list[Node] = []
        waiting: list[Iterator[Node]] = [iter([start])]
        while waiting:
            node = next(waiting[-1], None)
            if node is None:
                waiting.pop()
                if path:
                    done.add(path.pop())
            elif node in path:
                return [*path[path.index(node) :], node]
            elif node not in done:
                path.append(node)
                waiting.append(iter(following(node)))
    return []
