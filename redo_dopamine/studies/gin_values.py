"""Read what a gin file sets, as text, without gin."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from redo_dopamine.errors import UserError, shortened

_PACKAGE = Path(__file__).parent.parent
# Beside the modules where the package is installed, one up in a checkout.
SHIPPED = next(
    path
    for path in (_PACKAGE / "gin_configs", _PACKAGE.parent / "gin_configs")
    if path.is_dir()
)
_INCLUDE = re.compile(r"\s*include\s+['\"](.+?)['\"]")
_BINDING = re.compile(r"([\w./]+)\s*=\s*(.+?)\s*(?:#.*)?")


def find(name: str) -> Path | None:
    """The file of a path or of the name of a shipped file; None without one."""
    return next((x for x in (Path(name), SHIPPED / name) if x.is_file()), None)


@functools.cache
def numbers(name: str) -> Mapping[str, int]:
    """The whole numbers that a gin file and those it includes set, by gin name.

    Args:
        name: of a shipped file, or a path; of another nothing is known.

    Raises:
        UserError: it includes itself.
    """
    return _numbers(name, ())


def _numbers(name: str, above: tuple[str, ...]) -> dict[str, int]:
    if name in above:
        raise UserError(
            "Gin files must not include each other in a circle, but "
            f"{shortened(name)} includes itself. Remove one of its includes."
        )
    path, found = find(name), dict[str, int]()
    for line in path.read_text("utf-8", "replace").splitlines() if path else ():
        if include := _INCLUDE.match(line):
            found.update(_numbers(include[1], (*above, name)))
        elif binding := _BINDING.fullmatch(line):
            try:
                found[binding[1]] = int(binding[2])
            except ValueError:  # Another value, which takes the place of a number.
                found.pop(binding[1], None)
    return found
