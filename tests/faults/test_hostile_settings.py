"""Every setting of every gin file that ships, and of Dopamine's, set to anything.

The table is made from the files. A value that breaks its rule is refused while the
configuration is read, by one message with the setting, the rule and the value. What
only a part that is built can judge (`JUDGED_WHEN_BUILT`) is refused there.
"""

import functools

import gin
import pytest

from helpers import runs
from helpers.hostile import HOSTILE, said_by
from redo_dopamine import training
from redo_dopamine.config import checking, load
from redo_dopamine.config.checking import RULES
from redo_dopamine.config.rules import GIVEN
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import operative

# What the gin files of Dopamine 4.1.2 bind for the agents of this package, ours aside.
DOPAMINES = (
    *("create_agent.debug_mode", "create_optimizer.beta1", "create_optimizer.beta2"),
    *("JaxFullRainbowAgent.num_updates_per_train_step", "SACAgent.target_entropy"),
    *("SACAgent.reward_scale_factor", "SACAgent.target_update_period"),
    *("PPOAgent.seed", "SACAgent.seed", "JaxDQNAgent.seed"),
    "PlasticityRunner.checkpoint_minutes",
)
# Factories of interventions, schedules and metrics, and networks: they judge their own
# settings, when they are called.
MADE = (
    *("redo", "prune", "regrama", "adaptive_redo", "fixed_budget", "cosine"),
    *("layer_reset", "shrink_and_perturb", "decoupled_weight_decay"),
    *("annealed_horizon", "annealed_gamma"),
)


GAME = "create_atari_environment.game_name = 'Pong'"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@functools.cache
def shipped_settings():
    """`{setting: file that binds it}`."""
    found = {}
    for config in load.shipped_configs():
        runs.configure_run(config, ())
        text = gin.config_str(max_line_length=10**6)
        for name in operative.parse_settings(text):
            owner, parameter = name.rpartition("/")[2].split(".")[-2:]
            found.setdefault(f"{owner}.{parameter}", config)
    gin.clear_config()
    return found


SETTINGS = (*shipped_settings(), *DOPAMINES)
WIDTHS = tuple(x for x in SETTINGS if x.endswith("Network.width"))
AGENTS = ("RecycledDQNAgent", "RecycledDrQEpsAgent", "RecycledPPOAgent")
AGENTS += ("RecycledSACAgent", "RecycledRainbowAgent", "RecycledFullRainbowAgent")
AGENTS += ("RecycledQuantileAgent", "RecycledImplicitQuantileAgent")
JUDGED_WHEN_BUILT = {
    *WIDTHS,
    *(f"{x}.{y}" for x in AGENTS for y in ("intervention", "taus", "replay_ratio")),
    *(x for x in SETTINGS if x.partition(".")[0] in MADE),
}


def test_every_setting_is_judged():
    assert len(SETTINGS) > 100
    assert [x for x in SETTINGS if x not in RULES and x not in JUDGED_WHEN_BUILT] == []


@pytest.mark.parametrize("name", [x for x in SETTINGS if x in RULES])
def test_a_setting_is_refused_by_name_or_fits_its_rule(name):
    config = shipped_settings().get(name, "dqn.gin")
    runs.configure_run(config, ())
    refused = 0
    with gin.unlock_config():
        before = load.bound(name)
        for value in HOSTILE.values():
            gin.bind_parameter(name, value)
            message = said_by(checking.check)
            if message is None:
                assert RULES[name].fits(value)
                continue
            refused += 1
            assert message.startswith(f"{name} must be {RULES[name].says}, but ")
            assert len(message) < 500
        gin.bind_parameter(name, before)
    assert refused >= 8  # Of 15: text alone may be many things.


FACTORY_SETTINGS = sorted(x for x in JUDGED_WHEN_BUILT if x.partition(".")[0] in MADE)


@pytest.mark.parametrize("name", [x for x in FACTORY_SETTINGS if x not in RULES])
def test_a_factory_refuses_by_the_settings_name(name):
    runs.configure_run(shipped_settings()[name], ())
    owner = name.partition(".")[0]
    refused = 0
    with gin.unlock_config():
        for value in HOSTILE.values():
            gin.bind_parameter(name, value)
            message = said_by(gin.get_configurable(owner))
            if message is None:
                continue
            refused += 1
            assert message.startswith(f"{name} must")
            assert len(message) < 500
    assert refused >= 8


