"""Does ReDo raise returns on MinAtar's Space Invaders, and if so, why?

The plan, committed before the first counted run. Everything that is not named here is
as in `laptop_replay_ratio`.

**Hypothesis** (primary): DQN + ReDo has another score than DQN at replay ratios 2 and
4. Score: the mean training return of the last tenth of the agent steps; evaluations
are shown beside it and decide nothing. Why it is asked: in `laptop_replay_ratio`,
seeds 100 to 105, this score was higher with ReDo in 6 of 6 seeds at replay ratio 2,
which was found after those runs had been seen.

**Test**: a stratified permutation test, strata replay ratios 2 and 4, of the sum over
strata of the difference in mean score, two-sided, at .05. "Holds" if p <= .05 and the
difference is positive, "contradicted" if p <= .05 and it is negative, else "not
seen". The difference at each replay ratio is reported with its Welch interval.

**Seeds**: 200 to 211, which no run here has had. **It ends** when all arms of all
seeds are done; nothing is looked at to decide whether to go on, and tables of fewer
seeds are marked interim. Replay ratios 2 and 4 with and without ReDo come first, seed
by seed.

**Mechanism** (secondary, at replay ratio 2, same seeds, Holm over the six arms): each
arm's score against DQN's, by a permutation test. The arms take one explanation each:
neurons of ReDo's number drawn at random, and a reset of the last two layers (any
partial reset helps); ReDo at tau = 0 (only silent neurons matter); double DQN, target
networks that are synchronized a quarter as often, half the learning rate (it is over-
estimation, which each of them curbs without recycling). Over all runs at replay ratio
2 the rank correlation of the score with the final dormant fraction (tau .1), the
largest Q-value and the weight norm is reported between arms (of the arms' means) and
within arms (of the runs' differences from their arm's mean): descriptions, not tests.
"""

from redo_dopamine.studies.catalogue.minatar import (
    DIFFERS,
    GAME,
    LENGTH,
    PAPER,
    PROTOCOL,
    arm,
    methods_at,
    with_redo,
)
from redo_dopamine.studies.study import Study

_INTERVENTION = "RecycledDQNAgent.intervention"

LAPTOP_REDO_GAIN = Study(
    name="laptop_redo_gain",
    claim="At high replay ratios DQN with ReDo has higher returns than without.",
    source=f"{PAPER}: replay ratios; on MinAtar, on twelve fresh seeds",
    axis="method",
    arms=(
        *methods_at(2, 4),
        arm(
            "random_rr2",
            "random neurons, ReDo's number",
            {
                _INTERVENTION: "@redo_at_random()",
                "redo_at_random.tau": 0.1,
                "redo_at_random.period": 1_000,
                "redo_at_random.score_batch_size": 256,
            },
        ),
        arm(
            "layer_reset_rr2",
            "layer reset",
            {_INTERVENTION: "@layer_reset()", "layer_reset.period": 50_000},
        ),
        arm("redo_tau0_rr2", "ReDo, τ = 0", with_redo({"redo.tau": 0.0})),
        arm(
            "double_rr2",
            "double DQN",
            {"RecycledDQNAgent.bootstrap": "@target_value_of_online_choice"},
        ),
        arm("slow_target_rr2", "slow target", {}, target_gradient_steps=4_000),
        arm(
            "half_rate_rr2",
            "half the learning rate",
            {"create_optimizer.learning_rate": 5e-5},
        ),
    ),
    games=GAME,
    seeds=tuple(range(200, 212)),
    length=LENGTH,
    differs=DIFFERS,
    protocol=PROTOCOL,
)
