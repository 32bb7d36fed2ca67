"""Gin files of Dopamine's earlier versions, of its labs and of its ReDo.

Short ones of our own, in the shapes of those generations.
"""

import gin
import pytest

from helpers.hostile import said_by
from redo_dopamine.config import load, migration

ATARI = """
import dopamine.discrete_domains.atari_lib
import dopamine.discrete_domains.run_experiment
"""
TF = (
    ATARI
    + """
import gin.tf.external_configurables
create_agent.agent_name = 'dqn'
DQNAgent.tf_device = '/gpu:0'  # use '/cpu:*' for non-GPU version
Runner.num_iterations = 7
"""
)
JAX = (
    ATARI
    + """
import dopamine.jax.agents.dqn.dqn_agent
import dopamine.jax.networks
create_agent.agent_name = 'jax_dqn'
"""
)
FULL = "import dopamine.jax.agents.full_rainbow.full_rainbow_agent\n"
LAB = FULL + "import dopamine.labs.atari_100k.atari_100k_rainbow_agent\n"
MINATAR = "import dopamine.labs.environments.minatar.minatar_env\n"
PPO = "import dopamine.continuous_domains.run_experiment\n"
REDO = "import dopamine.labs.redo.recycled_dqn_agents\n"
CONTROL = """
create_gym_environment.environment_name = 'Hopper'
create_gym_environment.version = 'v2'
ContinuousTrainRunner.create_environment_fn = @gym_lib.create_gym_environment
"""
OF_MINATAR = "TrainRunner.create_environment_fn = @minatar_env.create_minatar_env\n"
RUNNER = "experiment.runner"

