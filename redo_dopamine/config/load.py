"""Gin files and bindings in, a finished configuration out, or one clear message.

Touches gin's global state.
"""

import contextlib
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import ale_py
import gin
import gymnasium
from absl import logging

from redo_dopamine.config import checking
from redo_dopamine.config import gin_files as gin_files_lib
from redo_dopamine.config import registry as registry  # All that has a gin name.
from redo_dopamine.config.gin_files import CONFIG_DIR as CONFIG_DIR
from redo_dopamine.config.gin_files import brief as brief
from redo_dopamine.config.gin_files import shipped_configs as shipped_configs
from redo_dopamine.config.gin_files import suggest
from redo_dopamine.errors import UserError
from redo_dopamine.rundir.resume import RunFinishedError
from redo_dopamine.studies.study import GAMES

# Of Atari, and of the other kinds of environments.
GAME, *_OTHER_GAMES = GAMES
# By each agent's own name.
SEEDS = ("JaxDQNAgent.seed", "PPOAgent.seed", "SACAgent.seed")
# Dopamine's agents hand a seed of their own to `JaxDQNAgent`, where it wins over a
# binding even if it is None.
_OVER_SEED = {
    "RecycledFullRainbowAgent": "JaxFullRainbowAgent",
    "RecycledRainbowAgent": "JaxRainbowAgent",
    "RecycledQuantileAgent": "JaxQuantileAgent",
    "RecycledImplicitQuantileAgent": "JaxImplicitQuantileAgent",
}
_DRQ_EPS = "RecycledDrQEpsAgent"
_AUGMENTATION = "Atari100kRainbowAgent.data_augmentation"
_COLLECTORS = "CollectorDispatcher.collectors"
# What holds unless a gin file says otherwise, Dopamine's own files included.
_DEFAULTS = f"{_COLLECTORS} = ('csv', 'tensorboard')"
# By the names of Dopamine's `create_agent`, whose settings an agent takes.
_AGENT_NAMES = {
    "jax_dqn": "JaxDQNAgent",
    "jax_rainbow": "JaxRainbowAgent",
    "full_rainbow": "JaxFullRainbowAgent",
    "jax_quantile": "JaxQuantileAgent",
    "jax_implicit_quantile": "JaxImplicitQuantileAgent",
}
# Whose setting is of an agent, in which environments, by which runner.
_AGENTS = (
    ("PPOAgent", "control", "ControlRunner", "RecycledPPOAgent"),
    ("SACAgent", "control", "ControlRunner", "RecycledSACAgent"),
    ("Atari100kRainbowAgent", "atari_", "Atari100kRunner", _DRQ_EPS),
    ("JaxFullRainbowAgent", "atari_", "PlasticityRunner", "RecycledFullRainbowAgent"),
    ("JaxRainbowAgent", "atari_", "PlasticityRunner", "RecycledRainbowAgent"),
    ("JaxQuantileAgent", "atari_", "PlasticityRunner", "RecycledQuantileAgent"),
    (
        *("JaxImplicitQuantileAgent", "atari_", "PlasticityRunner"),
        "RecycledImplicitQuantileAgent",
    ),
    ("create_minatar_environment", "minatar", "MinatarRunner", "RecycledDQNAgent"),
)
_BEGIN_WITH = (
    "dqn.gin, rainbow.gin, full_rainbow.gin, quantile.gin, implicit_quantile.gin, "
    "der.gin, bbf.gin, drq_eps.gin, minatar_dqn.gin, ppo.gin and sac.gin"
)
_SCHEDULES = ("continuous_train_and_eval", "continuous_train")


