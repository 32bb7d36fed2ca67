"""Every gin file that ships: strict, read to the last binding, and run."""

import json
import math
import subprocess
import sys

import gin
import numpy as np
import pytest

from helpers import runs
from redo_dopamine import errors, training
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.config import load
from redo_dopamine.inspect.measure import inspect_checkpoint
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.rundir import operative
from redo_dopamine.tools import record

# One of each kind; all others are slow.
FIRST = (
    "dqn_redo.gin",
    "der_redo.gin",
    "drq_eps_redo.gin",
    "ppo_redo.gin",
    "sac_redo.gin",
)
FIRST += ("minatar_dqn_redo.gin", "offline_dqn.gin")


def listed(configs):
    """Parameters of a test, of which those that are not FIRST are slow."""
    return [
        config if config in FIRST else pytest.param(config, marks=pytest.mark.slow)
        for config in configs
    ]


CONFIGS = listed(load.shipped_configs())
INTERVENTIONS = (
    "redo",
    "layer_reset",
    "fixed_budget",
    "prune",
    "shrink_and_perturb",
    "regrama",
    "adaptive_redo",
)
# Stand-ins that make a run short; the file under test keeps all else.
SHORT = (
    "JaxDQNAgent.min_replay_history = 30",
    "JaxDQNAgent.epsilon_decay_period = 20",
    "JaxDQNAgent.summary_writing_frequency = 2",
    "RecycledDQNAgent.tracking_period = 2",
    "RecycledDrQEpsAgent.tracking_period = 8",
    *(
        f"{name}.tracking_period = 2"
        for name in (
            *("RecycledRainbowAgent", "RecycledFullRainbowAgent"),
            *("RecycledQuantileAgent", "RecycledImplicitQuantileAgent"),
        )
    ),
    *(
        f"{name}.{setting}"
        for name in ("JaxRainbowAgent", "JaxQuantileAgent", "JaxImplicitQuantileAgent")
        for setting in (
            "min_replay_history = 30",
            "epsilon_decay_period = 20",
            "summary_writing_frequency = 2",
        )
    ),
    *(f"Nature{x}Network.width = 0.25" for x in ("C51", "Quantile")),
    "NatureImplicitQuantileNetwork.width = 0.25",
    "RecycledPPOAgent.tracking_period = 2",
    "RecycledSACAgent.tracking_period = 8",
    "SACAgent.min_replay_history = 30",
    "SACAgent.summary_writing_frequency = 2",
    "SACNetwork.width = 0.1",
    "MinatarNetwork.width = 0.25",
    "NatureNetwork.width = 0.25",
    "NatureRainbowNetwork.width = 0.25",
    "ImpalaNetwork.width = 0.25",
    "PPONetwork.width = 0.25",
    "PPOAgent.update_period = 16",
    "PPOAgent.batch_size = 8",
    "PPOAgent.num_epochs = 2",
    "ReplayBuffer.batch_size = 8",
    *(f"{name}.period = 4" for name in INTERVENTIONS),
    "Runner.num_iterations = 1",
    "Runner.training_steps = 60",
    "Runner.evaluation_steps = 40",
    "Runner.max_steps_per_episode = 40",
    "Atari100kRunner.num_eval_episodes = 2",
)
AGENTS = {
    "bbf": "RecycledFullRainbowAgent",
    "demo": "RecycledDQNAgent",
    "dqn": "RecycledDQNAgent",
    "der": "RecycledFullRainbowAgent",
    "drq": "RecycledDrQEpsAgent",
    "full": "RecycledFullRainbowAgent",
    "implicit": "RecycledImplicitQuantileAgent",
    "minatar": "RecycledDQNAgent",
    "offline": "RecycledDQNAgent",
    "ppo": "RecycledPPOAgent",
    "quantile": "RecycledQuantileAgent",
    "rainbow": "RecycledRainbowAgent",
    "sac": "RecycledSACAgent",
}
# Applied when the configuration is loaded, as Runner.evaluation_steps.
READ_WHILE_LOADING = {"create_runner.schedule"}


