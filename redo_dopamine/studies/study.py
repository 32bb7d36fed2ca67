"""What a study is: arms that differ in one thing, on games and seeds.

A study is data. It names gin files and gin settings by strings, so that importing it
costs nothing; `scaling` and `plan` turn it into runs.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Final, Literal

FRAMES_PER_AGENT_STEP = 4
_LEAST_AGENT_STEPS = 200
# Few iterations, each with an episode's length or so: DQN's end with an episode.
_MOST_ITERATIONS = 10
_LEAST_STEPS_PER_ITERATION = 500


@dataclasses.dataclass(frozen=True)
class Length:
    """How long one run is.

    Attributes:
        num_iterations: of the run's loop.
        training_steps: agent steps of an iteration; gradient updates where no agent
            acts.
    """

    num_iterations: int
    training_steps: int

    @property
    def agent_steps(self) -> int:
        """In all."""
        return self.num_iterations * self.training_steps


@dataclasses.dataclass(frozen=True)
class Unit:
    """What a study's lengths are counted in.

    Attributes:
        name: in the plural; the key of lengths in `study.json`.
        steps: what an agent step of the run's files is, in the plural.
        per_iteration: how many units an iteration of so many steps has.
    """

    name: str
    steps: str
    per_iteration: Callable[[int], int]

    def of(self, length: Length) -> int:
        """A run's length in this unit."""
        return length.num_iterations * self.per_iteration(length.training_steps)


# A frame is one emulator frame.
FRAMES = Unit("frames", "agent steps", lambda steps: steps * FRAMES_PER_AGENT_STEP)
AGENT_STEPS = Unit("agent steps", "agent steps", lambda steps: steps)
# A pass over the images is an iteration, however many updates it takes.
EPOCHS = Unit("epochs", "gradient updates", lambda steps: 1)


