"""Names and defaults of other versions of Dopamine, and of its ReDo, as today's.

The TensorFlow agents of 2018, the JAX agents of 2020 with the replay buffers of before,
and those of today; Dopamine's own ReDo (`dopamine.labs.redo`) has names of its own.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """How an old setting is read.

    Attributes:
        old: `OWNER.SETTING`, or `OWNER.*` for all others of an owner.
        new: the same today; "" where nothing is to be set.
        values: today's value by the old one, both as they are written; any other is
            refused. None where every value is taken as it is.
        instead: what to do in the place of what is refused.
    """

    old: str
    new: str = ""
    values: Mapping[str, str] | None = None
    instead: str = ""


def _renamed(owner: str, new: str, **settings: str) -> tuple[Row, ...]:
    rows = [Row(f"{owner}.{x}", f"{new}.{y}") for x, y in settings.items()]
    return (*rows, Row(f"{owner}.*", f"{new}.*"))


def _kept(*values: str) -> dict[str, str]:
    return dict(zip(values, values, strict=True))


def _refused(instead: str, *owners: str) -> tuple[Row, ...]:
    return tuple(Row(f"{owner}.*", "", {}, instead) for owner in owners)


_NO_AGENT = (
    "The agents here are DQN, Rainbow, QR-DQN, IQN, DrQ(eps), PPO and SAC: dqn.gin, "
    "rainbow.gin, full_rainbow.gin, quantile.gin, implicit_quantile.gin, der.gin, "
    "bbf.gin, drq_eps.gin, ppo.gin and sac.gin configure them."
)
_NO_PREDICTION = (
    "SPR's self-predictive loss is not here. Begin with bbf.gin, which is BBF's recipe "
    "without it, or with bbf_without_resets.gin."
)
_NO_ENVIRONMENT = (
    "The environments here are Atari, MinAtar and MuJoCo: dqn.gin, minatar_dqn.gin, "
    "ppo.gin and sac.gin configure them."
)
_EPSILON = "jax.agents.dqn.dqn_agent"
_BODIES = ("HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "Swimmer", "Reacher")
_MINATAR = ("Breakout", "Asterix", "Seaquest", "Freeway")
# Of any setting; "" where the environment gives what is set.
VALUES: Mapping[str, str] = {
    "@tf.train.AdamOptimizer()": "'adam'",
    "@tf.train.RMSPropOptimizer()": "'rmsprop'",
    "@networks.RainbowNetwork": "@NatureC51Network",
    "@networks.FullRainbowNetwork": "@NatureRainbowNetwork",
    "@networks.QuantileNetwork": "@NatureQuantileNetwork",
    "@networks.ImplicitQuantileNetwork": "@NatureImplicitQuantileNetwork",
    "@continuous_networks.SACNetwork": "@SACNetwork",
    "@continuous_networks.PPOActorCriticNetwork": "@PPONetwork",
    **{
        f"@dqn_agent.{name}_epsilon": f"@{_EPSILON}.{name}_epsilon"
        for name in ("identity", "linearly_decaying")
    },
    "@gym_lib.create_gym_environment": "@create_control_environment",
    "@minatar_env.create_minatar_env": "@create_minatar_environment",
    **{
        f"%minatar_env.{name}": ""
        for name in (
            *("DTYPE", "SPACE_INVADERS_SHAPE"),
            *(f"{x.upper()}_SHAPE" for x in _MINATAR),
        )
    },
}
# Of any setting: values that are refused, with what to do instead.
NOT_HERE: Mapping[str, str] = {
    "@minatar_env.MinatarDQNNetwork": (
        "Write @MinatarNetwork: MinAtar's own, which has a hidden layer besides."
    ),
    **{
        f"@networks.{name}DQNNetwork": _NO_ENVIRONMENT
        for name in ("Cartpole", "Acrobot", "LunarLander", "MountainCar")
    },
}
_UNIFORM = "IQN draws its batches uniformly, as in Dopamine whatever is set."
_NO_WEIGHTS = "Layers are derived from the network, and zero is what ReDo writes."


def _recycled(
    owner: str, ours: str, parent: str, networks: Mapping[str, str]
) -> tuple[Row, ...]:
    """The rows of one of the agents of Dopamine's ReDo."""
    widths = " or ".join(f"{x[1:]}.width" for x in networks.values())
    return (
        Row(
            f"{owner}.reset_mode",
            f"{ours}.intervention",
            {"'neurons'": "@redo()", "'weights'": "@layer_reset()", "None": "@none()"},
            f"Write {ours}.intervention = @fixed_budget() for neurons_scheduled.",
        ),
        Row(f"{owner}.network", f"{parent}.network", networks),
        Row(f"{owner}.width", "", {"1": ""}, f"Write {widths}."),
        Row(
            f"{owner}.num_updates_per_train_step",
            "",
            {"1": ""},
            f"Write {ours}.replay_ratio, the updates per agent step: this number "
            "divided by update_period.",
        ),
        Row(
            f"{owner}.target_update_strategy",
            "",
            {"'training_step'": ""},
            "Divide target_update_period, in agent steps, by the replay ratio.",
        ),
        Row(f"{owner}.batch_size_statistics", f"{ours}.tracking_batch_size"),
        Row(f"{owner}.is_debugging"),
    )