def load_gin_configs(
    gin_files: Sequence[str], gin_bindings: Sequence[str]
) -> tuple[str, ...]:
    """Parse gin files and bindings, strictly.

    Args:
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings, which win over the files.

    Returns:
        What was read as what, of names of other versions of Dopamine.

    Raises:
        UserError: a file that is not there or not gin, or a name nobody knows.
    """
    notes = checking.load(
        _DEFAULTS,
        gin_files,
        gin_bindings,
        explain=lambda error: _explain_gin_error(error, gin_bindings),
    )
    with gin.unlock_config():
        _choose_agent()
        _check_heard()
        _keep_csv()
        _apply_schedule()
        _share_seed()
    _check_agent_name()
    _check_game()
    return notes


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Say of whatever fails while a run is built that its settings are the reason.

    A launcher need not try them again. Where the program is at fault all the same,
    --verbosity=1 shows the traceback.

    Raises:
        UserError: in the place of any other exception, but for those of the disk
            and of a run that is found finished.
    """
    try:
        yield
    except (UserError, OSError, RunFinishedError):
        raise
    except Exception as error:
        logging.debug("While building the run:", exc_info=True)
        message = brief(error)
        message += _functions_in(message)
        if isinstance(error, MemoryError):
            message = "They need more memory than this machine has."
        told = isinstance(error, ValueError | TypeError | AssertionError) and str(error)
        if not told:
            message = (
                f"No run can be built from these settings ({type(error).__name__}): "
                f"{message}\n--verbosity=1 shows where it failed."
            )
        raise UserError(message) from error


def _functions_in(message: str) -> str:
    """The settings of the functions that a message names, as its end."""
    settings = [
        f"{selector.rpartition('.')[2]}.{parameter} = {value}"
        for (_, selector), bound in gin.config._CONFIG.items()
        for parameter, value in bound.items()
        if isinstance(value, gin.config.ConfigurableReference)
        and (name := value.configurable.name)
        and re.search(rf"(?<![\w-])(@{name}(?![\w-])|{name}(\(\)|\.__init__))", message)
    ]
    return f"\nIt is about one of: {', '.join(settings)}" if settings else ""


def bound(name: str, default: Any = None) -> Any:
    """The value bound to a gin parameter, by a macro or not; or the default."""
    try:
        value = gin.query_parameter(name)
        while str(value).startswith("%") and not isinstance(value, str):
            value = gin.query_parameter(f"{str(value)[1:]}/gin.macro.value")
    except ValueError:
        return default
    return value


def task() -> str:
    """What the configured agent plays: a game, or the name of an environment."""
    environment = str(bound("Runner.create_environment_fn", ""))
    others = (x for x in _OTHER_GAMES if x.partition(".")[0] in environment)
    return bound(next(others, GAME), "unknown")


def _choose_agent() -> None:
    """Train the agent that a file configures, where it names none by `experiment`.

    So it is in Dopamine's files: they name it in `create_agent`, or in a function of
    their own.

    Raises:
        UserError: an agent that is not there, or not in that environment.
    """
    settings = [
        f"{selector.rpartition('.')[2]}.{parameter}"
        for (_, selector), parameters in gin.config._CONFIG.items()
        for parameter in parameters
    ]
    if any(x.endswith(("experiment.runner", "Runner.agent")) for x in settings):
        return
    # Whoever gives a seed to any agent says nothing of which.
    settings = [x for x in settings if x not in SEEDS]
    named = _AGENT_NAMES.get(bound("create_agent.agent_name"), "")
    settings.append(f"{named}.")
    environment = str(
        bound("Runner.create_environment_fn", "@create_atari_environment")
    )
    for owner, environments, runner, agent in _AGENTS:
        if not any(x.startswith(f"{owner}.") for x in settings):
            continue
        if environments not in environment:
            raise UserError(
                f"{owner} must be of an agent that this package has in this "
                f"environment, but none there takes it, and "
                f"Runner.create_environment_fn is {environment}. Begin with one of "
                f"{_BEGIN_WITH}."
            )
        if agent == _DRQ_EPS and not bound(_AUGMENTATION, False):
            agent = "RecycledFullRainbowAgent"  # DER, for one.
        gin.parse_config(f"experiment.runner = @{runner}\n{runner}.agent = @{agent}")
        return


def _agent_name() -> str:
    """The gin name of the agent that is trained; "" for a runner's own."""
    runner = str(bound("experiment.runner", "@PlasticityRunner")).lstrip("@")
    default = _DRQ_EPS if runner == "Atari100kRunner" else ""
    return str(bound(f"{runner}.agent", default)).lstrip("@").rpartition(".")[2]


def _check_heard() -> None:
    """Refuse what Atari 100K's agent and full Rainbow set by each other's name.

    Raises:
        UserError: a setting by a name that the chosen agent does not listen to.
    """
    owner, heard = "JaxFullRainbowAgent", "Atari100kRainbowAgent"
    agent = _agent_name()
    if agent == "RecycledFullRainbowAgent":
        owner, heard = heard, owner
    elif agent != _DRQ_EPS:
        return
    for parameter in ("network", "mse_loss", "seed"):
        name, other = f"{owner}.{parameter}", f"{heard}.{parameter}"
        if parameter == "seed":
            other = SEEDS[0]
        value = bound(name)
        asked = value is not None and value is not False
        if asked and str(value) != str(bound(other)):
            raise UserError(
                f"{name} must be left out, because {other} decides for {agent}, but is "
                f"{value}. Bind {other}."
            )


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
    """One seed by one name, whatever the agent of a game."""
    seed = bound("JaxDQNAgent.seed")
    own = f"{_OVER_SEED.get(_agent_name(), 'Atari100kRainbowAgent')}.seed"
    if seed is not None and bound(own) is None:
        gin.bind_parameter(own, seed)


def _check_agent_name() -> None:
    name = bound("create_agent.agent_name", "jax_dqn")
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
    games = atari_games()
    if name is None:
        raise UserError(
            f"{GAME} must name an Atari game, but is not set. Add "
            f"--gin_bindings=\"{GAME}='DemonAttack'\"."
        )
    if name not in games:
        raise UserError(
            f"{GAME} must be one of the {len(games)} games of ale-py, but is "
            f"{name!r}. " + suggest(_plain_game(name), games, "The games are")
        )


def atari_games() -> list[str]:
    """The names of the games that ale-py has."""
    gymnasium.register_envs(ale_py)
    pattern = re.compile(r"ALE/(\w+)-v5")
    matches = map(pattern.fullmatch, gymnasium.registry)
    return sorted(match[1] for match in matches if match)


def _plain_game(name: str) -> str:
    """What is left of a name of Gymnasium's: Pong of PongNoFrameskip-v4."""
    name = re.sub(r"-v\d+$", "", name.rpartition("/")[2])
    return re.sub(r"(-ram|NoFrameskip|Deterministic)+$", "", name) or name


def _explain_gin_error(error: Exception, gin_bindings: Sequence[str]) -> str:
    message = brief(error)
    unknown = re.search(r"(?:matching|named) (?:reference )?'@?([\w./]+)", message)
    if unknown is None:
        return gin_files_lib.explain(error, gin_bindings)
    owner = re.search(r"Configurable '([\w./]+)' doesn't have", message)
    known = _parameters(owner[1]) if owner else _configurable_names()
    return f"Unknown gin name: {message}\n{suggest(unknown[1], known, 'Known are')}"


def _configurable_names() -> list[str]:
    return sorted({x.rpartition(".")[2] for x in gin_files_lib.registered_names()})


def _parameters(configurable: str) -> list[str]:
    wrapped = gin.get_configurable(configurable)
    return [p for p in inspect.signature(wrapped).parameters if p != "self"]