# What an intervention writes when it acts.
ACTS = {"recycled", "pruned", "reset_layers", "perturbation_norm"}


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A binding that names a data set of the game, for the runs that need one."""
    root = tmp_path_factory.mktemp("data") / "dqn"
    narrow = ["NatureNetwork.width = 0.25"]
    record.record(
        record.Request(str(root), 200, game="DemonAttack", gin_bindings=narrow)
    )
    return f"replay_logs.root = '{root}'"


def agent_name(config):
    """The name that an agent's settings are bound to."""
    return AGENTS[config.partition("_")[0].removesuffix(".gin")]


# For what a run leaves, one of each agent beside those: the last by name.
KINDS = listed(
    sorted({*FIRST, *{agent_name(x): x for x in load.shipped_configs()}.values()})
)


def test_the_documented_configs_ship():
    agents = {"dqn", "dqn_impala", "dqn_nstep", "drq_eps", "minatar_dqn", "ppo", "sac"}
    agents |= {"rainbow", "full_rainbow", "der", "quantile", "implicit_quantile", "bbf"}
    named = {f"{x}{suffix}.gin" for x in agents for suffix in ("", "_redo")}
    named |= {"offline_dqn.gin", "offline_dqn_random_targets.gin"}
    named |= {"demo.gin", "bbf_without_resets.gin"} | {
        f"dqn_{x}.gin" for x in INTERVENTIONS
    }
    assert named == set(load.shipped_configs())


def test_a_shipped_file_is_found_without_a_word(caplog):
    load.load_gin_configs(["dqn_redo.gin"], [])  # It includes dqn.gin.
    assert caplog.messages == []


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A short run of a config, and every setting that it read; each is made once."""
    made = {}

    def run_of(config):
        if config not in made:
            base_dir = tmp_path_factory.mktemp(config.removesuffix(".gin")) / "run"
            runs.run(base_dir, config, (*SHORT, data))
            made[config] = base_dir, operative.operative_config()
        return made[config]

    return run_of


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_is_read_to_the_last_binding(config, trained):
    runs.configure_run(config, ())
    bound = operative.parse_settings(gin.config_str(max_line_length=10**6))
    base_dir, written = trained(config)
    read = operative.parse_settings(written)

    def plain(settings):
        return {name.rpartition("/")[2].split(".", 1)[-1] for name in settings}

    assert plain(bound) - plain(read) <= plain(READ_WHILE_LOADING)

    rows = runs.metrics(base_dir)
    losses = [float(row["value"]) for row in rows if row["name"] == "loss"]
    assert len(losses) > 3
    assert all(math.isfinite(x) for x in losses)
    assert any(row["name"] == "dormant_fraction/0.1" for row in rows)
    agent = agent_name(config)
    intervention = read[f"{agent}.intervention"].strip("@()")
    acted = {row["name"].partition("/")[0] for row in rows} & ACTS
    assert bool(acted) == (intervention != "none")


@pytest.mark.parametrize("config", KINDS)
def test_a_run_is_inspected(config, trained):
    base_dir, _ = trained(config)
    before = runs.fingerprint(base_dir)
    found = inspect_checkpoint(base_dir, metrics=(), taus=(0.1,))
    assert runs.fingerprint(base_dir) == before
    steps = [int(row["gradient_step"]) for row in runs.metrics(base_dir)]
    assert found.gradient_step == max(steps) > 0
    assert found.scores
    for scores in found.scores.values():
        assert np.all(np.isfinite(scores))


# One for each kind of agent; a process takes seconds to start.
IN_A_NEW_PROCESS = (
    *("dqn_redo.gin", "drq_eps_redo.gin", "minatar_dqn_redo.gin"),
    *("offline_dqn.gin", "ppo_redo.gin", "sac_redo.gin"),
)


@pytest.mark.parametrize("config", KINDS)
def test_a_run_is_begun_again_from_its_own_config_gin(config, trained, tmp_path):
    """To the very same numbers, by a process that has loaded nothing of it too."""
    base_dir, _ = trained(config)
    again, written = tmp_path / "again", f"{base_dir}/config.gin"
    drawn = f"{agent_of_seed(base_dir)} = {seed_of(base_dir)}"
    if config in IN_A_NEW_PROCESS:
        flags = [f"--base_dir={again}", f"--gin_files={written}"]
        flags.append(f"--gin_bindings={drawn}")
        done = subprocess.run(
            [sys.executable, "-m", "redo_dopamine.train", *flags],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    else:
        runs.run(again, written, (drawn,))
    assert runs.metrics(again) == runs.metrics(base_dir)


@pytest.mark.parametrize("config", KINDS)
def test_a_run_is_recorded_from_or_says_why_not(config, trained, tmp_path, capsys):
    base_dir, _ = trained(config)
    arguments = [f"--checkpoint={base_dir}", f"--output={tmp_path}", "--num_steps=20"]
    status = offline.main(["record", *arguments])
    is_atari = not config.startswith(("minatar", "ppo", "sac"))
    assert status == (0 if is_atari else errors.USER_ERROR)
    if not is_atari:
        message = capsys.readouterr().err
        assert "must be of an Atari game, but the agent of" in message
        assert not list(tmp_path.iterdir())


def seed_of(base_dir):
    return json.loads((base_dir / "run.json").read_text())["seed"]


SHARED_SEED = load.SEEDS[0]


def agent_of_seed(base_dir):
    """The name that the seed of a run's agent is bound by."""
    settings = operative.parse_settings((base_dir / "config.gin").read_text())
    # DrQ(ε) takes JaxDQNAgent's for its own, where it has none (`configure`).
    return next((name for name in load.SEEDS if name in settings), SHARED_SEED)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_builds_the_agent_it_describes(config, data, tmp_path):
    runs.configure_run(config, (data,))
    agent = training.build_runner(str(tmp_path)).agent
    offline = config.startswith("offline")
    name = "OfflineDQNAgent" if offline else agent_name(config)
    assert type(agent).__name__ == name
    if isinstance(agent, RecycledSACAgent):
        assert (agent.gamma, agent.update_period) == (0.99, 1)
        return
    if isinstance(agent, RecycledPPOAgent):
        assert (agent.batch_size * 32, agent.num_epochs) == (agent.update_period, 10)
        return
    ratio = gin.query_parameter(f"{agent_name(config)}.replay_ratio")
    assert agent._num_updates == ratio * agent.update_period
    if config.startswith("bbf"):  # Its target network follows at every update.
        assert gin.query_parameter("RecycledFullRainbowAgent.target_rate") == 0.005
    elif config.startswith("drq"):
        assert not agent._mse_loss
    elif isinstance(agent, RecycledDQNAgent):
        if agent_name(config) == "RecycledDQNAgent":
            assert agent._loss_type == "huber"
        # Every so many gradient steps, whatever the replay ratio.
        every = 1000 if config.startswith("minatar") else 2000
        assert agent.target_update_period * ratio == every


