"""Every parameter of every gin name of the experiments, set to anything.

The table is made from the names' signatures.
"""

import inspect

import gin
import jax
import numpy as np
import pytest

from helpers.hostile import HOSTILE, said_by
from redo_dopamine.config import checking
from redo_dopamine.config.checking import RULES
from redo_dopamine.config.rules import GIVEN
from redo_dopamine.supervised import distillation, label_shuffle, regression_probe

COMMANDS = [x.COMMAND for x in (label_shuffle, distillation, regression_probe)]
NAMES = {name: x for each in COMMANDS for name, x in each.gin_names().items()}
DEFAULTS = {
    f"{owner}.{parameter.name}": parameter.default
    for owner, thing in NAMES.items()
    for parameter in inspect.signature(thing).parameters.values()
}
# Of those that have no default, and of flax's `parent`, whose default is no value.
SENSIBLE = {
    "Distillation.lesson": "data/distillation/Pong.npz",
    "coupled_weight_decay.strength": 1e-4,
    "decoupled_weight_decay.strength": 1e-4,
    "decoupled_weight_decay.learning_rate": 1e-3,
    "l2_to_init.strength": 1e-4,
    "linear_decay.final": 0.1,
    "linear_decay.num_steps": 1000,
    "parseval.free": ["Dense_1"],
    **{name: None for name in DEFAULTS if name.endswith(".parent")},
}
# What a network takes, and how many numbers it gives.
INPUTS = {
    "ConvClassifier": (28, 28, 1),
    "NatureNetwork": (84, 84, 4),
    "ImpalaNetwork": (84, 84, 4),
    "ValueNetwork": (17,),
}


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    for each in COMMANDS:
        with gin.unlock_config():
            each.load([], [])


def bound_anyhow(name, value):
    """Have gin know a value, and others that the same function needs."""
    with gin.unlock_config():
        for other, sensible in SENSIBLE.items():
            if other.partition(".")[0] == name.partition(".")[0]:
                gin.bind_parameter(f"redo_dopamine.{other}", sensible)
        gin.bind_parameter(f"redo_dopamine.{name}", value)


def build(owner):
    """As an experiment would, with what it would give a network."""
    make = gin.get_configurable(f"redo_dopamine.{owner}")
    if owner not in INPUTS:
        return make()
    network = make() if owner == "ValueNetwork" else make(3)
    blank = np.zeros(INPUTS[owner], np.float32)
    return jax.eval_shape(network.init, jax.random.PRNGKey(0), blank)


def judge(name):
    checking.check()
    if name not in RULES:
        build(name.partition(".")[0])


def test_the_table_is_large():
    assert len(DEFAULTS) > 120
    assert len([name for name in DEFAULTS if name in RULES]) > 80


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_hostile_value_is_refused_by_the_settings_name(name):
    refused = 0
    for value in HOSTILE.values():
        bound_anyhow(name, value)
        message = said_by(lambda: judge(name))
        if message is None:
            assert name not in RULES or RULES[name].fits(value)
            continue
        refused += 1
        assert message.startswith(f"{name} m"), message
        assert len(message) < 500
    assert refused >= 8  # Of 15: text alone may be many things.


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_sensible_value_is_accepted_and_what_the_caller_gives_is_not(name):
    value = SENSIBLE.get(name, DEFAULTS[name])
    if RULES.get(name) is GIVEN:
        value = 1e-3
    assert value is not inspect.Parameter.empty
    bound_anyhow(name, value)
    message = said_by(lambda: judge(name))
    if RULES.get(name) is GIVEN:
        assert message.startswith(f"{name} must be left out, because")
    else:
        assert message is None


def test_its_gin_names_are_those_of_the_agents():
    from redo_dopamine.config import registry

    with gin.unlock_config():
        registry._register()
    shared = [*registry.INTERVENTIONS, *registry.BUDGET_SETTINGS]
    assert all(NAMES[x.__name__] is x for x in shared)
    assert all(NAMES[name] is x for name, x in registry.NETWORK_SETTINGS.items())
