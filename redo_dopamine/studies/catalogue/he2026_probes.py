"""He (2026): networks that go on to new tasks."""

from collections.abc import Mapping

from redo_dopamine.studies import arms
from redo_dopamine.studies.study import Arm, Protocol, Setting, Study

# What the studies of the regression probe share.
#
# He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173).
# An aged network is that of a run of `ppo_activation`, or, where neurons without a
# gradient are wanted, of the deeper one of `ppo_layers`: at `regression_probe`'s inputs
# the former had next to none.
# These studies must lie, or be linked, in `runs/` where the launch is started.

NUM_EPOCHS = 100
YOUNG = (
    "The paper's aged networks have 20 million agent steps of PPO; these are of runs "
    "of 1 million at most."
)
UNAGED = (
    "The paper's aged networks have 20 million agent steps of PPO; these have learned "
    "one regression task."
)
GAMES = ("HalfCheetah-v4",)
PROBE_SEEDS = (0, 1, 2)
AGED: dict[str, Setting] = {"RegressionProbe.start": "@aged_network"}
TRAPPED: dict[str, Setting] = {
    **AGED,
    "aged_network.root": "'runs/ppo_layers'",
    "aged_network.arm": "'depth4'",
    "ValueNetwork.num_layers": 4,
}


def probe_protocol(phases: int = 1) -> Protocol:
    """Runs in phases that have a task each."""
    return arms.protocol(
        "RegressionProbe",
        module="regression_probe",
        data="RegressionProbe.environment_id = '{}'",
        num_epochs=NUM_EPOCHS,
        iteration_steps=20,  # 1,000 samples in batches of 50
        phases=phases,
    )


def arm(
    name: str,
    label: str,
    settings: dict[str, Setting],
    series: str | None = None,
    x: float | None = None,
) -> Arm:
    """An arm with these settings; a network has ReLU unless they say otherwise."""
    settings = {"ValueNetwork.activation": "@relu", **settings}
    return arms.arm(name, label, settings, series, x, speed="probe")


# A regression task for value networks that PPO has trained, and for fresh ones.
#
# He, 2026 (arXiv 2603.21173), figures 3 and 5: networks of 20 million agent steps, with
# ReLU and without an activation function, have learning curves like those of fresh ones
# at several learning rates. That claims equivalence: it takes a band that is fixed
# before the runs, and this study has none yet. Learning rates are ours.

_REGRESSION_RATES = (1e-4, 3e-4, 1e-3, 3e-3)
ACTIVATIONS = {
    "relu": ("ReLU", "@relu"),
    "none": ("no activation", "@identity"),
    "tanh": ("tanh", "@tanh"),
}


def _arms(name: str, series: str, settings: dict[str, Setting]) -> tuple[Arm, ...]:
    return tuple(
        arm(
            f"{name}_lr{rate:g}",
            f"{series}, learning rate {rate:g}",
            {**settings, "RegressionProbe.learning_rate": rate},
            series,
            rate,
        )
        for rate in _REGRESSION_RATES
    )


def regression_pair(
    activation: str, aged: Mapping[str, Setting] = AGED
) -> tuple[Arm, ...]:
    """Arms that begin with PPO's network of an activation, and with a fresh one."""
    word, function = ACTIVATIONS[activation]
    settings: dict[str, Setting] = {"ValueNetwork.activation": function}
    aged = {"aged_network.arm": f"'{activation}'", **aged}
    return (
        *_arms(f"aged_{activation}", f"after PPO, {word}", settings | aged),
        *_arms(f"fresh_{activation}", f"fresh, {word}", settings),
    )


REGRESSION_PROBE = Study(
    name="regression_probe",
    claim="Value networks that PPO has trained, with ReLU or without an activation "
    "function, learn a new task as fresh ones do.",
    source="He, 2026 (arXiv 2603.21173), figures 3 and 5: regression probe",
    axis="learning rate",
    arms=(*regression_pair("relu"), *regression_pair("none")),
    games=GAMES,
    seeds=PROBE_SEEDS,
    length=NUM_EPOCHS,
    differs=YOUNG,
    protocol=probe_protocol(),
)


# Plasticity as a matter of the task: the loss on a second task by its distance.
#
# He, 2026 (arXiv 2603.21173), section 3.2: an aged, highly dormant network struggles
# with tasks similar to the one it was trained on; on a significantly different one it
# performs like one that was just drawn. Here a network learns one task, and then
# another whose targets have correlation 1 - d with those of the first; "fresh" begins
# the second with new parameters. Distances beyond 1 are outside the claim: 2 is the
# negative of the first task, as related to it as can be. Distances and tasks are ours.

_RELATED_TASKS_PHASES = 2
_DISTANCES = (0, 0.25, 0.5, 0.75, 1, 1.5, 2)
_STARTS = {"aged": "@undisturbed", "fresh": "@redrawn"}


def _related_tasks_arm(name: str, distance: float) -> Arm:
    return arm(
        f"{name}_d{distance:g}",
        f"{name}, distance {distance:g}",
        {
            "RegressionProbe.first_epochs": NUM_EPOCHS,
            "RegressionProbe.distance": distance,
            "RegressionProbe.perturb": _STARTS[name],
        },
        name,
        distance,
    )


RELATED_TASKS = Study(
    name="related_tasks",
    claim="An aged, highly dormant network learns tasks near the one it knows worse "
    "than a fresh one, and an unrelated task just as well as a fresh one.",
    source="He, 2026 (arXiv 2603.21173), section 3.2: similar and different tasks",
    axis="distance",
    arms=tuple(_related_tasks_arm(name, d) for name in _STARTS for d in _DISTANCES),
    games=GAMES,
    seeds=PROBE_SEEDS,
    length=_RELATED_TASKS_PHASES * NUM_EPOCHS,
    differs=UNAGED,
    protocol=probe_protocol(_RELATED_TASKS_PHASES),
)


