"""Read gin files that were written for other versions of Dopamine, or for its ReDo.

A line is rewritten before gin reads it, by the tables of `old_names`; what cannot be
carried over is refused, with what to write instead.
"""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from redo_dopamine.config.old_names import DEFAULTS, NOT_HERE, SETTINGS, VALUES, Row
from redo_dopamine.errors import UserError

# Modules whose names are registered anyhow, or are read as names of this package.
_NEEDLESS = re.compile(
    r"dopamine\.(atari|agents|tf|replay_memory|continuous_domains)\b.*"
    r"|dopamine\.labs\.(redo|environments\.minatar|atari_100k\.replay_memory)\b.*"
    r"|dopamine\.discrete_domains\.(legacy_networks|checkpointer)"
    r"|gin\.tf\.external_configurables|flax"
)
_IMPORT = re.compile(r"\s*(?:import|from)\s+([\w.]+)")
# Of a module of somebody else's, a name is somebody else's.
_MODULE = r"(?:dopamine\.|tf\.)?(?:\w+_(?:lib|buffer|agent|experiment)\.|train\.)?"
_TEXT = r"'[^']*'|\"[^\"]*\""
_SETTING = re.compile(
    rf"\s*((?:\w+/)*){_MODULE}(\w+)\.(\w+)\s*=\s*((?:{_TEXT}|[^#'\"])*)(#.*)?"
)


class Translated(NamedTuple):
    """A gin file in today's names.

    Attributes:
        text: line by line that of the old one.
        notes: what was read as what.
    """

    text: str
    notes: tuple[str, ...]


_ROWS = {row.old: row for row in SETTINGS}


def translate(text: str, source: str) -> Translated:
    """Rewrite the old names in a gin file, or in bindings.

    Args:
        text: the file.
        source: what it is called, for messages.

    Raises:
        UserError: a setting that is of another agent, or has no counterpart.
    """
    notes: dict[str, None] = {}
    lines = [
        _line(line, f"{source}, line {number}", notes)
        for number, line in enumerate(text.split("\n"), 1)
    ]
    return Translated("\n".join(lines), tuple(notes))


def defaults(notes: Iterable[str], agent: str) -> Iterator[Mapping[str, str]]:
    """What files left out and is another today, for those that these notes are of.

    Args:
        notes: of the files.
        agent: the one that they name in `create_agent`, or its default.

    Yields:
        Settings that go together, as `Default.settings`.
    """
    owners = {note.partition(".")[0] for note in notes}
    return (
        x.settings
        for x in DEFAULTS
        if owners.intersection(x.owners) and x.agent in ("", agent)
    )


def _line(line: str, place: str, notes: dict[str, None]) -> str:
    module = _IMPORT.match(line)
    if module:
        return "" if _NEEDLESS.fullmatch(module[1]) else line
    found = _SETTING.fullmatch(line)
    if not found:
        return line
    scope, owner, parameter, written = found.groups()[:4]
    written, old = _plain(written.rstrip()), f"{owner}.{parameter}"
    row = _ROWS.get(old) or _ROWS.get(f"{owner}.*") or Row(old, old)
    value = VALUES.get(written, written)
    instead = NOT_HERE.get(written, "")
    if row.values is not None and not written.startswith("%"):  # A macro's is unknown.
        instead = "" if value in row.values else row.instead or _one_of(row.values)
        value = row.values.get(value, value)
    if instead:
        raise UserError(
            f"A setting of another version of Dopamine must have a counterpart here, "
            f"but {old} = {written} has none ({place}). {instead}"
        )
    new = row.new.replace("*", parameter)
    if (new, value) == (old, written):
        return line
    if not new or not value:
        notes[f"{old} left out"] = None
        # What goes on in the next line is a macro's, which nothing uses.
        return "" if _is_whole(written) else f"left_out_{owner}_{parameter} = {written}"
    notes[f"{old} as {new}" + f" = {value}" * (value != written)] = None
    return f"{scope}{new} = {value}"


def _plain(text: str) -> str:
    """A literal as Python writes it, whatever its quotes."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
    return repr(value) if isinstance(value, str) else text


def _is_whole(text: str) -> bool:
    """Whether a value ends in the line that it begins in."""
    try:
        ast.literal_eval(text)
    except SyntaxError:
        return not text.startswith(("[", "(", "{"))
    except (ValueError, MemoryError, RecursionError):
        return True
    return True


def _one_of(values: Mapping[str, str]) -> str:
    return f"It may be {' or '.join(values)}."


def table() -> str:
    """All rows of `old_names`, as docs/migrating.md has them."""
    rows = ["| then | now |", "|---|---|"]
    for (new, values, instead), group in itertools.groupby(SETTINGS, lambda x: x[1:]):
        old = ", ".join(f"`{row.old}`" for row in group)
        now = [f"`{new}`" if new else "left out"] if values != {} else ["refused"]
        for written, value in (values or {}).items():
            now.append(f"`{written}`" + f" as `{value}`" * (value not in ("", written)))
        rows.append(f"| {old} | {', '.join(now)}. {instead}".rstrip() + " |")
    for written, value in VALUES.items():
        rows.append(f"| `{written}` | {f'`{value}`' if value else 'left out'}. |")
    for instead, names in itertools.groupby(NOT_HERE, NOT_HERE.__getitem__):
        rows.append(f"| {', '.join(f'`{x}`' for x in names)} | refused. {instead} |")
    for owners, settings, agent in DEFAULTS:
        of = ", ".join(f"`{x}.*`" for x in owners) + f" of `'{agent}'`" * bool(agent)
        found = ", ".join(f"`{name} = {x}`" for name, x in settings.items())
        first = f"without `{next(iter(settings))}`, beside {of}"
        rows.append(f"| {first} | {found}. |")
    return "\n".join(rows) + "\n"