SETTINGS: tuple[Row, ...] = (
    # Agents of TensorFlow, and their optimizers.
    Row("DQNAgent.tf_device"),
    *_renamed("DQNAgent", "JaxDQNAgent"),
    Row("RainbowAgent.tf_device"),
    *_renamed("RainbowAgent", "JaxRainbowAgent"),
    *_refused(
        "Write JaxImplicitQuantileAgent in its place, and in that of RainbowAgent, as "
        "implicit_quantile.gin does.",
        "ImplicitQuantileAgent",
    ),
    Row("JaxImplicitQuantileAgent.replay_scheme", "", {"'uniform'": ""}, _UNIFORM),
    *_renamed("AdamOptimizer", "create_optimizer", epsilon="eps"),
    # Of PPO's network, which Dopamine hands to one of its own alone.
    Row("PPOAgent.num_layers", "PPONetwork.num_layers"),
    Row("PPOAgent.hidden_units", "PPONetwork.hidden_units"),
    Row(
        "PPOAgent.activation",
        "PPONetwork.activation",
        {"'tanh'": "@tanh", "'relu'": "@relu"},
    ),
    Row("RMSPropOptimizer.momentum", "", {"0.0": "", "0": ""}, "Leave it out."),
    *_renamed("RMSPropOptimizer", "create_optimizer", epsilon="eps", decay="beta2"),
    # Replay buffers of before 2024.
    *(
        row
        for buffer in (
            *("WrappedReplayBuffer", "WrappedPrioritizedReplayBuffer"),
            *("OutOfGraphReplayBuffer", "OutOfGraphPrioritizedReplayBuffer"),
            "DeterministicOutOfGraphReplayBuffer",
            "DeterministicOutOfGraphPrioritizedReplayBuffer",
        )
        for row in _renamed(buffer, "ReplayBuffer", replay_capacity="max_capacity")
    ),
    # Atari 100K before it was one of Dopamine's labs.
    Row(
        "JaxFullRainbowAgent.data_augmentation",
        "Atari100kRainbowAgent.data_augmentation",
    ),
    # Runners.
    Row("Runner.random_seed", "JaxDQNAgent.seed"),
    Row("MaxEpisodeEvalRunner.num_eval_episodes", "Atari100kRunner.num_eval_episodes"),
    *(
        row
        for runner in (
            *("MaxEpisodeEvalRunner", "TrainRunner", "JaxRunner"),
            *("ContinuousRunner", "ContinuousTrainRunner"),
        )
        for row in _renamed(runner, "Runner")
    ),
    Row(
        "create_runner.schedule",
        "create_runner.schedule",
        {
            **_kept("'continuous_train'", "'continuous_train_and_eval'"),
            "'jax_train'": "'continuous_train'",
            "'jax_train_and_eval'": "'continuous_train_and_eval'",
        },
        "Write 'continuous_train' or 'continuous_train_and_eval'.",
    ),
    *_renamed("create_continuous_runner", "create_runner"),
    # Agents by name.
    Row(
        "create_agent.agent_name",
        "create_agent.agent_name",
        {
            "'dqn'": "'jax_dqn'",
            "'rainbow'": "'jax_rainbow'",
            **_kept("'jax_dqn'", "'jax_rainbow'", "'full_rainbow'", "'jax_quantile'"),
            **_kept("'jax_implicit_quantile'"),
        },
        _NO_AGENT,
    ),
    Row(
        "create_continuous_agent.agent_name", "", {"'ppo'": "", "'sac'": ""}, _NO_AGENT
    ),
    Row(
        "create_agent_recycled.agent_name",
        "create_agent.agent_name",
        {
            **{"'dqn'": "'jax_dqn'", "'atari100k'": "'full_rainbow'"},
            "'rainbow'": "'jax_rainbow'",
        },
        _NO_AGENT,
    ),
    *_refused(_NO_PREDICTION, "SPRAgent", "JaxSPRAgent", "BBFAgent"),
    # Environments.
    Row("Runner.game_name", "create_atari_environment.game_name"),
    Row("Runner.sticky_actions", "create_atari_environment.sticky_actions"),
    Row(
        "create_minatar_env.game_name",
        "create_minatar_environment.game_name",
        {
            "'space_invaders'": "'SpaceInvaders'",
            **{f"'{x.lower()}'": f"'{x}'" for x in _MINATAR},
        },
    ),
    Row(
        "create_gym_environment.environment_name",
        "create_control_environment.environment_id",
        {f"'{x}'": f"'{x}-v4'" for x in _BODIES},
        _NO_ENVIRONMENT,
    ),
    Row("create_gym_environment.version"),
    Row("create_gym_environment.use_legacy_gym"),
    Row(
        "create_gym_environment.use_ppo_preprocessing",
        "create_control_environment.preprocessing",
        {"True": "@ppo_preprocessing", "False": "None"},
    ),
    # Dopamine's ReDo.
    *_recycled(
        *("RecycledDQNAgent", "RecycledDQNAgent", "JaxDQNAgent"),
        {"'nature'": "@NatureNetwork", "'resnet'": "@ImpalaNetwork"},
    ),
    *_recycled(
        *("RecycledRainbowAgent", "RecycledRainbowAgent", "JaxRainbowAgent"),
        {"'nature'": "@NatureC51Network"},
    ),
    *_recycled(
        "RecycledAtari100kRainbowAgent",
        *("RecycledDrQEpsAgent", "Atari100kRainbowAgent"),
        {"'nature'": "@NatureRainbowNetwork"},
    ),
    Row("BaseRecycler.dead_neurons_threshold", "redo.tau"),
    Row("BaseRecycler.reset_period", "redo.period"),
    Row("BaseRecycler.reset_start_step", "redo.start"),
    Row("BaseRecycler.reset_end_step", "redo.stop"),
    Row("BaseRecycler.logging_period", "RecycledDQNAgent.tracking_period"),
    Row("NeuronRecycler.init_method_outgoing", "", {"'zero'": ""}, _NO_WEIGHTS),
    Row("NeuronRecycler.weight_scaling", "", {"False": ""}, "Write @live_norm."),
    Row("NeuronRecyclerScheduled.recycle_rate", "fixed_budget.fraction"),
    Row(
        "NeuronRecyclerScheduled.score_type",
        "",
        {"'redo'": ""},
        "Write fixed_budget.select.",
    ),
    *_refused(
        "See docs/released_code.md for what is here in its place.",
        *("BaseRecycler", "NeuronRecycler", "NeuronRecyclerScheduled", "LayerReset"),
    ),
    Row("get_mask_updater.mode", "", {"'dense'": ""}, "Networks here are dense."),
    Row("create_runner_recycled.max_episode_eval"),
    *_renamed("create_runner_recycled", "create_runner"),
)


