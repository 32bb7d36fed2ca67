"""Read the configuration that a checkpoint holds as data: nothing of it is run.

The text is what `operative.operative_config` gave, or says that it is. Gin would
follow its imports, includes and registrations; so gin gets none of it but bindings of
known names to literals and to known names.
"""

import contextlib
import importlib
import io
import math
import re
import tokenize
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from gin import config_parser

from redo_dopamine.config import gin_files
from redo_dopamine.errors import UserError, shortened

_MAX_CHARACTERS = 100_000  # Of runs so far, the longest has 6,000.
_OWN = "redo_dopamine."  # And what may have settings besides:
# Dopamine's networks, whose layers are derived.
_NETWORKS = (
    "dopamine.jax.continuous_networks.ActorCriticNetwork",
    "dopamine.jax.continuous_networks.PPOActorCriticNetwork",
    "dopamine.jax.networks.ClassicControlDQNNetwork",
    "dopamine.jax.networks.FullRainbowNetwork",
    "dopamine.jax.networks.ImpalaDQNNetwork",
    "dopamine.jax.networks.JaxFourierDQNNetwork",
    "dopamine.jax.networks.NatureDQNNetwork",
)
_DOPAMINES = (
    *_NETWORKS,
    "dopamine.jax.continuous_networks.PPOActorNetwork",
    "dopamine.jax.networks.ImpalaEncoder",
    "dopamine.jax.networks.Stack",
    "dopamine.discrete_domains.atari_lib.AtariPreprocessing",
    "dopamine.discrete_domains.atari_lib.create_atari_environment",
    "dopamine.discrete_domains.run_experiment.Runner",
    "dopamine.discrete_domains.run_experiment.create_agent",
    "dopamine.discrete_domains.run_experiment.create_runner",
    "dopamine.jax.agents.dqn.dqn_agent.JaxDQNAgent",
    "dopamine.jax.agents.dqn.dqn_agent.create_optimizer",
    "dopamine.jax.agents.dqn.dqn_agent.identity_epsilon",
    "dopamine.jax.agents.dqn.dqn_agent.linearly_decaying_epsilon",
    "dopamine.jax.agents.full_rainbow.full_rainbow_agent.JaxFullRainbowAgent",
    "dopamine.jax.agents.rainbow.rainbow_agent.JaxRainbowAgent",
    "dopamine.jax.agents.quantile.quantile_agent.JaxQuantileAgent",
    "dopamine.jax.agents.implicit_quantile.implicit_quantile_agent.JaxImplicitQuantileAgent",
    "dopamine.jax.agents.full_rainbow.full_rainbow_agent.zero_epsilon",
    "dopamine.jax.agents.ppo.ppo_agent.PPOAgent",
    "dopamine.jax.agents.sac.sac_agent.SACAgent",
    "dopamine.jax.replay_memory.replay_buffer.ReplayBuffer",
    "dopamine.jax.replay_memory.samplers.PrioritizedSamplingDistribution",
    "dopamine.labs.atari_100k.atari_100k_rainbow_agent.Atari100kRainbowAgent",
    "dopamine.metrics.collector_dispatcher.CollectorDispatcher",
)
# What may be referred to besides what is ours: that makes no directory and no file.
_DOPAMINES_REFERENCES = (
    *_NETWORKS,
    "dopamine.discrete_domains.atari_lib.create_atari_environment",
    "dopamine.jax.agents.dqn.dqn_agent.identity_epsilon",
    "dopamine.jax.agents.dqn.dqn_agent.linearly_decaying_epsilon",
    "dopamine.jax.agents.full_rainbow.full_rainbow_agent.zero_epsilon",
)
# The import of these is passed over: what a run needs of them is imported anyhow.
_KNOWN_MODULES = re.compile(r"(dopamine|redo_dopamine)(\.\w+)+")
# What a value must be where others would make a file of that name, or import it: for
# Gymnasium, a module's name may stand before a colon.
_MUST_MATCH = {"game_name": r"\w+", "environment_id": r"[\w./-]+"}
_MUST_BE = {"use_legacy_gym": False, "summary_writer": None}
# What gin's parser raises for what is not gin: a RecursionError is a RuntimeError.
_NOT_GIN = (SyntaxError, tokenize.TokenError, ValueError, TypeError, RuntimeError)


class _Reference(NamedTuple):
    """`@scope/name` or `@scope/name()`."""

    name: str
    evaluate: bool


class _Macro(NamedTuple):
    """`%name`."""

    name: str


class _Delegate(config_parser.ParserDelegate):
    """Has gin's parser look nothing up."""

    def configurable_reference(
        self, scoped_configurable_name: str, evaluate: bool
    ) -> _Reference:
        """The name as it stands there."""
        return _Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> _Macro:
        """The name as it stands there."""
        return _Macro(macro_name)


def read(text: str, origin: object, trust_modules: Sequence[str] = ()) -> list[str]:
    """The bindings of a stored configuration, one a line, for gin to be given.

    Args:
        text: the stored configuration.
        origin: whose it is, for messages.
        trust_modules: modules of the user's own, by name: they are imported, and what
            they register with gin is known.

    Raises:
        UserError: something in it is neither a setting of a known name nor the import
            of a module that is known; or a trusted module cannot be imported.
    """
    _import(trust_modules)
    return _Reader(str(origin), trust_modules).bindings(text)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # It may end the process, too.
            raise UserError(
                f"--trust_modules must name modules, but {shortened(repr(module))} "
                f"cannot be imported: {type(error).__name__}: {shortened(error)}. Put "
                "its directory on PYTHONPATH."
            ) from error


