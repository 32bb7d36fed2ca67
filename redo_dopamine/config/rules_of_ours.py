"""The rules of our settings that nothing else checks, by what they belong to.

Interventions, metrics and optimizer links check their own settings when they are made:
`gin_files.brief` adds the gin name to what they say.
"""

from collections.abc import Mapping

from redo_dopamine.config.rules import (
    AGENT,
    AGENT_STEPS_OR_ZERO,
    ANY_NUMBER,
    BELOW_ONE,
    ENVIRONMENT_BYTES,
    GIVEN,
    GRADIENT_STEPS,
    INTERVENTION,
    LARGEST_SEED,
    LAYERS,
    LINKS,
    NEURONS,
    NOT_NEGATIVE,
    OTHER_STATE,
    POSITIVE,
    SEED,
    SHARE,
    STATES,
    TEXT,
    TRUTH,
    Rule,
    function,
    given,
    kind,
    number,
    one_of,
    or_none,
    sequence,
    takes,
    whole,
)
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.networks.bodies import Body

_AGENT = {
    "intervention": or_none(INTERVENTION),
    "tracking_period": GRADIENT_STEPS,
    "tracking_batch_size": STATES,
    "weight_decay": NOT_NEGATIVE,
    "metrics": sequence(
        "a list of metrics",
        lambda x: isinstance(x, Metric),
        "Write [@srank(), @magi()], with parentheses, and [] for none.",
    ),
    "before_optimizer": LINKS,
    "after_optimizer": LINKS,
    **given("num_actions", "settings"),
}
_DQN = {
    **_AGENT,
    "loss_term": or_none(
        Rule(
            "what a loss term in parentheses gives",
            lambda x: callable(x) and takes(x, 1) and not takes(x, 0),
            "Write @churn_reduction().",
        )
    ),
}
_ACTOR_CRITIC = {
    **_AGENT,
    **given("action_shape", "observation_shape", "action_limits"),
}


def _schedule(example: str) -> Rule:
    return Rule(
        "what a schedule in parentheses gives",
        lambda x: callable(x) and takes(x, 1) and not takes(x, 0),
        f"Write @{example}().",
    )