def few_iterations(full: Length, scale: float) -> Length:
    """An agent's run at a part of its length: fewer and shorter iterations."""
    agent_steps = max(_LEAST_AGENT_STEPS, shrink(full.agent_steps, scale))
    most = min(full.num_iterations, _MOST_ITERATIONS)
    iterations = min(most, max(1, agent_steps // _LEAST_STEPS_PER_ITERATION))
    return Length(iterations, round(agent_steps / iterations))


def whole_phases(phases: int) -> Callable[[Length, float], Length]:
    """Shortens a run of equal phases: each to whole iterations, and none is lost."""

    def shorten(full: Length, scale: float) -> Length:
        in_phase = max(1, shrink(full.num_iterations // phases, scale))
        return Length(phases * in_phase, full.training_steps)

    return shorten


def shrink(value: int, scale: float) -> int:
    """`value * scale` as a whole number; a half goes up, unlike with `round`."""
    return math.floor(value * scale + 0.5)


# A number, or gin source such as "@at_random".
Setting = int | float | str
# From a random player's return to a human's; to the game's best arm in the study.
HUMAN: Final = "human"
BEST_ARM: Final = "best arm"
# By the average return of training in the last tenth of the agent steps, which is
# Dopamine's convention; by the evaluation at the end.
TRAINING: Final = "training"
EVALUATION: Final = "evaluation"
TRAINING_STEPS = "Runner.training_steps"
# Where each kind of environment says what is played.
MINATAR_GAME = "create_minatar_environment.game_name"
GAMES = (
    "create_atari_environment.game_name",
    MINATAR_GAME,
    "create_control_environment.environment_id",
)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What executes a run, how long it trains and what it does by the clock.

    The defaults are those of Dopamine's agents on Atari games.

    Attributes:
        agent: gin name of the agent, or of the experiment where no agent acts.
        clocks: gin settings that are lengths, periods or sizes in steps. A run is told
            of those that its gin file sets otherwise; where there is no such file they
            are the module's own.
        target_gradient_steps: gradient steps between two synchronizations of the
            target network, whatever the replay ratio; None where the gin file's
            period is kept, or where there is no target network.
        module: what `python -m` executes; it takes `--base_dir`, `--scale`,
            `--gin_files` and `--gin_bindings`.
        seed: gin name of the seed.
        game: gin binding of the game, with braces in the place of its name.
        num_iterations: gin name of the number of iterations.
        iteration_steps: steps of an iteration, where they follow from other settings
            than `Runner.training_steps`.
        unit: what lengths are counted in.
        shorten: a length at a part of itself.
        score: what the returns that runs end with are normalized by in reports; None
            where they are shown as they are, or where there are none.
        judged_by: the returns that are the score; the other kind stands beside it.
    """

    agent: str
    clocks: Mapping[str, int]
    target_gradient_steps: int | None
    module: str = "redo_dopamine.train"
    seed: str = "JaxDQNAgent.seed"
    game: str = f"{GAMES[0]} = '{{}}'"
    num_iterations: str = "Runner.num_iterations"
    iteration_steps: int | None = None
    unit: Unit = FRAMES
    shorten: Callable[[Length, float], Length] = few_iterations
    score: Literal["human", "best arm"] | None = HUMAN
    judged_by: Literal["training", "evaluation"] = TRAINING

    @property
    def training_steps(self) -> int:
        """Steps of an iteration at full length."""
        if self.iteration_steps is not None:
            return self.iteration_steps
        return self.clocks[TRAINING_STEPS]


DQN = Protocol(
    agent="RecycledDQNAgent",
    clocks={
        "Runner.num_iterations": 40,
        "Runner.training_steps": 250_000,
        "Runner.max_steps_per_episode": 27_000,
        "JaxDQNAgent.min_replay_history": 20_000,
        "JaxDQNAgent.epsilon_decay_period": 250_000,
        "JaxDQNAgent.summary_writing_frequency": 2_000,
        "JaxDQNAgent.target_update_period": 8_000,
        "RecycledDQNAgent.tracking_period": 1_000,
        "ReplayBuffer.max_capacity": 1_000_000,
    },
    target_gradient_steps=2_000,
)
DRQ_EPS = Protocol(
    agent="RecycledDrQEpsAgent",
    clocks={
        "Runner.num_iterations": 40,
        "Runner.training_steps": 10_000,
        "Runner.max_steps_per_episode": 27_000,
        "Atari100kRunner.num_eval_episodes": 100,
        "JaxDQNAgent.min_replay_history": 1_600,
        "JaxDQNAgent.epsilon_decay_period": 5_000,
        "JaxDQNAgent.summary_writing_frequency": 500,
        "RecycledDrQEpsAgent.tracking_period": 1_000,
        "ReplayBuffer.max_capacity": 1_000_000,
    },
    target_gradient_steps=None,
    # The benchmark's own: 100 episodes after the last step.
    judged_by=EVALUATION,
)


@dataclasses.dataclass(frozen=True)
class Arm:
    """One of the things that a study compares.

    Attributes:
        name: names its directory.
        label: how a figure calls it.
        gin_file: a file that ships with the package; None for a module's defaults.
        replay_ratio: gradient updates per agent step; None where no agent acts.
        settings: gin settings beyond the file, periods of interventions included.
        series: the line of the figure that it is a point of.
        x: its place on the study's axis; None where the axis has no numbers.
        speed: the row of `speed.SPEEDS` that it costs.
        target_gradient_steps: gradient steps between two synchronizations of the
            target network; None for the protocol's.
    """

    name: str
    label: str
    gin_file: str | None
    replay_ratio: float | None
    settings: Mapping[str, Setting]
    series: str
    x: float | None = None
    speed: str = "nature"
    target_gradient_steps: int | None = None


@dataclasses.dataclass(frozen=True)
class PaperScore:
    """What a paper found: IQM of human-normalized scores, with its 95% interval.

    Read off the paper's figures: about ±0.005. None where no interval is known.
    """

    arm: str
    iqm: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class PaperDormancy:
    """A range of the dormant fraction that a paper found on a game, in percent.

    Attributes:
        arm: whose runs.
        game: on which it was found.
        low: where the range begins.
        high: where it ends.
        tau: the threshold that it was measured at; None where that is not known. A
            figure shows only what was measured at its own.
        at: when it was found, in the protocol's unit, where that is not at the end of
            the study.
    """

    arm: str
    game: str
    low: float
    high: float
    tau: float | None
    at: int | None = None


@dataclasses.dataclass(frozen=True)
class PaperPoint:
    """The highest dormant fraction, in percent, of a stretch of a paper's curve.

    Attributes:
        arm: whose curve.
        game: on which it was found; empty where that is not known.
        first: where the stretch begins, in the protocol's unit.
        last: where it ends; where it begins, for a single measurement.
        percent: what was found.
        tau: see `PaperDormancy`.
    """

    arm: str
    game: str
    first: int
    last: int
    percent: float
    tau: float | None


@dataclasses.dataclass(frozen=True)
class Study:
    """A claim, and the arms that put it to the test.

    Attributes:
        name: by which it is launched; names its directory.
        claim: what the paper, or this project, says will come out.
        source: the paper, and where in it.
        axis: what `Arm.x` is, or what the arms differ in.
        arms: what is compared.
        games: Atari games, or data sets where no agent acts.
        seeds: one run each.
        length: of a run in the protocol's unit, by default in frames; a frame is one
            emulator frame, 4 an agent step.
        protocol: what executes a run, its lengths and periods.
        paper: the paper's scores, where known.
        paper_dormancy: the paper's dormant fractions, where known.
        paper_curve: points of the paper's curves of dormant fractions, where known.
        games_by_name: games that a launch runs only where it names them, because
            they need something that is not on every machine.
        differs: what keeps the study from testing the claim as the paper has it, even
            at full length; a sentence that the report begins with.
    """

    name: str
    claim: str
    source: str
    axis: str
    arms: tuple[Arm, ...]
    games: tuple[str, ...]
    seeds: tuple[int, ...]
    length: int
    protocol: Protocol = DQN
    paper: tuple[PaperScore, ...] = ()
    paper_dormancy: tuple[PaperDormancy, ...] = ()
    paper_curve: tuple[PaperPoint, ...] = ()
    games_by_name: tuple[str, ...] = ()
    differs: str = ""

    @property
    def full_length(self) -> Length:
        """The length of one run of the whole study."""
        steps = self.protocol.training_steps
        return Length(self.length // self.protocol.unit.per_iteration(steps), steps)

    @property
    def all_games(self) -> tuple[str, ...]:
        """Every game that a launch may name."""
        return (*self.games, *self.games_by_name)

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)
