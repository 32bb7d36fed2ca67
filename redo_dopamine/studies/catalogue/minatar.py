"""MinAtar: the papers' questions at a size for two CPU cores."""

import dataclasses
from collections.abc import Mapping

from redo_dopamine.studies import arms
from redo_dopamine.studies.study import (
    AGENT_STEPS,
    BEST_ARM,
    Arm,
    Protocol,
    Setting,
    Study,
)

# What the studies on MinAtar share: the paper's claims, at a size for two cores.
#
# MinAtar: Young and Tian, 2019 (arXiv 1903.03176). A run is 100,000 steps of the
# environment, with an evaluation of 5,000 after every tenth of them.
#
# The plan, fixed before the first run: settings are those of `minatar_dqn.gin`, and
# none is changed after a result is seen. They were chosen with seeds 0 to 2, so the
# seeds are 100 and up. Games are Space Invaders in every study, Breakout and Asterix
# for the replay ratio; Seaquest and Freeway for who has more time. Breakout is kept in
# although it may well contradict: its dormant fraction falls while the agent learns.
# Returns have no human's to be compared with: scores are of the game's best arm. The
# plan's score was one evaluation at the end; the training average took its place after
# these runs had been seen, so it decides nothing (`docs/laptop.md` shows both).

PROTOCOL = Protocol(
    agent="RecycledDQNAgent",
    clocks={
        "Runner.num_iterations": 10,
        "Runner.training_steps": 10_000,
        "Runner.evaluation_steps": 5_000,
        "Runner.max_steps_per_episode": 5_000,
        "JaxDQNAgent.min_replay_history": 2_000,
        "JaxDQNAgent.epsilon_decay_period": 50_000,
        "JaxDQNAgent.summary_writing_frequency": 1_000,
        "JaxDQNAgent.target_update_period": 4_000,
        "RecycledDQNAgent.tracking_period": 1_000,
        "ReplayBuffer.max_capacity": 100_000,
    },
    # On average: at a replay ratio of 4 an update period has 16 updates.
    target_gradient_steps=1_000,
    game="create_minatar_environment.game_name = '{}'",
    unit=AGENT_STEPS,
    score=BEST_ARM,
)
LENGTH = 100_000  # agent steps
DIFFERS = (
    "MinAtar and 100,000 agent steps, instead of the paper's Atari games and 10 "
    "million frames."
)
GAME = ("SpaceInvaders",)
MORE_GAMES = ("Breakout", "Asterix", "Seaquest", "Freeway")
ALL_GAMES = (*GAME, *MORE_GAMES)
THREE_SEEDS = (100, 101, 102)
SIX_SEEDS = (100, 101, 102, 103, 104, 105)
# Of the studies that vary something else.
REPLAY_RATIO = 2
PAPER = "Sokar et al., ICML 2023 (arXiv 2302.12902)"


def replay_ratio_sweep(*ratios: float) -> tuple[Arm, ...]:
    """DQN with and without ReDo at each replay ratio."""
    return arms.replay_ratio_sweep(ratios, "DQN", "minatar_dqn", speed="minatar")


def methods_at(*ratios: float) -> tuple[Arm, ...]:
    """The arms of `replay_ratio_sweep`, each a series of its own, ratio by ratio."""
    named = (
        dataclasses.replace(arm, series=arm.label, x=None)
        for arm in replay_ratio_sweep(*ratios)
    )
    return tuple(sorted(named, key=lambda arm: arm.replay_ratio or 0))


def arm(
    name: str,
    label: str,
    settings: Mapping[str, Setting],
    series: str | None = None,
    x: float | None = None,
    speed: str = "minatar",
    target_gradient_steps: int | None = None,
) -> Arm:
    """An arm of `minatar_dqn.gin` with these settings, at `REPLAY_RATIO`."""
    return Arm(
        name=name,
        label=label,
        gin_file="minatar_dqn.gin",
        replay_ratio=REPLAY_RATIO,
        settings=settings,
        series=series or label,
        x=x,
        speed=speed,
        target_gradient_steps=target_gradient_steps,
    )


