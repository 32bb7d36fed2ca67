"""Gin files and bindings in, a finished configuration out, or one clear message.

Touches gin's global state.
"""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import ale_py
import gin
import gymnasium

from redo_dopamine import (
    configurables,  # noqa: F401  Registers the names.
)
from redo_dopamine import gin_files as gin_files_lib
from redo_dopamine.errors import UserError
from redo_dopamine.gin_files import CONFIG_DIR as CONFIG_DIR
from redo_dopamine.gin_files import brief as brief
from redo_dopamine.gin_files import shipped_configs as shipped_configs
from redo_dopamine.gin_files import suggest

GAME = "create_atari_environment.game_name"
# By each agent's own name.
SEEDS = ("JaxDQNAgent.seed", "PPOAgent.seed", "SACAgent.seed")
# Where another kind of environment says what it is.
_ENVIRONMENTS = (
    "create_control_environment.environment_id",
    "create_minatar_environment.game_name",
)
_ATARI_100K_SEED = "Atari100kRainbowAgent.seed"
_COLLECTORS = "CollectorDispatcher.collectors"
# What holds unless a gin file says otherwise, Dopamine's own files included.
_DEFAULTS = f"{_COLLECTORS} = ('csv', 'tensorboard')"
_AGENT_NAMES = ("jax_dqn",)
_SCHEDULES = ("continuous_train_and_eval", "continuous_train")


def load_gin_configs(gin_files: Sequence[str], gin_bindings: Sequence[str]) -> None:
    """Parse gin files and bindings, strictly.

    Args:
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings, which win over the files.

    Raises:
        UserError: a file that is not there or not gin, or a name nobody knows.
    """
    try:
        gin_files_lib.parse(_DEFAULTS, gin_files, gin_bindings)
    except gin_files_lib.GIN_ERRORS as error:
        raise UserError(_explain_gin_error(error, gin_bindings)) from error
    with gin.unlock_config():
        _keep_csv()
        _apply_schedule()
        _share_seed()
    _check_agent_name()
    _check_game()


def bound(name: str, default: Any = None) -> Any:
    """The value bound to a gin parameter, or the default."""
    try:
        return gin.query_parameter(name)
    except ValueError:
        return default


def task() -> str:
    """What the configured agent plays: a game, or the name of an environment."""
    others = filter(None, map(bound, _ENVIRONMENTS))
    return next(others, None) or bound(GAME, "unknown")


def _keep_csv() -> None:
    """metrics.csv is what reports read, so no list of collectors drops it."""
    names = tuple(bound(_COLLECTORS))
    if "csv" not in names:
        gin.bind_parameter(_COLLECTORS, ("csv", *names))


def _apply_schedule() -> None:
    """Dopamine's two schedules, as the one setting in which they differ."""
    schedule = bound("create_runner.schedule", _SCHEDULES[0])
    if schedule not in _SCHEDULES:
        raise UserError(
            f"create_runner.schedule must be one of {_SCHEDULES}, but is {schedule!r}."
        )
    if schedule == "continuous_train":
        gin.bind_parameter("Runner.evaluation_steps", 0)


def _share_seed() -> None:
    """One seed by one name, whatever the agent.

    Dopamine's Atari 100K agent hands a seed of its own to `JaxDQNAgent`, where it
    wins over a binding even if it is None.
    """
    seed = bound("JaxDQNAgent.seed")
    if seed is not None and bound(_ATARI_100K_SEED) is None:
        gin.bind_parameter(_ATARI_100K_SEED, seed)


def _check_agent_name() -> None:
    name = bound("create_agent.agent_name", _AGENT_NAMES[0])
    if name not in _AGENT_NAMES:
        raise UserError(
            f"create_agent.agent_name may be {' or '.join(map(repr, _AGENT_NAMES))} "
            f"here, as in Dopamine's own gin files, but is {name!r}. Leave it out and "
            "choose the agent by PlasticityRunner.agent = @RecycledDQNAgent."
        )


def _check_game() -> None:
    if bound("Runner.create_environment_fn") is not None:
        return  # Not an Atari game, or not one that we would know.
    name = bound(GAME)
    gymnasium.register_envs(ale_py)
    pattern = re.compile(r"ALE/(\w+)-v5")
    matches = map(pattern.fullmatch, gymnasium.registry)
    games = sorted(match[1] for match in matches if match)
    if name is None:
        raise UserError(
            f"{GAME} must name an Atari game, but is not set. Add "
            f"--gin_bindings=\"{GAME}='DemonAttack'\"."
        )
    if isinstance(name, str) and name not in games:
        raise UserError(
            f"{GAME} must be one of the {len(games)} games of ale-py, but is "
            f"{name!r}. " + suggest(name, games, "The games are")
        )


def _explain_gin_error(error: Exception, gin_bindings: Sequence[str]) -> str:
    message = brief(error)
    if isinstance(error, SyntaxError) and not error.filename and error.lineno:
        message += f"\n  {gin_bindings[error.lineno - 1]}"
    unknown = re.search(r"(?:matching|named) (?:reference )?'@?([\w./]+)", message)
    if unknown is None:
        return f"The gin configuration could not be read: {message}"
    owner = re.search(r"Configurable '([\w./]+)' doesn't have", message)
    known = _parameters(owner[1]) if owner else _configurable_names()
    return f"Unknown gin name: {message}\n{suggest(unknown[1], known, 'Known are')}"


def _configurable_names() -> list[str]:
    return sorted({x.rpartition(".")[2] for x in gin_files_lib.registered_names()})


def _parameters(configurable: str) -> list[str]:
    wrapped = gin.get_configurable(configurable)
    return [p for p in inspect.signature(wrapped).parameters if p != "self"]