# A file, and what it sets.
READ = {
    "2018": (
        TF + "import dopamine.atari.run_experiment\nRunner.game_name = 'Seaquest'",
        {"create_atari_environment.game_name": "Seaquest", "Runner.num_iterations": 7},
    ),
    "2018 sticky": (
        TF + "import dopamine.atari.preprocessing\nRunner.sticky_actions = False",
        {"create_atari_environment.sticky_actions": False},
    ),
    "2019": (
        TF + "import dopamine.agents.dqn.dqn_agent\nDQNAgent.gamma = 0.9",
        {"JaxDQNAgent.gamma": 0.9, "create_agent.agent_name": "jax_dqn"},
    ),
    "2023 of TensorFlow": (
        TF + "import dopamine.tf.agents.dqn.dqn_agent\nDQNAgent.update_period = 8",
        {"JaxDQNAgent.update_period": 8},
    ),
    "RMSProp": (
        TF
        + "DQNAgent.optimizer = @tf.train.RMSPropOptimizer()\n"
        + "tf.train.RMSPropOptimizer.learning_rate = 0.00025\n"
        + "tf.train.RMSPropOptimizer.decay = 0.95\n"
        + "tf.train.RMSPropOptimizer.momentum = 0.0\n"
        + "tf.train.RMSPropOptimizer.epsilon = 0.00001\n"
        + "tf.train.RMSPropOptimizer.centered = True\n",
        {
            "JaxDQNAgent.optimizer": "rmsprop",
            "create_optimizer.learning_rate": 0.00025,
            "create_optimizer.beta2": 0.95,
            "create_optimizer.eps": 0.00001,
            "create_optimizer.centered": True,
        },
    ),
    "Adam": (
        TF
        + "DQNAgent.optimizer = @tf.train.AdamOptimizer()\n"
        + "tf.train.AdamOptimizer.epsilon = 0.0003125\n",
        {"JaxDQNAgent.optimizer": "adam", "create_optimizer.eps": 0.0003125},
    ),
    "replay of TensorFlow": (
        TF
        + "import dopamine.replay_memory.circular_replay_buffer\n"
        + "WrappedReplayBuffer.replay_capacity = 1000\n"
        + "WrappedReplayBuffer.batch_size = 16\n",
        {"ReplayBuffer.max_capacity": 1000, "ReplayBuffer.batch_size": 16},
    ),
    "prioritized replay of TensorFlow": (
        TF + "WrappedPrioritizedReplayBuffer.replay_capacity = 1000\n",
        {"ReplayBuffer.max_capacity": 1000},
    ),
    "replay of 2020": (
        JAX + "circular_replay_buffer.OutOfGraphReplayBuffer.replay_capacity = 99",
        {"ReplayBuffer.max_capacity": 99},
    ),
    "prioritized replay of 2020": (
        JAX + "OutOfGraphPrioritizedReplayBuffer.batch_size = 8  # small",
        {"ReplayBuffer.batch_size": 8},
    ),
    "today": (
        JAX
        + "import dopamine.jax.replay_memory.replay_buffer\n"
        + "ReplayBuffer.max_capacity = 500\n",
        {"ReplayBuffer.max_capacity": 500, RUNNER: None},
    ),
    "a module before the name": (
        JAX + "atari_lib.create_atari_environment.game_name = 'Qbert'",
        {"create_atari_environment.game_name": "Qbert"},
    ),
    "a scope before the name": (
        JAX + "eval/DQNAgent.gamma = 0.5",
        {"eval/JaxDQNAgent.gamma": 0.5},
    ),
    "epsilon": (
        JAX + "JaxDQNAgent.epsilon_fn = @dqn_agent.identity_epsilon",
        {"JaxDQNAgent.epsilon_fn": "@jax.agents.dqn.dqn_agent.identity_epsilon"},
    ),
    "flax's summaries": (
        JAX + "import flax\ncreate_runner.schedule = 'jax_train'",
        {"create_runner.schedule": "continuous_train", "Runner.evaluation_steps": 0},
    ),
    "JaxRunner": (
        JAX + "JaxRunner.num_iterations = 3\nJaxRunner.evaluation_steps = 0",
        {"Runner.num_iterations": 3},
    ),
    "DrQ": (
        LAB + "Atari100kRainbowAgent.data_augmentation = True",
        {RUNNER: "@Atari100kRunner", "Atari100kRunner.agent": "@RecycledDrQEpsAgent"},
    ),
    "its evaluation": (
        LAB
        + "Atari100kRainbowAgent.data_augmentation = True\n"
        + "MaxEpisodeEvalRunner.num_eval_episodes = 5\n",
        {"Atari100kRunner.num_eval_episodes": 5},
    ),
    "C51 of TensorFlow": (
        TF.replace("'dqn'", "'rainbow'")
        + "import dopamine.tf.agents.rainbow.rainbow_agent\n"
        + "RainbowAgent.num_atoms = 21\n"
        + "RainbowAgent.replay_scheme = 'uniform'\n"
        + "RainbowAgent.optimizer = @tf.train.AdamOptimizer()\n",
        {
            "JaxRainbowAgent.num_atoms": 21,
            "JaxRainbowAgent.replay_scheme": "uniform",
            "create_agent.agent_name": "jax_rainbow",
            "PlasticityRunner.agent": "@RecycledRainbowAgent",
        },
    ),
    "C51": (
        JAX
        + "import dopamine.jax.agents.rainbow.rainbow_agent\n"
        + "JaxRainbowAgent.vmax = 10.\nJaxDQNAgent.seed = 3\n",
        {"PlasticityRunner.agent": "@RecycledRainbowAgent", "JaxRainbowAgent.seed": 3},
    ),
    "Rainbow by name": (
        ATARI + "create_agent.agent_name = 'jax_rainbow'",
        {"PlasticityRunner.agent": "@RecycledRainbowAgent"},
    ),
    "its network": (
        JAX
        + "import dopamine.jax.agents.rainbow.rainbow_agent\n"
        + "JaxRainbowAgent.network = @networks.RainbowNetwork\n",
        {"JaxRainbowAgent.network": "@NatureC51Network"},
    ),
    "IQN of JAX": (
        JAX
        + "import dopamine.jax.agents.implicit_quantile.implicit_quantile_agent\n"
        + "JaxImplicitQuantileAgent.kappa = 1.0\n",
        {"PlasticityRunner.agent": "@RecycledImplicitQuantileAgent"},
    ),
    "QR-DQN": (
        JAX
        + "import dopamine.jax.agents.quantile.quantile_agent\n"
        + "JaxQuantileAgent.kappa = 1\nJaxDQNAgent.seed = 3\n",
        {
            "PlasticityRunner.agent": "@RecycledQuantileAgent",
            "JaxQuantileAgent.seed": 3,
        },
    ),
    "full Rainbow": (
        FULL + "JaxFullRainbowAgent.noisy = True\nJaxDQNAgent.seed = 3\n",
        {
            "PlasticityRunner.agent": "@RecycledFullRainbowAgent",
            "JaxFullRainbowAgent.seed": 3,
        },
    ),
    "full Rainbow by name": (
        FULL + "create_agent.agent_name = 'full_rainbow'",
        {"PlasticityRunner.agent": "@RecycledFullRainbowAgent"},
    ),
    "DER": (
        LAB
        + "Atari100kRainbowAgent.data_augmentation = False\n"
        + "JaxFullRainbowAgent.noisy = True\n",
        {
            RUNNER: "@Atari100kRunner",
            "Atari100kRunner.agent": "@RecycledFullRainbowAgent",
        },
    ),
    "ReDo on Rainbow": (
        REDO
        + "import dopamine.labs.redo.recycled_rainbow_agent\n"
        + "create_agent_recycled.agent_name = 'rainbow'\n"
        + "RecycledRainbowAgent.network = 'nature'\n"
        + "RecycledRainbowAgent.reset_mode = 'neurons'\n"
        + "RecycledRainbowAgent.num_updates_per_train_step = 1\n"
        + "RecycledRainbowAgent.width = 1\n",
        {
            "PlasticityRunner.agent": "@RecycledRainbowAgent",
            "RecycledRainbowAgent.intervention": "@redo()",
            "JaxRainbowAgent.network": "@NatureC51Network",
            "JaxDQNAgent.loss_type": None,
        },
    ),
    "MinAtar": (
        MINATAR
        + OF_MINATAR
        + "JaxDQNAgent.observation_shape = %minatar_env.BREAKOUT_SHAPE\n"
        + "JaxDQNAgent.observation_dtype = %minatar_env.DTYPE\n"
        + "create_minatar_env.game_name  = 'breakout'\n",
        {
            RUNNER: "@MinatarRunner",
            "create_minatar_environment.game_name": "Breakout",
            "JaxDQNAgent.observation_shape": None,
        },
    ),
    "MinAtar, two words": (
        MINATAR + OF_MINATAR + "create_minatar_env.game_name = 'space_invaders'\n",
        {"create_minatar_environment.game_name": "SpaceInvaders"},
    ),
    "PPO": (
        PPO
        + CONTROL
        + "PPOAgent.network = @continuous_networks.PPOActorCriticNetwork\n"
        + "create_gym_environment.use_ppo_preprocessing = True\n"
        + "create_continuous_runner.schedule = 'continuous_train'\n"
        + "create_continuous_agent.agent_name = 'ppo'\n"
        + "ContinuousRunner.training_steps = 2048\n",
        {
            RUNNER: "@ControlRunner",
            "ControlRunner.agent": "@RecycledPPOAgent",
            "create_control_environment.environment_id": "Hopper-v4",
            "create_control_environment.preprocessing": "@ppo_preprocessing",
            "Runner.training_steps": 2048,
            "PPOAgent.network": "@PPONetwork",
        },
    ),
    "SAC": (
        PPO
        + CONTROL
        + "SACAgent.network = @continuous_networks.SACNetwork\n"
        + "create_continuous_agent.agent_name = 'sac'\n",
        {"ControlRunner.agent": "@RecycledSACAgent"},
    ),
    "ReDo": (
        REDO
        + "import dopamine.labs.redo.weight_recyclers\n"
        + "create_agent_recycled.agent_name = 'dqn'\n"
        + "RecycledDQNAgent.network = 'nature'\n"
        + "RecycledDQNAgent.reset_mode = 'neurons'\n"
        + "BaseRecycler.dead_neurons_threshold = 0.1\n"
        + "BaseRecycler.reset_period = 1000\n"
        + "BaseRecycler.reset_start_step = 10\n"
        + "BaseRecycler.reset_end_step = 2_500_000\n"
        + "BaseRecycler.logging_period = 500\n"
        + "RecycledDQNAgent.num_updates_per_train_step = 1\n"
        + "RecycledDQNAgent.target_update_strategy = 'training_step'\n"
        + "NeuronRecyclerScheduled.score_type = 'redo'\n",
        {
            "JaxDQNAgent.network": "@NatureNetwork",
            "RecycledDQNAgent.intervention": "@redo()",
            "redo.tau": 0.1,
            "redo.period": 1000,
            "redo.start": 10,
            "redo.stop": 2_500_000,
            "RecycledDQNAgent.tracking_period": 500,
        },
    ),
    "ReDo, resets": (
        REDO + "RecycledDQNAgent.reset_mode = 'weights'",
        {"RecycledDQNAgent.intervention": "@layer_reset()"},
    ),
    "ReDo, tracking": (
        REDO
        + "get_mask_updater.mode = 'dense'\n"
        + "RecycledDQNAgent.batch_size_statistics = 128\n",
        {"RecycledDQNAgent.tracking_batch_size": 128},
    ),
    "ReDo at Atari 100K": (
        LAB
        + "import dopamine.labs.redo.recycled_atari100k_rainbow_agent\n"
        + "create_agent_recycled.agent_name = 'atari100k'\n"
        + "create_runner_recycled.max_episode_eval = True\n"
        + "RecycledAtari100kRainbowAgent.network = 'nature'\n"
        + "RecycledAtari100kRainbowAgent.reset_mode = 'neurons'\n"
        + "Atari100kRainbowAgent.data_augmentation = True\n",
        {
            "Atari100kRunner.agent": "@RecycledDrQEpsAgent",
            "RecycledDrQEpsAgent.intervention": "@redo()",
            "Atari100kRainbowAgent.network": "@NatureRainbowNetwork",
            "JaxDQNAgent.loss_type": None,
        },
    ),
    "DrQ before it was a lab": (
        FULL
        + "JaxFullRainbowAgent.data_augmentation = True\n"
        + "DeterministicOutOfGraphPrioritizedReplayBuffer.replay_capacity = 99\n",
        {
            "Atari100kRunner.agent": "@RecycledDrQEpsAgent",
            "ReplayBuffer.max_capacity": 99,
        },
    ),
    "a seed of 2018": (
        TF + "Runner.random_seed = 3",
        {"JaxDQNAgent.seed": 3},
    ),
}
# A file, and the setting that is refused.
REFUSED = {
    "IQN": (TF + "ImplicitQuantileAgent.kappa = 1.0", "ImplicitQuantileAgent.kappa"),
    "prioritized IQN": (
        JAX + "JaxImplicitQuantileAgent.replay_scheme = 'prioritized'",
        "JaxImplicitQuantileAgent.replay_scheme",
    ),
    "SPR": (LAB + "SPRAgent.noisy = True", "SPRAgent.noisy"),
    "SPR with resets": ("JaxSPRAgent.reset_every = 20000", "JaxSPRAgent.reset_every"),
    "BBF": ("BBFAgent.reset_every = 20_000  # steps", "Begin with bbf.gin"),
    "width": (REDO + "RecycledDQNAgent.width = 2", "Write NatureNetwork.width or Imp"),
    "SPR by name": ("create_agent.agent_name = 'spr'", "create_agent.agent_name"),
    "Rainbow on MinAtar": (
        MINATAR + OF_MINATAR + "JaxRainbowAgent.gamma = 0.9",
        "JaxRainbowAgent",
    ),
    "full Rainbow's network by the other name": (
        LAB
        + "Atari100kRainbowAgent.data_augmentation = False\n"
        + "Atari100kRainbowAgent.mse_loss = True\n",
        "Bind JaxFullRainbowAgent.mse_loss",
    ),
    "PPO of another kind": (
        "create_continuous_agent.agent_name = 'ppo_cale'",
        "create_continuous_agent.agent_name",
    ),
    "CartPole": (
        JAX + "create_gym_environment.environment_name = 'CartPole'",
        "create_gym_environment.environment_name",
    ),
    "its network": (
        JAX + "JaxDQNAgent.network = @networks.CartpoleDQNNetwork",
        "JaxDQNAgent.network",
    ),
    "Dopamine's MinAtar network": (
        MINATAR + "JaxDQNAgent.network = @minatar_env.MinatarDQNNetwork",
        "JaxDQNAgent.network",
    ),
    "momentum": (
        TF + "tf.train.RMSPropOptimizer.momentum = 0.9",
        "RMSPropOptimizer.momentum",
    ),
    "another schedule": (
        JAX + "create_runner.schedule = 'episode_wise'",
        "create_runner.schedule",
    ),
    "updates by number": (
        REDO + "RecycledDQNAgent.num_updates_per_train_step = 4",
        "RecycledDQNAgent.num_updates_per_train_step",
    ),
    "scheduled recycling": (
        REDO + "RecycledDQNAgent.reset_mode = 'neurons_scheduled'",
        "RecycledDQNAgent.reset_mode",
    ),
    "outgoing weights": (
        REDO + "NeuronRecycler.init_method_outgoing = 'random'",
        "NeuronRecycler.init_method_outgoing",
    ),
    "recycler's layers": (
        REDO + "BaseRecycler.reset_start_layer_idx = 2",
        "BaseRecycler.reset_start_layer_idx",
    ),
}


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def read(text, path):
    path.write_text(text)
    game = "create_atari_environment.game_name = 'Pong'"
    bindings = [] if "game_name = '" in text else [game]
    return load.load_gin_configs([str(path)], bindings)