def with_redo(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings with ReDo, whose threshold and period may be among them."""
    return {
        "RecycledDQNAgent.intervention": "@redo()",
        **arms.REDO,
        "redo.score_batch_size": 256,
        **settings,
    }


# DQN at four replay ratios, with and without ReDo, on MinAtar's Space Invaders.
#
# The plan, fixed before the first run, as the head of this file has it. What is looked
# at: the dormant fraction along gradient steps and at the end, just after recycles too;
# the return; the largest Q-value, since over-estimation rises with the replay ratio and
# may explain returns.

LAPTOP_REPLAY_RATIO = Study(
    name="laptop_replay_ratio",
    claim="More gradient updates per step bring more dormant neurons and lower "
    "returns; ReDo cuts the first and recovers the second.",
    source=f"{PAPER}: replay ratios; on MinAtar, at a laptop's size",
    axis="replay ratio",
    arms=replay_ratio_sweep(0.25, 1, 2, 4),
    games=GAME,
    games_by_name=MORE_GAMES,
    seeds=SIX_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# The replay ratio on more of MinAtar's games, with and without ReDo.
#
# The plan, fixed before the first run, as the head of this file has it:
# `laptop_replay_ratio` on other games, without its largest replay ratio and with fewer
# seeds. Breakout is a likely counter-example, and kept in. Freeway was run, too, when
# these two had been seen.

LAPTOP_GAMES = Study(
    name="laptop_games",
    claim="On every game, more gradient updates per step bring more dormant neurons, "
    "and ReDo fewer.",
    source=f"{PAPER}: replay ratios; on MinAtar, at a laptop's size",
    axis="replay ratio",
    arms=replay_ratio_sweep(0.25, 1, 2),
    games=("Breakout", "Asterix"),
    games_by_name=("SpaceInvaders", "Seaquest", "Freeway"),
    seeds=THREE_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# Three widths of all layers, with and without ReDo, on MinAtar.
#
# The plan, fixed before the first run, as the head of this file has it, at replay ratio
# 2.

_WIDTHS = {1: "minatar", 2: "minatar_width2", 4: "minatar_width4"}
_KINDS: dict[str, tuple[str, dict[str, Setting]]] = {
    "dqn": ("DQN", {}),
    "redo": ("DQN + ReDo", with_redo({})),
}

LAPTOP_WIDTH = Study(
    name="laptop_width",
    claim="Wider networks have as large a share of dormant neurons; ReDo helps all.",
    source=f"{PAPER}: network width; on MinAtar, at a laptop's size",
    axis="width",
    arms=tuple(
        arm(
            f"{name}_width{width}",
            f"{series}, width {width}",
            {**settings, "MinatarNetwork.width": width},
            series,
            width,
            speed,
        )
        for name, (series, settings) in _KINDS.items()
        for width, speed in _WIDTHS.items()
    ),
    games=GAME,
    games_by_name=MORE_GAMES,
    seeds=THREE_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# ReDo beside resets, weight decay and other choices of neurons, on MinAtar.
#
# The plan, fixed before the first run, as the head of this file has it, at replay ratio
# 2, where a run has 196,000 gradient steps. Resets every 50,000 of them, so that the
# last is well before the end; weight decay is the best of the paper's. The fixed
# budgets recycle a share of each layer that falls from 0.1 to 0 along a quarter of a
# cosine: the least active neurons, or as many drawn at random.

_BASELINES_INTERVENTION = "RecycledDQNAgent.intervention"


def _budget(name: str, label: str, select: str) -> Arm:
    return arm(
        name,
        label,
        {
            _BASELINES_INTERVENTION: "@fixed_budget()",
            "fixed_budget.select": select,
            "fixed_budget.fraction": "@cosine()",
            "fixed_budget.period": 1_000,
            "fixed_budget.score_batch_size": 256,
            "cosine.value": 0.1,
            "cosine.stop": 196_000,
        },
    )


LAPTOP_BASELINES = Study(
    name="laptop_baselines",
    claim="ReDo keeps more than resets or weight decay do, and recycling the least "
    "active neurons more than recycling as many at random.",
    source=f"{PAPER}: baselines and selection; on MinAtar, at a laptop's size",
    axis="method",
    arms=(
        arm("dqn", "DQN", {}),
        arm(
            "layer_reset",
            "DQN + reset",
            {_BASELINES_INTERVENTION: "@layer_reset()", "layer_reset.period": 50_000},
        ),
        arm(
            "weight_decay",
            "DQN + weight decay",
            {"RecycledDQNAgent.weight_decay": 1e-5},
        ),
        arm("redo", "DQN + ReDo", with_redo({})),
        _budget("lowest", "lowest score", "@lowest_score"),
        _budget("random", "at random", "@at_random"),
    ),
    games=GAME,
    games_by_name=MORE_GAMES,
    seeds=THREE_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# ReDo's threshold and period, on MinAtar.
#
# The plan, fixed before the first run, as the head of this file has it, at replay ratio
# 2.

LAPTOP_THRESHOLD = Study(
    name="laptop_threshold",
    claim="A threshold of 0.1 every 1,000 gradient steps is the best of the grid.",
    source=f"{PAPER}: search for settings; on MinAtar, at a laptop's size",
    axis="threshold τ",
    arms=tuple(
        arm(
            f"tau{tau:g}_period{period}",
            f"τ = {tau:g}, every {period:,}",
            with_redo({"redo.tau": tau, "redo.period": period}),
            f"every {period:,} gradient steps",
            tau,
        )
        for period in (1_000, 10_000)
        for tau in (0.0, 0.025, 0.1)
    ),
    games=GAME,
    games_by_name=MORE_GAMES,
    seeds=THREE_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# A learning rate ten times as large, where recycling was seen to do nothing.
#
# The plan, fixed before the first run, as the head of this file has it, at replay ratio
# 2. Beside weights that have grown, a newly drawn neuron may be dormant again at once;
# if so, one that is drawn as large as the live neurons are (`live_norm`) should not be.
# The last arm was added when the others had been seen, to tell how much of it is the
# length of a new neuron's first steps.

_LARGE = {"create_optimizer.learning_rate": 1e-3}

LAPTOP_LEARNING_RATE = Study(
    name="laptop_learning_rate",
    claim="At a learning rate of 1e-3 recycled neurons are dormant again at once, and "
    "are not where they are drawn as large as the live ones.",
    source="This project's own question, on MinAtar, at a laptop's size",
    axis="method",
    arms=(
        arm("dqn", "DQN", _LARGE),
        arm("redo", "DQN + ReDo", with_redo(_LARGE)),
        arm(
            "redo_live_norm",
            "DQN + ReDo, at live neurons' norm",
            with_redo({**_LARGE, "redo.incoming": "@live_norm"}),
        ),
        arm(
            "redo_own_bias",
            "DQN + ReDo, own bias correction",
            with_redo(
                {
                    **_LARGE,
                    "RecycledDQNAgent.after_optimizer": "[@own_bias_correction()]",
                }
            ),
        ),
    ),
    games=GAME,
    games_by_name=MORE_GAMES,
    seeds=THREE_SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)


# Dormant neurons silenced for good, at replay ratio 2.
#
# The plan, committed before the first run. Hypothesis: pruning costs at most a tenth of
# the return. Outcome: the score of the other studies here, the mean training return of
# the last tenth of the agent steps. Rule, on the 95% Welch interval of the difference
# in score (pruned minus DQN), as a share of DQN's mean score: "holds" if it lies above
# -.10, "contradicted" if it lies below, else "open". Seeds 212 to 217, which no run
# here has had; it ends when all twelve runs are done. Reported besides: how many
# neurons are pruned in the end, and the dormant fraction.

LAPTOP_PRUNING = Study(
    name="laptop_pruning",
    claim="Dormant neurons can be pruned while training at no cost.",
    source=f"{PAPER}: pruning dormant neurons; on MinAtar, at a laptop's size",
    axis="method",
    arms=(
        arm("dqn", "DQN", {}),
        arm(
            "prune",
            "DQN + pruning",
            {
                _BASELINES_INTERVENTION: "@prune()",
                "prune.tau": 0.1,
                "prune.period": 1_000,
                "prune.score_batch_size": 256,
            },
        ),
    ),
    games=GAME,
    seeds=tuple(range(212, 218)),
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)
