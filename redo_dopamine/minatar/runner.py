"""A run on MinAtar.

What comes in: gin's `Runner.*` bindings, with an environment of
`create_minatar_environment`. What leaves: what `PlasticityRunner` leaves.
"""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

from collections.abc import Callable
from typing import Any

import gin

from redo_dopamine.agents import dqn
from redo_dopamine.resuming import Terms
from redo_dopamine.runner import PlasticityRunner


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class MinatarRunner(PlasticityRunner):
    """Runs an agent of Atari on MinAtar, whose observations differ by game.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions and what
            observations are like.
        terms: as in `PlasticityRunner`.
    """

    NEEDS = ("reset", "step", "game_over", "action_space.n", "told_to_agents")

    def __init__(
        self,
        base_dir: str,
        agent: Callable[..., Any] = dqn.RecycledDQNAgent,
        terms: Terms = Terms(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, terms=terms)

    def _build_agent(self, agent: Callable[..., Any], environment: Any) -> Any:
        return agent(environment.action_space.n, **environment.told_to_agents())