def bound(name):
    value = load.bound(name)
    return str(value) if isinstance(value, gin.config.ConfigurableReference) else value


@pytest.mark.parametrize("kind", READ)
def test_a_file_sets_what_it_says(kind, tmp_path):
    text, settings = READ[kind]
    notes = read(text, tmp_path / "old.gin")
    assert {name: bound(name) for name in settings} == settings
    assert all(
        " as " in x or x.endswith((" left out", " by default then")) for x in notes
    )


TENSORFLOWS = {
    "JaxDQNAgent.loss_type": "huber",
    "JaxDQNAgent.optimizer": "rmsprop",
    "create_optimizer.centered": True,
}
C51S = {
    "JaxRainbowAgent.optimizer": "adam",
    "create_optimizer.learning_rate": 0.00025,
    "create_optimizer.eps": 0.0003125,
    "create_optimizer.centered": None,
    "JaxDQNAgent.loss_type": None,
}
REDOS = {
    "JaxDQNAgent.loss_type": "huber",
    "JaxDQNAgent.network": "@ImpalaNetwork",
    "redo.tau": 0.0,
    "redo.period": 200_000,
}


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (TF, TENSORFLOWS),
        (TF + "DQNAgent.gamma = 0.9", TENSORFLOWS),
        # Adam takes nothing that was RMSProp's.
        (
            TF + "DQNAgent.optimizer = @tf.train.AdamOptimizer()",
            {"JaxDQNAgent.optimizer": "adam", "create_optimizer.centered": None},
        ),
        (JAX, dict.fromkeys(TENSORFLOWS)),
        (TF.replace("'dqn'", "'rainbow'") + "RainbowAgent.vmax = 5.0", C51S),
        (
            REDO
            + "create_agent_recycled.agent_name = 'rainbow'\n"
            + "BaseRecycler.reset_period = 7",
            {**dict.fromkeys(REDOS), "redo.tau": 0.0, "redo.period": 7},
        ),
        (REDO + "create_runner_recycled.schedule = 'continuous_train'", REDOS),
        (REDO + "BaseRecycler.reset_period = 7", {**REDOS, "redo.period": 7}),
        (
            REDO + "BaseRecycler.reset_period = 7\nRecycledDQNAgent.network = 'nature'",
            {**REDOS, "redo.period": 7, "JaxDQNAgent.network": "@NatureNetwork"},
        ),
    ],
)
def test_what_a_file_leaves_out_is_as_it_was_then(text, settings, tmp_path):
    notes = read(text, tmp_path / "old.gin")
    assert {name: bound(name) for name in settings} == settings
    said = [x for x in notes if x.endswith(" by default then")]
    assert bool(said) is (text != JAX)


