"""What a setting may be: rules that gin bindings are checked against."""

import inspect
import reprlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gin
import numpy as np
import optax

from redo_dopamine.core.checks import LARGEST_COUNT, is_number
from redo_dopamine.plasticity import rehearsal

LARGEST_SEED = 2**63 - 1
_LARGEST_FLOAT32 = 3.4e38


class Rule(NamedTuple):
    """What a setting must be.

    Attributes:
        says: what it must be, after "must be".
        fits: whether a value is that.
        remedy: a sentence to end with.
        is_function: whether the value is a function or class, not called yet.
    """

    says: str
    fits: Callable[[Any], bool]
    remedy: str = "Bind another value."
    is_function: bool = False


def or_none(rule: Rule) -> Rule:
    """The same, or None."""
    return rule._replace(
        says=f"{rule.says}, or None",
        fits=lambda value: value is None or rule.fits(value),
    )


def whole(
    unit: str,
    least: int = 1,
    most: int = LARGEST_COUNT,
    bytes_each: Callable[[], int] | None = None,
) -> Rule:
    """A whole number, as 20_000 or 2e4.

    Args:
        unit: what it counts.
        least: the smallest that is right.
        most: the largest.
        bytes_each: gives the memory that each takes at least; the machine must have
            it.
    """
    says = f"a whole number of {unit} from {least} to {most:_}"
    if bytes_each is not None:
        gib = rehearsal.MEMORY_BYTES / 2**30
        says += f" that fits this machine's memory of {gib:.0f} GiB"

    def fits(value: Any) -> bool:
        if not (is_number(value) and value == int(value) and least <= value <= most):
            return False
        return bytes_each is None or value * bytes_each() <= rehearsal.MEMORY_BYTES

    return Rule(says, fits)


def number(says: str, fits: Callable[[Any], bool]) -> Rule:
    """A finite number, of 32 bits, that fits."""
    return Rule(
        says,
        lambda x: is_number(x) and abs(x) <= _LARGEST_FLOAT32 and bool(fits(x)),
    )


ANY_NUMBER = number("a finite number", lambda x: True)
POSITIVE = number("a finite number > 0", lambda x: x > 0)
NOT_NEGATIVE = number("a finite number >= 0", lambda x: x >= 0)
SHARE = number("a number in [0, 1]", lambda x: 0 <= x <= 1)
BELOW_ONE = number("a number in [0, 1)", lambda x: 0 <= x < 1)
TRUTH = Rule("True or False", lambda x: isinstance(x, bool))
TEXT = Rule(
    "text in quotes", lambda x: isinstance(x, str) and x != "" and "\0" not in x
)
SEED = or_none(
    Rule(
        f"a whole number from 0 to {LARGEST_SEED}",
        lambda x: (
            isinstance(x, int) and not isinstance(x, bool) and 0 <= x <= LARGEST_SEED
        ),
        "With None it is taken from the clock.",
    )
)
SHAPE = Rule(
    "a tuple of whole numbers >= 1, such as (84, 84)",
    lambda x: (
        isinstance(x, tuple) and all(isinstance(n, int) and 1 <= n <= 2**16 for n in x)
    ),
)


def one_of(*values: Any) -> Rule:
    """One of a few values."""
    return Rule(
        f"one of {', '.join(map(repr, values))}" if len(values) > 1 else repr(*values),
        lambda x: any(type(x) is type(value) and x == value for value in values),
    )


def sequence(says: str, fits: Callable[[Any], bool], remedy: str) -> Rule:
    """A list or tuple of what fits."""
    return Rule(
        says,
        lambda x: isinstance(x, list | tuple) and all(fits(item) for item in x),
        remedy,
    )


def function(says: str, num_arguments: int, example: str, *names: str) -> Rule:
    """A function or class, which is not called in gin.

    Args:
        says: what it must be.
        num_arguments: that it is called with.
        example: of a binding's right-hand side.
        *names: of the arguments that are given by name.
    """

    def fits(value: Any) -> bool:
        return callable(value) and takes(value, num_arguments, names)

    return Rule(says, fits, f"Write {example}, without parentheses.", is_function=True)