@pytest.mark.parametrize(
    ("config", "bindings", "parts"),
    [
        ("dqn.gin", ["NatureNetwork.width = 'x'"], ["NatureNetwork.width must be > 0"]),
        ("dqn.gin", ["NatureNetwork.width = 9000"], ["NatureNetwork.width", "GiB"]),
        ("dqn.gin", ["RecycledDQNAgent.taus = 'x'"], ["RecycledDQNAgent.taus must"]),
        ("dqn.gin", ["RecycledDQNAgent.replay_ratio = 1e400"], ["replay_ratio must"]),
        (
            "dqn.gin",
            ["ReplayBuffer.max_capacity = 5", "JaxDQNAgent.update_horizon = 10"],
            ["ReplayBuffer.max_capacity must be at least the 14 steps", "is 5"],
        ),
        (
            "dqn.gin",
            ["ReplayBuffer.max_capacity = 31"],
            ["ReplayBuffer.max_capacity must", "a batch of 32", "is 31"],
        ),
        (
            "dqn.gin",
            ["JaxDQNAgent.observation_shape = (83, 84)"],
            ["JaxDQNAgent.observation_shape must", "(84, 84, 1)", "is (83, 84)"],
        ),
        (
            "dqn.gin",
            ["Runner.create_environment_fn = @redo"],
            ["Runner.create_environment_fn must", "for PlasticityRunner"],
        ),
        (
            "dqn.gin",
            ["Runner.create_environment_fn = @create_control_environment"],
            ["Runner.create_environment_fn must", "with action_space.n"],
        ),
        (
            "ppo.gin",
            ["Runner.create_environment_fn = @create_minatar_environment"],
            ["Runner.create_environment_fn must", "with true_reward"],
        ),
        (
            "ppo.gin",
            ["PPOAgent.batch_size = 63"],
            ["PPOAgent.batch_size must divide", "2048 / 63"],
        ),
        ("rainbow.gin", ["JaxRainbowAgent.num_atoms = 1"], ["num_atoms 2 or more"]),
        (
            "rainbow.gin",
            ["JaxRainbowAgent.vmin = 10.0"],
            ["vmax must be above vmin", "from 10 to 10"],
        ),
        (
            "full_rainbow.gin",
            ["JaxFullRainbowAgent.vmax = -5.0"],
            ["vmax must be above vmin", "from 5 to -5"],
        ),
        (
            "full_rainbow.gin",
            ["RecycledFullRainbowAgent.acts_with = @redo"],
            ["acts_with must be a function of (params, target_params)", "@redo"],
        ),
    ],
)
def test_what_is_judged_when_the_run_is_built(config, bindings, parts, tmp_path):
    runs.configure_run(config, bindings)
    with pytest.raises(UserError) as refused:
        training.build_runner(str(tmp_path))
    for part in parts:
        assert part in str(refused.value)


def test_any_failure_while_building_is_the_users_and_names_the_function(tmp_path):
    runs.configure_run("ppo.gin", ["create_control_environment.preprocessing = @relu"])
    with pytest.raises(UserError, match=r"create_control_environment\.preproc.*@relu"):
        training.build_runner(str(tmp_path))


def test_checking_leaves_no_trace_in_the_operative_config():
    runs.configure_run("dqn.gin", ["RecycledDQNAgent.metrics = [@srank()]"])
    assert "Parameters for" not in gin.operative_config_str()


@pytest.mark.parametrize(
    ("binding", "part"),
    [
        ("CollectorDispatcher.collectors = ('csv', 'csv')", "each once"),
        ("JaxFullRainbowAgent.seed = 7", "because JaxDQNAgent.seed decides"),
        ("JaxFullRainbowAgent.vmin = 0.0", "Dopamine takes 0 for None"),
        ("JaxFullRainbowAgent.mse_loss = True", "Bind Atari100kRainbowAgent.mse_loss"),
        (
            "RecycledDQNAgent.before_optimizer = [@l2_to_init()]",
            "l2_to_init needs strength. Bind l2_to_init.strength",
        ),
    ],
)
def test_a_setting_that_would_not_be_done_is_refused(binding, part):
    config = "drq_eps.gin" if "Rainbow" in binding else "dqn.gin"
    message = said_by(lambda: runs.configure_run(config, (GAME, binding)))
    assert part in message


def test_what_the_program_gives_is_not_bound_in_vain():
    judged = 0
    for name in (x for x in RULES if RULES[x] is GIVEN):
        runs.configure_run("dqn.gin", ())
        with gin.unlock_config():
            try:
                gin.bind_parameter(name, 3)
            except ValueError:  # No such parameter, or not of a run of an agent.
                continue
            message = said_by(checking.check)
        assert message.startswith(f"{name} must be left out, because the caller gives")
        judged += 1
    assert judged > 50