def test_a_name_of_then_in_a_binding_says_nothing_of_the_file():
    load.load_gin_configs(["dqn.gin"], ["DQNAgent.gamma = 0.5"])
    assert bound("create_optimizer.centered") is None


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_counterpart_is_refused_with_what_to_write(kind, tmp_path):
    text, setting = REFUSED[kind]
    message = said_by(lambda: read(text, tmp_path / "old.gin"))
    assert setting in message
    assert len(message.splitlines()) <= 2
    assert message.count(". ") >= 1


def test_an_agent_in_another_environment_is_refused(tmp_path):
    message = said_by(lambda: read("PPOAgent.gamma = 0.9", tmp_path / "a.gin"))
    assert "PPOAgent" in message
    assert "dqn.gin" in message


def test_a_file_that_names_its_runner_keeps_it(tmp_path):
    read(
        LAB + "import redo_dopamine.config.registry\n"
        "PlasticityRunner.agent = @RecycledDrQEpsAgent\n"
        "Atari100kRainbowAgent.data_augmentation = True\n",
        tmp_path / "own.gin",
    )
    assert bound(RUNNER) is None


def test_bindings_are_read_as_files_are():
    game = "Runner.game_name = 'Pong'"
    notes = load.load_gin_configs([], ["DQNAgent.gamma = 0.5", game])
    assert bound("JaxDQNAgent.gamma") == 0.5
    assert notes == (
        "DQNAgent.gamma as JaxDQNAgent.gamma",
        "Runner.game_name as create_atari_environment.game_name",
    )


