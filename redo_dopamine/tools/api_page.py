"""`python -m redo_dopamine.tools.api_page`: docs/api.md, from the docstrings."""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from redo_dopamine.cli import process

ROOMS = tuple(
    importlib.import_module(name)
    for name in ("redo_dopamine", "redo_dopamine.agents", "redo_dopamine.report")
)
_HEAD = """# Public names

What to import, with the docstrings; `python -m redo_dopamine.tools.api_page` writes
this page. Names come on first use. Those of `redo_dopamine` need jax, flax and optax
alone; `redo_dopamine.agents` brings Dopamine along, `redo_dopamine.report` pandas and
matplotlib.
"""


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *(part for room in ROOMS for part in _room(room))])


def _room(room: ModuleType) -> Iterator[str]:
    yield f"## `{room.__name__}`\n"
    for name in sorted(room.__all__, key=str.lower):
        if name != "__version__":
            yield _entry(name, getattr(room, name))


def _entry(name: str, thing: Any) -> str:
    call = textwrap.fill(f"{name}{_parameters(thing)}", 88, subsequent_indent="    ")
    return f"### `{name}`\n\n```\n{call}\n\n{inspect.getdoc(thing)}\n```\n"


def _parameters(thing: Any) -> str:
    """Names and defaults; an agent's own are in the gin files."""
    if inspect.isclass(thing) and issubclass(thing, tuple):
        return f"({', '.join(getattr(thing, '_fields', ()))})"
    found = inspect.signature(thing).parameters.values()
    plain = [x.replace(annotation=inspect.Parameter.empty) for x in found]
    return f"({', '.join(map(_parameter, plain))})"


def _parameter(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is not inspect.Parameter.empty and callable(default):
        return f"{parameter.name}={getattr(default, '__name__', '...')}"
    return str(parameter)


def main() -> int:
    """Print the page."""
    print(page(), end="")
    return 0


if __name__ == "__main__":
    process.run(main)
