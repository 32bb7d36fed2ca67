"""DQN on fixed data: with its moving targets, and with random targets that stay.

Sokar et al., ICML 2023 (arXiv 2302.12902): offline RL. Length, data and how random
targets are made are our choices, for the paper does not give them. The data must be in
`data/dqn/<Game>/1/replay_logs/` where the launch is started: a folder, or a link to
one, with what `python -m redo_dopamine.offline record` wrote or with the files of the
DQN Replay data set.
"""

from redo_dopamine.studies import games
from redo_dopamine.studies.lengths import Unit
from redo_dopamine.studies.study import (
    EVALUATION,
    Arm,
    PaperDormancy,
    Protocol,
    Study,
)

PROTOCOL = Protocol(
    agent="RecycledDQNAgent",
    clocks={
        "Runner.num_iterations": 40,
        "Runner.training_steps": 62_500,
        "Runner.evaluation_steps": 25_000,
        "Runner.max_steps_per_episode": 27_000,
        "JaxDQNAgent.target_update_period": 2_000,
        "JaxDQNAgent.summary_writing_frequency": 2_000,
        "RecycledDQNAgent.tracking_period": 1_000,
    },
    target_gradient_steps=2_000,
    # No agent acts: a train step of the run's files is one gradient step.
    unit=Unit("gradient steps", "gradient steps", lambda steps: steps),
    judged_by=EVALUATION,
)


def _arm(name: str, label: str, gin_file: str) -> Arm:
    return Arm(
        name=name,
        label=label,
        gin_file=gin_file,
        replay_ratio=1,
        settings={},
        series=label,
    )


STUDY = Study(
    name="offline",
    claim="On fixed data too, targets that move silence more neurons than fixed ones.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): offline RL",
    axis="targets",
    arms=(
        _arm("td", "TD targets", "offline_dqn.gin"),
        _arm("random", "random targets", "offline_dqn_random_targets.gin"),
    ),
    games=("DemonAttack", "Asterix"),
    seeds=games.FIVE_SEEDS,
    length=2_500_000,  # gradient steps
    protocol=PROTOCOL,
    # Their τ is not known.
    paper_dormancy=(
        PaperDormancy("td", "DemonAttack", 34, 34, tau=None),
        PaperDormancy("random", "DemonAttack", 25, 25, tau=None),
        PaperDormancy("td", "Asterix", 54, 54, tau=None),
        PaperDormancy("random", "Asterix", 20, 20, tau=None),
    ),
)