def test_lines_keep_their_numbers(tmp_path):
    text = TF + "\nDQNAgent.gamma = nonsense"
    line = len(text.splitlines())
    assert f"line {line}" in said_by(lambda: read(text, tmp_path / "old.gin"))


def test_shipped_files_are_left_as_they_are():
    for name in load.shipped_configs():
        text = (load.CONFIG_DIR / name).read_text(encoding="utf-8")
        assert migration.translate(text, name) == (text, ())


def test_the_page_has_the_table():
    page = (load.CONFIG_DIR.parent / "docs" / "migrating.md").read_text("utf-8")
    assert page.endswith(migration.table())


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('create_runner.schedule = "continuous_train"', '= "continuous_train"'),
        ("create_runner.schedule = ('jax_train')", "= 'continuous_train'"),
        ('create_agent.agent_name = "jax_dqn"', '= "jax_dqn"'),
        ('create_agent.agent_name = "dqn"', "= 'jax_dqn'"),
        ("WrappedReplayBuffer.foo = 'a#b'  # c", "ReplayBuffer.foo = 'a#b'"),
        ("DQNAgent.tf_device = [", "left_out_DQNAgent_tf_device = ["),
        ("my.module.DQNAgent.gamma = 3", "my.module.DQNAgent.gamma = 3"),
        ("mine.SPRAgent.x = 3", "mine.SPRAgent.x = 3"),
        ("dqn_agent.DQNAgent.gamma = 3", "JaxDQNAgent.gamma = 3"),
        ("tf.train.AdamOptimizer.epsilon = 3", "create_optimizer.eps = 3"),
    ],
)
def test_a_line_is_read_however_it_is_written(line, read):
    assert migration.translate(line, "a.gin").text.endswith(read)
