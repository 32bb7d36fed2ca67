"""What the studies on MinAtar share: the paper's claims, at a size for two cores.

MinAtar: Young and Tian, 2019 (arXiv 1903.03176). A run is 100,000 steps of the
environment, with an evaluation of 5,000 after every tenth of them.

The plan, which was fixed before the first run: settings are those of `minatar_dqn.gin`,
and none is changed after a result is seen. They were chosen with seeds 0 to 2, so the
seeds are 100 and up. Games are Space Invaders in every study, Breakout and Asterix for
the replay ratio; Seaquest and Freeway for who has more time. Breakout is kept in
although it may well contradict: its dormant fraction falls while the agent learns.
Returns have no human's to be compared with: scores are of the game's best arm. The
plan's score was one evaluation after the last iteration. It became the training average
over the last tenth of the agent steps after these runs had been seen (`docs/laptop.md`
shows both), so what it says of them decides nothing.
"""

import dataclasses
from collections.abc import Mapping

from redo_dopamine.studies import arms
from redo_dopamine.studies.lengths import AGENT_STEPS
from redo_dopamine.studies.study import BEST_ARM, Arm, Protocol, Setting

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
GAME = ("SpaceInvaders",)
MORE_GAMES = ("Breakout", "Asterix", "Seaquest", "Freeway")
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