_EXPERIMENT = {
    "intervention": or_none(INTERVENTION),
    "seed": Rule(
        f"a whole number from 0 to {LARGEST_SEED}",
        lambda x: x is not None and SEED.fits(x),
    ),
    "num_epochs": whole("epochs"),
    "batch_size": whole("inputs"),
    "tracking_batch_size": whole("inputs"),
    "learning_rate": POSITIVE,
    "taus": sequence(
        "a list of numbers >= 0", NOT_NEGATIVE.fits, "Write (0.1,) for one."
    ),
}
_NETWORKS = (
    *("NatureNetwork", "ImpalaNetwork", "MinatarNetwork", "ConvClassifier"),
    *("NatureRainbowNetwork", "NatureC51Network", "NatureQuantileNetwork"),
    *("InjectableNatureNetwork", "InjectableMinatarNetwork"),
    *("NatureImplicitQuantileNetwork", "PPONetwork", "SACNetwork", "ValueNetwork"),
)
_NETWORK = {
    "activation": function("an activation function of one array", 1, "@relu"),
    "normalize": or_none(
        function("a function that makes a normalization", 0, "@LayerNorm")
    ),
    "num_layers": LAYERS,
    "hidden_units": NEURONS,
    "inputs_preprocessed": TRUTH,
    # Of flax's modules; a network that stands by itself has neither.
    "name": one_of(None),
    "parent": one_of(None),
    **given("num_actions", "num_classes"),
}
_STACK_SIZES = Rule(
    "a list of whole numbers of channels, at least one",
    lambda x: isinstance(x, list | tuple) and len(x) > 0 and all(map(NEURONS.fits, x)),
    "Write (32, 64, 64).",
)
_SCORING = {"score_batch_size": STATES}
RULES: Mapping[str, Mapping[str, Rule]] = {
    "FrameReplay": {
        "windows": function(
            "a function of a trajectory and its settings", 2, "@complete_windows"
        ),
        **given("stack_size", "update_horizon", "gamma", "seed"),
        # Of a replay that is not cut, None stands in the run's config.gin.
        "draw_at": GIVEN._replace(fits=lambda x: x is None),
    },
    "experiment": {
        "runner": kind(
            "a runner of this package", ["run_experiment"], "@PlasticityRunner"
        ),
    },
    "PlasticityRunner": {"agent": AGENT, "checkpoint_minutes": NOT_NEGATIVE},
    "Atari100kRunner": {
        "agent": AGENT,
        "num_eval_episodes": whole("episodes", 0, bytes_each=lambda: ENVIRONMENT_BYTES),
        "max_no_ops": AGENT_STEPS_OR_ZERO,
    },
    "MinatarRunner": {"agent": AGENT},
    "ControlRunner": {"agent": AGENT},
    "OfflineRunner": {"agent": AGENT},
    "create_minatar_environment": {"game_name": TEXT},
    "create_control_environment": {
        "environment_id": TEXT,
        "preprocessing": or_none(
            function("a function of one environment", 1, "@ppo_preprocessing")
        ),
    },
    "ppo_preprocessing": {
        "gamma": SHARE,
        "limit": POSITIVE,
        **given("environment"),
    },
    "RecycledDQNAgent": _DQN,
    "RecycledDrQEpsAgent": _DQN,
    "RecycledRainbowAgent": _DQN,
    "RecycledFullRainbowAgent": {
        **_DQN,
        "horizon_fn": or_none(_schedule("annealed_horizon")),
        "gamma_fn": or_none(_schedule("annealed_gamma")),
        "target_rate": or_none(number("a number in (0, 1]", lambda x: 0 < x <= 1)),
        "acts_with": function(
            "a function of (params, target_params)", 2, "@target_network"
        ),
        "target_intervention": or_none(INTERVENTION),
        "augment": or_none(
            function("a function of (states, key)", 2, "@shift_and_intensity")
        ),
    },
    "RecycledQuantileAgent": _DQN,
    "RecycledImplicitQuantileAgent": {**_DQN, "replay_scheme": one_of("uniform")},
    "OfflineDQNAgent": {
        **_DQN,
        "data": function(
            "a function that reads a data set",
            0,
            "@replay_logs",
            *("stack_size", "update_horizon", "gamma", "seed"),
        ),
        "targets": function("a function of a critic", 1, "@td_targets"),
    },
    "RecycledPPOAgent": {
        **_ACTOR_CRITIC,
        "order": function(
            "a function of (key, num_transitions, batch_size, num_epochs)",
            4,
            "@shuffled_minibatches",
        ),
    },
    "RecycledSACAgent": {
        **_ACTOR_CRITIC,
        "next_value": function(
            "a function of (network, params, target_params, state, key)",
            5,
            "@value_of_mean_action",
        ),
    },
    "replay_logs": {
        **given("stack_size", "update_horizon", "gamma", "seed"),
        "root": TEXT,
        "run": Rule(
            "a whole number, or text in quotes",
            lambda x: TEXT.fits(x) or (type(x) is int and 0 <= x < 10**9),
        ),
        "splits": or_none(
            sequence(
                "a list of whole numbers >= 0",
                lambda x: type(x) is int and 0 <= x < 10**9,
                "Write (0, 1), or None for all that are there.",
            )
        ),
    },
    **{
        name: given("params", "target_params")
        for name in ("online_network", "target_network")
    },
    "shift_and_intensity": given("states", "key"),
    "random_targets": {"scale": ANY_NUMBER, **given("critic")},
    "redo": {
        **_SCORING,
        "incoming": function(
            "a function of (graph, masks, params, fresh_params)", 4, "@live_norm"
        ),
    },
    "prune": _SCORING,
    "regrama": _SCORING,
    "adaptive_redo": _SCORING,
    "decoupled_weight_decay": {
        "decays": or_none(function("a function of one array", 1, "@all_but_vectors")),
    },
    "all_but_vectors": given("parameter"),
    "fixed_budget": {
        "score_batch_size": STATES,
        "select": function("a function of a layer's view", 1, "@lowest_score"),
    },
    **{name: _NETWORK for name in _NETWORKS},
    "NatureRainbowNetwork": {
        **_NETWORK,
        "body": Rule(
            "what a body in parentheses gives",
            lambda x: isinstance(x, Body),
            "Write @impala_body().",
        ),
    },
    "impala_body": {
        "stack_sizes": _STACK_SIZES,
        "rescale": or_none(function("a function of one array", 1, "@unit_range")),
    },
    "unit_range": given("x"),
    "ImpalaNetwork": {
        **_NETWORK,
        "stack_sizes": _STACK_SIZES,
    },
    "PPONetwork": {**_NETWORK, **given("action_shape", "action_limits")},
    "SACNetwork": {**_NETWORK, **given("action_shape", "action_limits")},
    # It has no action.
    "ValueNetwork": {
        **_NETWORK,
        "action_shape": one_of(()),
        "action_limits": one_of(None),
    },
    "leaky_relu": {**given("x"), "negative_slope": ANY_NUMBER},
    "LayerNorm": {"epsilon": POSITIVE},
    **{
        name: given("x")
        for name in ("relu", "tanh", "identity", "crelu", "deep_fourier")
    },
    **{
        name: given("view")
        for name in ("lowest_score", "highest_score", "at_random", "lowest_utility")
    },
    **{
        name: given("graph", "masks", "params", "fresh_params")
        for name in ("as_drawn", "live_norm")
    },
    "LabelShuffle": {
        **_EXPERIMENT,
        "dataset": function("a function that reads images", 0, "@fashion_mnist"),
        "network": function("a network", 1, "@ConvClassifier"),
        "num_samples": whole("images"),
        "pixel_block": whole("pixels"),
        "momentum": BELOW_ONE,
        "shuffle_every": or_none(whole("epochs")),
    },
    "fashion_mnist": {"data_dir": or_none(TEXT)},
    "cifar10": {"data_dir": or_none(TEXT)},
    "Distillation": {
        **_EXPERIMENT,
        "lesson": TEXT,
        "network": function("a network", 1, "@NatureNetwork"),
        "start": function(
            "a function of teacher data and parameters", 2, "@fresh_student"
        ),
        "eps": POSITIVE,
    },
    "RegressionProbe": {
        **_EXPERIMENT,
        "environment_id": TEXT,
        "network": function("a network", 0, "@ValueNetwork"),
        "start": function(
            "a function of (drawn, environment_id, seed)", 3, "@fresh_network"
        ),
        "perturb": function("a function of a task switch", 1, "@undisturbed"),
        "search": function(
            "a function of a task switch and a learning rate", 2, "@adam"
        ),
        "first_epochs": whole("epochs", 0),
        "distance": number("a number in [0, 2]", lambda x: 0 <= x <= 2),
        "num_samples": whole("samples", 2, bytes_each=lambda: 8 * OTHER_STATE),
        "before_optimizer": LINKS,
        "threshold": NOT_NEGATIVE,
    },
    **{
        name: given("lesson", "drawn")
        for name in ("fresh_student", "pretrained_student")
    },
    "fresh_network": given("drawn", "environment_id", "seed"),
    "aged_network": {
        **given("drawn", "environment_id", "seed"),
        "root": TEXT,
        "arm": TEXT,
    },
    "undisturbed": given("switch"),
    "redrawn": given("switch"),
    "disturb_zero_gradient": {**given("switch"), "std": NOT_NEGATIVE},
    "disturb_at_random": {**given("switch"), "std": NOT_NEGATIVE},
    "adam": given("switch", "learning_rate"),
    "adam_on_trapped_layer": given("switch", "learning_rate"),
    "evolution_on_trapped_layer": {
        **given("switch", "learning_rate"),
        "population_size": whole("candidates", 2, most=1_000_000),
        "std": POSITIVE,
    },
}
