"""Read gin files by path or shipped name, and say gin's errors in a user's words.

It knows no names of agents. Files that refer to themselves are refused.
"""

import contextlib
import difflib
import functools
import io
import logging
import os
import re
import tokenize
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import gin
from gin import config_parser

from redo_dopamine.config import migration
from redo_dopamine.errors import UserError
from redo_dopamine.studies.scaling import SHIPPED as CONFIG_DIR

_OF_CONFIGURABLE = re.compile(r"In call to configurable '([\w./]+)'")
_RULE = re.compile(r"(\w+) (?:must|may)\b")
_OF_GIN = (ValueError, TypeError, SyntaxError, ImportError, OSError, KeyError)
_OF_PARSER = (SyntaxError, ValueError, tokenize.TokenError, RecursionError)
_LONGEST_LINE = 200
_LONGEST = 4_000  # Characters of a message.
# As Python shows one; gin writes @tanh.
_FUNCTION = re.compile(r"<function (?:\w+\.)*(\w+) at 0x[0-9a-f]+>")
_LONG_NUMBER = re.compile(r"\d{40,}")
_LONG_WORD = re.compile(r"\S{400,}")  # A path may be rather long.
_MACRO = re.compile(r"\s*([A-Za-z_]\w*)\s*=")


def shipped_configs() -> list[str]:
    """Names of the gin files that come with the package."""
    return sorted(str(p.relative_to(CONFIG_DIR)) for p in CONFIG_DIR.rglob("*.gin"))


def registered_names() -> list[str]:
    """The full names of all that is registered with gin."""
    # Gin has no public list of them.
    return sorted(gin.config._REGISTRY._selector_map)


def selector(name: str) -> str:
    """What to write for a name of this package: `redo`, `redo_dopamine.constant`.

    Where gin itself has the same name, ours needs its module.
    """
    full = f"redo_dopamine.{name}"
    same = [x for x in registered_names() if f".{x}".endswith(f".{name}")]
    return name if same in ([], [full]) else full


def parse(
    defaults: str, gin_files: Sequence[str], gin_bindings: Sequence[str]
) -> tuple[str, ...]:
    """Have gin read files and bindings, strictly.

    Args:
        defaults: bindings that hold unless the files say otherwise.
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings, which win over the files.

    Returns:
        What was read as what, of names of other versions.

    Raises:
        UserError: a file that is not there or includes itself, a module that a file
            imports and that cannot be imported, or a setting of another version that
            has no counterpart.
        any exception: what is there is not gin, or names what nobody knows. A module
            that a file imports may raise whatever it likes.
    """
    if str(CONFIG_DIR) not in gin.config._LOCATION_PREFIXES:
        gin.add_config_file_search_path(str(CONFIG_DIR))
    notes: list[str] = []
    gin.config._FILE_READERS[0] = (functools.partial(_open, notes), os.path.isfile)
    _check_all_there(gin_files)
    check_includes(gin_files, gin_bindings)
    of_bindings: list[str] = []
    bindings = [_translated(x, "--gin_bindings", of_bindings) for x in gin_bindings]
    try:
        with _without_errors_logged():
            gin.parse_config(defaults)
            gin.parse_config_files_and_bindings(gin_files, bindings=bindings)
            notes += [*_defaults_then(notes), *of_bindings]
            _check_macros(bindings)
    except ModuleNotFoundError as error:
        raise UserError(
            f"A gin file may import only modules that are installed: {brief(error)}\n"
            "Install that one, or remove the import."
        ) from error
    return tuple(dict.fromkeys(notes))


def _defaults_then(notes: Sequence[str]) -> Iterator[str]:
    """Bind what files of another time leave to defaults that are others today."""
    agent = _query("create_agent.agent_name", "jax_dqn")
    for settings in migration.defaults(notes, agent):
        is_set = _query(next(iter(settings))) is not None
        for name, value in () if is_set else settings.items():
            with gin.unlock_config():
                gin.parse_config(f"{name} = {value}")
            yield f"{name} = {value} by default then"


def _query(name: str, default: Any = None) -> Any:
    with contextlib.suppress(ValueError):
        return gin.query_parameter(name)
    return default


def _translated(text: str, source: str, notes: list[str]) -> str:
    translated, own = migration.translate(text, source)
    notes.extend(own)
    return translated


def _check_all_there(gin_files: Sequence[str]) -> None:
    for name in gin_files:
        if not Path(name).is_file() and not (CONFIG_DIR / name).is_file():
            raise UserError(
                "--gin_files takes a path or the name of a file that ships with the "
                f"package, but {name!r} is neither. "
                + suggest(name, shipped_configs(), "Shipped are")
            )


def _check_macros(gin_bindings: Sequence[str]) -> None:
    """A setting whose function was forgotten is a macro to gin, and changes nothing."""
    read = gin.config_str(max_line_length=10**6)
    for text in gin_bindings:
        macro = _MACRO.match(text)
        if macro and not re.search(rf"%{macro[1]}\b", read):
            raise UserError(
                f"A setting must be named FUNCTION.SETTING, but {macro[1]!r} has no "
                f"dot, so it is a macro, and nothing uses %{macro[1]}. Write "
                f"--gin_bindings='FUNCTION.{text.strip()[:_LONGEST_LINE]}'."
            )


