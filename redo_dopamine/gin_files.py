"""Gin files by path or shipped name, and what gin says in a user's words.

What every command that reads gin files shares; it knows no names of agents.
"""

import contextlib
import difflib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import gin

from redo_dopamine.errors import UserError

_PACKAGE = Path(__file__).parent
# Beside the modules where the package is installed, one up in a checkout.
CONFIG_DIR = next(
    path
    for path in (_PACKAGE / "gin_configs", _PACKAGE.parent / "gin_configs")
    if path.is_dir()
)
# What gin raises for what a user wrote; KeyError where a name is ambiguous.
GIN_ERRORS = (ValueError, TypeError, SyntaxError, ImportError, OSError, KeyError)


def shipped_configs() -> list[str]:
    """Names of the gin files that come with the package."""
    return sorted(str(p.relative_to(CONFIG_DIR)) for p in CONFIG_DIR.rglob("*.gin"))


def registered_names() -> list[str]:
    """The full names of all that is registered with gin."""
    # Gin has no public list of them.
    return sorted(gin.config._REGISTRY._selector_map)


def parse(defaults: str, gin_files: Sequence[str], gin_bindings: Sequence[str]) -> None:
    """Have gin read files and bindings, strictly.

    Args:
        defaults: bindings that hold unless the files say otherwise.
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings, which win over the files.

    Raises:
        UserError: a file that is not there.
        one of GIN_ERRORS: what is there is not gin, or names what nobody knows.
    """
    gin.add_config_file_search_path(str(CONFIG_DIR))
    _check_all_there(gin_files)
    with _without_errors_logged():
        gin.parse_config(defaults)
        gin.parse_config_files_and_bindings(gin_files, bindings=gin_bindings)


def _check_all_there(gin_files: Sequence[str]) -> None:
    for name in gin_files:
        if not Path(name).is_file() and not (CONFIG_DIR / name).is_file():
            raise UserError(
                "--gin_files takes a path or the name of a file that ships with the "
                f"package, but {name!r} is neither. "
                + suggest(name, shipped_configs(), "Shipped are")
            )


@contextlib.contextmanager
def _without_errors_logged() -> Iterator[None]:
    """Gin logs an error for every place where it looks for a file in vain."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def brief(error: BaseException) -> str:
    """An error's message without gin's notes on where it called from."""
    lines = str(error).splitlines()
    kept = [x for x in lines if x.strip() and "In call to configurable" not in x]
    return "\n".join(kept) or type(error).__name__


def suggest(name: str, known: Iterable[str], listing: str) -> str:
    """Near names; all of them where none is near and they are few."""

    def plain(text: str) -> str:
        return text.rpartition(".")[2].replace("_", "").lower()

    by_plain = {plain(x): x for x in known if not x.endswith(".gin")}
    by_plain |= {x.lower(): x for x in known if x.endswith(".gin")}
    target = name.lower() if name.endswith(".gin") else plain(name)
    near = [by_plain[x] for x in difflib.get_close_matches(target, by_plain, 3, 0.6)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{listing} {', '.join(by_plain.values())}."
