"""How long a run is, what that is counted in, and how it is shortened.

Pure functions of a length and a scale; `scaling` applies the one that a protocol names.
"""

import dataclasses
import math
from collections.abc import Callable

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