class _Reader:
    """Checks the statements of one text."""

    def __init__(self, origin: str, trust_modules: Sequence[str]):
        self._origin = origin
        self._trusted = trust_modules
        registered = gin_files.registered_names()
        known = {x for x in registered if x.startswith(_OWN)}
        if trust_modules:
            known |= {x for x in registered if not x.startswith(("dopamine.", "gin."))}
        self._referable = {*known, *_DOPAMINES_REFERENCES}
        self._settable = {*known, *_DOPAMINES}
        self._macros: dict[str, Any] = {}

    def bindings(self, text: str) -> list[str]:
        """As `read`."""
        kept = []
        for statement in self._statements(text):
            if isinstance(statement, config_parser.ImportStatement):
                self._check_import(statement)
            elif isinstance(statement, config_parser.BindingStatement):
                kept.append(statement)
            else:
                self._refuse(statement, "It is no line NAME = VALUE.")
        self._macros = {_macro_name(x): x.value for x in kept if not x.arg_name}
        with self._explained():
            return [self._binding(x) for x in kept]

    def _statements(self, text: str) -> Iterator[Any]:
        if len(text) > _MAX_CHARACTERS:
            raise UserError(
                f"A stored configuration may have {_MAX_CHARACTERS:,} characters, but "
                f"that of {self._origin} has {len(text):,}. Give another checkpoint."
            )
        with self._explained():
            _check_strings(text)
            yield from config_parser.ConfigParser(text, _Delegate())

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _NOT_GIN as error:
            line = shortened((getattr(error, "text", None) or "").strip())
            raise UserError(
                f"The configuration of {self._origin} cannot be read: "
                f"{type(error).__name__}: {shortened(error)}\n  {line}"
            ) from error

    def _refuse(self, statement: Any, why: str) -> NoReturn:
        line, content = statement.location.line_num, statement.location.line_content
        raise UserError(
            "A stored configuration may only give known names plain values or other "
            f"known names, but line {line} of that of {self._origin} is\n"
            f"  {shortened(content.strip())}\n{why}"
        )

    def _check_import(self, statement: config_parser.ImportStatement) -> None:
        module = statement.module
        if module in self._trusted or _KNOWN_MODULES.fullmatch(module):
            return
        if module.startswith("__gin__."):
            self._refuse(statement, "Names that are registered on the way are refused.")
        self._refuse(
            statement,
            "It was not imported. If the run is your own and you trust this module, "
            f"add --trust_modules={shortened(module)}.",
        )

    def _binding(self, statement: config_parser.BindingStatement) -> str:
        if not statement.arg_name:
            name = _macro_name(statement)
            return f"{name} = {self._written(statement, statement.value, False)}"
        selector = self._complete(statement, statement.selector, self._settable)
        self._check_guarded(statement)
        scope = f"{statement.scope}/" if statement.scope else ""
        value = self._written(statement, statement.value)
        return f"{scope}{selector}.{statement.arg_name} = {value}"

    def _written(self, statement: Any, value: Any, macros: bool = True) -> str:
        """A value on one line, as gin reads it, with full names."""

        def write(part: Any) -> str:
            return self._written(statement, part, macros)

        if isinstance(value, _Reference):
            scope, slash, selector = value.name.rpartition("/")
            full = self._complete(statement, selector, self._referable)
            return f"@{scope}{slash}{full}{'()' if value.evaluate else ''}"
        if isinstance(value, _Macro):
            # None within another, so that none can come back to itself.
            if not macros or value.name not in self._macros:
                self._refuse(statement, f"%{shortened(value.name)} is no plain value.")
            return f"%{value.name}"
        if isinstance(value, dict):
            items = (f"{write(k)}: {write(x)}" for k, x in value.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(write, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(f'{write(x)}, ' for x in value)})"
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(statement, "Its number is larger than any.")
        return repr(value)

    def _complete(self, statement: Any, name: str, known: Collection[str]) -> str:
        """The full name of what a shorter one means, among those that are known."""
        matches = [x for x in known if f".{x}".endswith(f".{name}")]
        if name in matches:
            return name
        if len(matches) != 1:
            self._refuse(
                statement,
                f"{shortened(name)} is no name of redo_dopamine, nor one of Dopamine's "
                "that a run needs. If the run is your own and the name of a module "
                "that you trust, add --trust_modules=MODULE.",
            )
        return matches[0]

    def _check_guarded(self, statement: Any) -> None:
        name, value = statement.arg_name, statement.value
        if isinstance(value, _Macro):
            value = self._macros.get(value.name)
        if name in _MUST_BE and value is not _MUST_BE[name]:
            self._refuse(statement, f"{name} must be {_MUST_BE[name]} there.")
        pattern = _MUST_MATCH.get(name)
        if pattern is None or value is None:
            return
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self._refuse(
                statement, f"{name} must be the name of a game or robot alone."
            )


def _check_strings(text: str) -> None:
    """Refuse strings side by side, over which gin's parser takes quadratic time."""
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if before == token.type == tokenize.STRING:
            raise ValueError("two strings are side by side")
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            before = token.type


def _macro_name(statement: config_parser.BindingStatement) -> str:
    return f"{statement.scope}/{statement.selector}".removeprefix("/")
