"""Rules that several settings share."""

import gin
import optax

from redo_dopamine.bindings.rules import (
    TEXT,
    Rule,
    function,
    kind,
    one_of,
    sequence,
    takes,
    whole,
)

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