def kind(says: str, attributes: Sequence[str], example: str) -> Rule:
    """A class that has some attributes."""

    def fits(value: Any) -> bool:
        return isinstance(value, type) and all(hasattr(value, x) for x in attributes)

    return Rule(says, fits, f"Write {example}, without parentheses.", is_function=True)


def takes(function: Any, num_arguments: int, names: Sequence[str] = ()) -> bool:
    """Whether a function can be called so; True where that cannot be told."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return True
    try:
        signature.bind(*[None] * num_arguments, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def shown(value: Any) -> str:
    """A value in a message, however long it is."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = 80
    name = getattr(value, "__name__", None)
    return f"@{name}" if name and callable(value) else brief.repr(value)


_ATARI_STATE = 84 * 84 * 4 * 4  # Bytes of the floats that enter the network.
OTHER_STATE = 4 * 17
_TRANSITION = 64  # Bytes: its record, and where its frames are.
ENVIRONMENT_BYTES = 2**20


def _state_bytes() -> int:
    """Of a state that is no smaller than this, by the kind of environment."""
    try:
        other = gin.query_parameter("Runner.create_environment_fn")
    except ValueError:
        other = None
    return _ATARI_STATE if other is None else OTHER_STATE


AGENT_STEPS = whole("agent steps")
GRADIENT_STEPS = whole("gradient steps")
AGENT_STEPS_OR_ZERO = whole("agent steps", least=0)
STATES = whole("states", bytes_each=_state_bytes)
TRANSITIONS = whole("transitions", bytes_each=_state_bytes)
CAPACITY = whole("transitions", bytes_each=lambda: _TRANSITION)
OPTIMIZER = one_of("adam", "rmsprop", "sgd")
LAYERS = whole("layers", most=100)
NEURONS = whole("neurons", most=100_000)
NETWORK = function("a network", 0, "@NatureNetwork", "num_actions")
ACTOR_CRITIC = kind(
    "a network of policy and values", ["init", "apply"], "@PPONetwork or @SACNetwork"
)
AGENT = kind(
    "an agent of this package", ["state_tree", "write_metrics"], "@RecycledDQNAgent"
)
ENVIRONMENT = function(
    "a function without arguments that makes an environment",
    0,
    "@create_minatar_environment",
)
EPSILON = function(
    "a function of (decay_period, step, warmup_steps, epsilon)",
    4,
    "@jax.agents.dqn.dqn_agent.linearly_decaying_epsilon",
)
NUMBER_TYPE = Rule(
    "a type of numbers, such as 'uint8' or 'float32'",
    lambda x: x is not None and np.dtype(x).kind in "biuf",
    "Write 'float32', or leave the setting out.",
)
NAMES = sequence(
    "a list of names", lambda x: TEXT.fits(x), "Write ('csv', 'tensorboard')."
)
LINKS = sequence(
    "a list of optax transformations",
    lambda x: isinstance(x, optax.GradientTransformation),
    "Write [@l2_to_init()], and [] for none.",
)
# Of a function that is called with more than what is bound: gin would pass it over.
GIVEN = Rule(
    "left out, because the caller gives it", lambda x: False, "Remove the binding."
)
INTERVENTION = Rule(
    "what an intervention in parentheses gives",
    lambda x: callable(x) and takes(x, 3) and not takes(x, 0),
    "Write @redo(), or @none().",
)


def given(*parameters: str) -> dict[str, Rule]:
    """The rules of parameters that must not be bound."""
    return dict.fromkeys(parameters, GIVEN)


def elsewhere(name: str, default: Any = None) -> Rule:
    """The rule of a setting in whose place another one is read.

    Its default asks for nothing, and stands in every run's config.gin.
    """
    return Rule(
        f"left out, because {name} decides",
        lambda x: type(x) is type(default) and bool(x == default),
        f"Bind {name}.",
    )


def distinct(rule: Rule) -> Rule:
    """The rule of a list in which nothing stands twice."""
    return rule._replace(
        says=f"{rule.says}, each once",
        fits=lambda x: rule.fits(x) and len({*x}) == len(x),
    )