def test_a_whole_run_of_ppo_anneals_its_learning_rate():
    runs.configure_run("ppo.gin", ())
    steps, rollout, epochs, batch, anneal = map(
        gin.query_parameter,
        (
            "Runner.training_steps",
            "PPOAgent.update_period",
            "PPOAgent.num_epochs",
            "PPOAgent.batch_size",
            "create_optimizer.anneal_steps",
        ),
    )
    rollouts = steps * gin.query_parameter("Runner.num_iterations") // rollout
    assert rollouts * rollout // batch * epochs == anneal


def test_the_default_setting_is_the_papers():
    runs.configure_run("dqn_redo.gin", ())
    expected = {
        "create_optimizer.learning_rate": 6.25e-5,
        "create_optimizer.eps": 1.5e-4,
        "ReplayBuffer.batch_size": 32,
        "ReplayBuffer.max_capacity": 1_000_000,
        "JaxDQNAgent.min_replay_history": 20_000,
        "JaxDQNAgent.epsilon_train": 0.01,
        "JaxDQNAgent.epsilon_eval": 0.001,
        "JaxDQNAgent.epsilon_decay_period": 250_000,
        "JaxDQNAgent.update_horizon": 1,
        "RecycledDQNAgent.taus": (0.0, 0.025, 0.1),
        "redo.tau": 0.025,
        "redo.period": 1000,
        "redo.score_batch_size": 64,
    }
    assert {name: gin.query_parameter(name) for name in expected} == expected
    agent_steps = gin.query_parameter("Runner.num_iterations") * gin.query_parameter(
        "Runner.training_steps"
    )
    assert agent_steps * 4 == 40_000_000  # frames
