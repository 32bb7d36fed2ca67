"""What a study is: arms that differ in one thing, on games and seeds.

A study is data. It names gin files and gin settings by strings, so that importing it
costs nothing; `scaling` and `plan` turn it into runs.
"""

import dataclasses
from collections.abc import Mapping

FRAMES_PER_AGENT_STEP = 4
# A number, or gin source such as "@at_random".
Setting = int | float | str


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How long an agent trains and what it does by the clock, as its gin file says.

    Attributes:
        agent: gin name of the agent.
        clocks: gin settings that are lengths, periods or sizes in steps, each with
            the value of the gin file.
        target_gradient_steps: gradient steps between two synchronisations of the
            target network, whatever the replay ratio; None where the gin file's
            period is kept.
    """

    agent: str
    clocks: Mapping[str, int]
    target_gradient_steps: int | None


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
        "PrioritizedSamplingDistribution.max_capacity": 1_000_000,
    },
    target_gradient_steps=None,
)


@dataclasses.dataclass(frozen=True)
class Arm:
    """One of the things that a study compares.

    Attributes:
        name: names its directory.
        label: how a figure calls it.
        gin_file: a file that ships with the package.
        replay_ratio: gradient updates per agent step.
        settings: gin settings beyond the file, periods of interventions included.
        series: the line of the figure that it is a point of.
        x: its place on the study's axis; None where the axis has no numbers.
        speed: the row of `speed.SPEEDS` that it costs.
    """

    name: str
    label: str
    gin_file: str
    replay_ratio: float
    settings: Mapping[str, Setting]
    series: str
    x: float | None = None
    speed: str = "nature"


@dataclasses.dataclass(frozen=True)
class PaperScore:
    """What a paper found: IQM of human-normalised scores, with its 95% interval.

    Read off the paper's figures: about ±0.005. None where no interval is known.
    """

    arm: str
    iqm: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class PaperDormancy:
    """A range of the dormant fraction that a paper found on a game, in percent.

    `frames` says when, where that is not at the end of the study.
    """

    arm: str
    game: str
    low: float
    high: float
    frames: int | None = None


@dataclasses.dataclass(frozen=True)
class Study:
    """A claim, and the arms that put it to the test.

    Attributes:
        name: by which it is launched; names its directory.
        claim: what the paper says will come out.
        source: the paper, and where in it.
        axis: what `Arm.x` is, or what the arms differ in.
        arms: what is compared.
        games: Atari games.
        seeds: one run each.
        frames: length of a run; a frame is one emulator frame, 4 an agent step.
        protocol: the agent's lengths and periods.
        paper: the paper's scores, where known.
        paper_dormancy: the paper's dormant fractions, where known.
    """

    name: str
    claim: str
    source: str
    axis: str
    arms: tuple[Arm, ...]
    games: tuple[str, ...]
    seeds: tuple[int, ...]
    frames: int
    protocol: Protocol = DQN
    paper: tuple[PaperScore, ...] = ()
    paper_dormancy: tuple[PaperDormancy, ...] = ()

    @property
    def agent_steps(self) -> int:
        """Agent steps of one run."""
        return self.frames // FRAMES_PER_AGENT_STEP

    @property
    def num_iterations(self) -> int:
        """Iterations of one run."""
        return self.agent_steps // self.protocol.clocks["Runner.training_steps"]

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)