# Noise on zero-gradient neurons when the task changes, on others, and on none.
#
# He, 2026 (arXiv 2603.21173), section 1: to perturb parameters at zero gradient does
# not degrade performance and may even improve it. The paper says nothing of noise
# elsewhere: that arm is a control of ours. The value network is that of PPO with four
# hidden layers; the task changes to the regression of `regression_probe`.

_NOISE = {
    "none": ("no noise", "@undisturbed"),
    "zero_gradient": ("noise on zero-gradient neurons", "@disturb_zero_gradient"),
    "random": ("noise on as many at random", "@disturb_at_random"),
}


def perturb_arms(aged: Mapping[str, Setting]) -> tuple[Arm, ...]:
    """An arm for each kind of noise on PPO's network."""
    return tuple(
        arm(name, label, {**aged, "RegressionProbe.perturb": function})
        for name, (label, function) in _NOISE.items()
    )


PERTURB = Study(
    name="perturb",
    claim="Noise on the weights of zero-gradient neurons does no harm when the task "
    "changes, and may help.",
    source="He, 2026 (arXiv 2603.21173), section 1: parameters at zero gradient",
    axis="noise",
    arms=perturb_arms(TRAPPED),
    games=GAMES,
    seeds=PROBE_SEEDS,
    length=NUM_EPOCHS,
    differs=YOUNG,
    protocol=probe_protocol(),
)


# Constraints on the weights while one task, then an unrelated one is learned.
#
# He, 2026 (arXiv 2603.21173): constraints limit how deep parameters get entrenched, and
# so mitigate the loss of plasticity. Here weight clipping, L2, L2 to the initial
# weights, and a bound on spectral norms: dormancy, and how well the second task is
# learned. Which constraints, their strengths and the tasks are ours.

_CONSTRAINTS_PHASES = 2
_KINDS: dict[str, tuple[str, dict[str, Setting]]] = {
    "none": ("no constraint", {}),
    "clipping": (
        "weight clipping",
        {
            "RegressionProbe.intervention": "@weight_clipping()",
            "weight_clipping.limit": 0.5,
        },
    ),
    "l2": (
        "L2",
        {
            "RegressionProbe.before_optimizer": "[@coupled_weight_decay()]",
            "coupled_weight_decay.strength": 1e-3,
        },
    ),
    "l2_to_init": (
        "L2 to initial",
        {
            "RegressionProbe.before_optimizer": "[@l2_to_init()]",
            "l2_to_init.strength": 1e-3,
        },
    ),
    "spectral_norm": (
        "spectral norm",
        {
            "RegressionProbe.intervention": "@spectral_norm()",
            "spectral_norm.limit": 2.0,
        },
    ),
}


def _constraints_arm(name: str) -> Arm:
    label, settings = _KINDS[name]
    second_task: dict[str, Setting] = {
        "RegressionProbe.first_epochs": NUM_EPOCHS,
        "RegressionProbe.distance": 1.0,
    }
    return arm(name, label, second_task | settings)


CONSTRAINTS = Study(
    name="constraints",
    claim="Constraints on the weights mitigate the loss of plasticity.",
    source="He, 2026 (arXiv 2603.21173): constraints on the weights",
    axis="constraint",
    arms=tuple(map(_constraints_arm, _KINDS)),
    games=GAMES,
    seeds=PROBE_SEEDS,
    length=_CONSTRAINTS_PHASES * NUM_EPOCHS,
    differs=UNAGED,
    protocol=probe_protocol(_CONSTRAINTS_PHASES),
)


# A trapped layer at a new task: evolution strategies against Adam.
#
# He, 2026 (arXiv 2603.21173): optimization without gradients reduces the loss of
# plasticity. How it is tested is ours: where the gradient of a layer's neurons has
# vanished, a search that needs none should still find better weights. The value network
# is that of PPO with four hidden layers, the task the regression of `regression_probe`,
# and only the layer with the most zero-gradient neurons is trained. An epoch is 1,000
# evaluations of the network for both: 20 updates of Adam, one generation of evolution
# strategies.

_GRADIENT_FREE_RATES = (1e-3, 3e-3, 1e-2)
_SEARCHES = {
    "adam": ("Adam", "@adam_on_trapped_layer"),
    "evolution": ("evolution strategies", "@evolution_on_trapped_layer"),
}


def gradient_free_arms(aged: Mapping[str, Setting]) -> tuple[Arm, ...]:
    """Both searches on a trapped layer of PPO's network, at each learning rate."""
    return tuple(
        arm(
            f"{name}_lr{rate:g}",
            f"{label}, learning rate {rate:g}",
            {
                **aged,
                "RegressionProbe.search": search,
                "RegressionProbe.learning_rate": rate,
            },
            label,
            rate,
        )
        for name, (label, search) in _SEARCHES.items()
        for rate in _GRADIENT_FREE_RATES
    )


GRADIENT_FREE = Study(
    name="gradient_free",
    claim="Optimization without gradients reduces the loss of plasticity. Tested as: a "
    "layer whose gradient has vanished learns a new task better by it than by Adam.",
    source="He, 2026 (arXiv 2603.21173): gradient-free optimization",
    axis="learning rate",
    arms=gradient_free_arms(TRAPPED),
    games=GAMES,
    seeds=PROBE_SEEDS,
    length=10 * NUM_EPOCHS,
    differs=YOUNG,
    protocol=probe_protocol(),
)