class Default(NamedTuple):
    """What a file left out and is another today.

    Attributes:
        owners: of old settings: a file that sets one of theirs is meant.
        settings: by today's names; none of them where the file sets the first.
        agent: by its name in `create_agent`, the one that they are of; "" for any.
    """

    owners: tuple[str, ...]
    settings: Mapping[str, str]
    agent: str = ""


_REDO = (
    *("BaseRecycler", "NeuronRecycler"),
    *("create_agent_recycled", "create_runner_recycled"),
)
_DQN = "jax_dqn"
DEFAULTS: tuple[Default, ...] = (
    Default(("DQNAgent",), {"JaxDQNAgent.loss_type": "'huber'"}, _DQN),
    Default(
        ("DQNAgent",),
        {
            "JaxDQNAgent.optimizer": "'rmsprop'",
            "create_optimizer.learning_rate": "0.00025",
            "create_optimizer.beta2": "0.95",
            "create_optimizer.eps": "0.00001",
            "create_optimizer.centered": "True",
        },
        _DQN,
    ),
    Default(
        ("RainbowAgent",),
        {
            "JaxRainbowAgent.optimizer": "'adam'",
            "create_optimizer.learning_rate": "0.00025",
            "create_optimizer.eps": "0.0003125",
        },
    ),
    Default(_REDO, {"JaxDQNAgent.loss_type": "'huber'"}, _DQN),
    Default(_REDO, {"JaxDQNAgent.network": "@ImpalaNetwork"}, _DQN),
    Default(_REDO, {"redo.tau": "0.0"}),
    Default(_REDO, {"redo.period": "200_000"}),
)