@contextlib.contextmanager
def _open(notes: list[str], path: str) -> Iterator[TextIO]:
    """A gin file for gin, in UTF-8, with or without a byte order mark.

    Raises:
        UserError: it is in another encoding.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"A gin file must be text in UTF-8, but {path} is not, from byte "
            f"{error.start} on. Save it as UTF-8."
        ) from error
    file = io.StringIO(_translated(text, path, notes))
    file.name = path  # Gin shows it in messages.
    yield file


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
    """An error's message in a user's words.

    It is without gin's notes on where it called from. A setting that the message
    begins with gets its gin name, and long numbers and words are cut short.
    """
    lines = str(error).splitlines()
    kept = [x for x in lines if x.strip() and "In call to configurable" not in x]
    text = "\n".join(kept) or type(error).__name__
    rule = _RULE.match(text)
    if rule is not None:
        text = (
            _gin_name(rule[1], _OF_CONFIGURABLE.findall(str(error)))
            + text[rule.end(1) :]
        )
    text = _FUNCTION.sub(r"@\1", text)
    text = _LONG_NUMBER.sub(lambda x: f"{x[0][:8]}... ({len(x[0])} digits)", text)
    text = _LONG_WORD.sub(lambda x: f"{x[0][:80]}... ({len(x[0])} characters)", text)
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2  # What to do stands at the end.
    return f"{text[:half]} ... ({len(text)} characters) ... {text[-half:]}"


def _gin_name(parameter: str, called: Sequence[str]) -> str:
    """The gin name of a setting, or just the parameter where it is not known whose.

    Args:
        parameter: the setting.
        called: the configurables that an error came through, innermost first.
    """
    owners = {
        selector.rpartition(".")[2]
        for (_, selector), bound in gin.config._CONFIG.items()
        if parameter in bound
    }
    for name in called:
        if name.rpartition(".")[2] in owners:
            owners = {name.rpartition(".")[2]}
            break
    return " or ".join(f"{x}.{parameter}" for x in sorted(owners)) or parameter


def explain(error: Exception, gin_bindings: Sequence[str]) -> str:
    """What gin says of a file or a binding that it cannot read."""
    message = brief(error)
    token = re.search(r"Failed to parse token '(.+?)'(?= |$)", message, re.MULTILINE)
    macro = re.search(r"No bindings specified for '(.+?)/gin.macro'", message)
    if token is not None:
        end = message[token.end() :]
        message = (
            f"{token[1]} is no value. Text must stand in quotes, as in {token[1]!r}, "
            f"and numbers must be finite.{end}"
        )
    elif macro is not None:
        message = f"%{macro[1]} has no value. Add a binding {macro[1]} = VALUE."
    elif "Ambiguous selector" in message:
        message += "\nWrite the one that is meant in full."
    elif isinstance(error, tokenize.TokenError):
        message = f"A bracket or a text that was begun does not end: {message}"
    elif isinstance(error, RecursionError | MemoryError):
        message = "It is too deep, or refers to itself."
    elif not isinstance(error, _OF_GIN):
        message = f"a module that it imports fails ({type(error).__name__}): {message}"
    if isinstance(error, SyntaxError) and not error.filename and error.lineno:
        lines = "\n".join(gin_bindings).splitlines()[error.lineno - 1 :]
        message += f"\n  {''.join(lines[:1])[:_LONGEST_LINE]}"
    return f"The gin configuration could not be read: {message}"


def suggest(name: str, known: Iterable[str], listing: str) -> str:
    """Near names; all of them where none is near and they are few."""

    def plain(text: str) -> str:
        return text.rpartition(".")[2].replace("_", "").lower()

    by_plain = {plain(x): x for x in known if not x.endswith(".gin")}
    by_plain |= {x.lower(): x for x in known if x.endswith(".gin")}
    target = name.lower() if name.endswith(".gin") else plain(name)
    if target in by_plain:
        return f"Did you mean {by_plain[target]}?"
    near = [by_plain[x] for x in difflib.get_close_matches(target, by_plain, 3, 0.6)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{listing} {', '.join(by_plain.values())}."


_MACRO_USE = "gin.macro"

Node = TypeVar("Node", bound=Hashable)


def check_includes(gin_files: Sequence[str], gin_bindings: Sequence[str] = ()) -> None:
    """Refuse gin files that include each other in a circle.

    Args:
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings; gin lets them include files as well.

    Raises:
        UserError: they do.
    """
    starts = [*map(_find, gin_files), *_included("\n".join(gin_bindings))]
    circle = _circle(filter(None, starts), _included_by)
    if circle:
        raise UserError(
            "Gin files must not include each other in a circle, but "
            f"{' includes '.join(_few(circle))}. Remove one of these includes."
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
            + " needs ".join(_few([_name(x) for x in circle]))
            + ". Bind one of them to a value."
        )


def _few(names: Sequence[str]) -> list[str]:
    """The names of a circle; of a long one, its ends."""
    if len(names) <= 10:
        return list(names)
    return [*names[:5], f"... {len(names) - 10} more ...", *names[-5:]]


def _name(setting: tuple[str, str, str]) -> str:
    scope, selector, parameter = setting
    if selector == _MACRO_USE:
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


class _Unresolved(config_parser.ParserDelegate):
    """Leaves references and macros as they are."""

    def configurable_reference(
        self, scoped_configurable_name: str, evaluate: bool
    ) -> None: ...

    def macro(self, name: str) -> None: ...


def _included_by(path: str) -> list[str]:
    try:
        return _included(Path(path).read_text(encoding="utf-8-sig", errors="replace"))
    except OSError:  # Gin says so.
        return []


def _included(text: str) -> list[str]:
    """The files that a text includes; those before a fault that gin will report."""
    found = list[str]()
    with contextlib.suppress(*_OF_PARSER):
        for statement in config_parser.ConfigParser(text, _Unresolved()):
            if isinstance(statement, config_parser.IncludeStatement):
                found.append(statement.filename)
    return list(filter(None, map(_find, found)))


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
