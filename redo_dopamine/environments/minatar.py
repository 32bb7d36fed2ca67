"""MinAtar's games as Dopamine plays them, and their state on the way and back.

Observations are bytes, 0 or 1.
"""

import json
import re
from typing import Any, NamedTuple

import gin
import numpy as np

from redo_dopamine.environments.atari import State

GAMES = ("SpaceInvaders", "Breakout", "Asterix", "Seaquest", "Freeway")
# Of a game's attributes, those that no step changes, and the random numbers.
_CONSTANT = ("channels", "action_map", "ramping", "random")


class _Actions(NamedTuple):
    """What Dopamine's runner asks an action space for."""

    n: int


class RestorableMinatar:
    """A game of MinAtar for Dopamine's runner, that can be put back into a state.

    Actions are sticky with probability 0.1, and the games grow harder, as MinAtar has
    it (Young and Tian, 2019, arXiv 1903.03176).

    Args:
        game: `minatar.Environment`.

    Attributes:
        game_over: whether the episode has come to its end.
    """

    def __init__(self, game: Any):
        self._sticky = game  # Repeats actions, and holds the random numbers.
        self.game_over = False

    @property
    def action_space(self) -> _Actions:
        """The number of actions: all six in every game."""
        return _Actions(self._sticky.num_actions())

    def agent_kwargs(self) -> dict[str, Any]:
        """The shape of an observation, as the agents of Atari take it."""
        return {
            "observation_shape": tuple(self._sticky.state_shape()),
            "observation_dtype": np.uint8,
            "stack_size": 1,
        }

    def reset(self) -> np.ndarray:
        """Begin an episode; its first observation [10, 10, C]."""
        self.game_over = False
        self._sticky.reset()
        return self._sticky.state().astype(np.uint8)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, None]:
        """Observation [10, 10, C], reward and whether the episode is over."""
        reward, terminal = self._sticky.act(int(action))
        self.game_over = bool(terminal)
        observation = self._sticky.state().astype(np.uint8)
        return observation, float(reward), self.game_over, None

    def seed(self, seed: int) -> None:
        """Seed the random numbers again; `reset` must follow."""
        self._sticky.seed(seed)
        self._sticky.last_action = 0

    def get_state(self) -> State:
        """Everything that the next steps depend on, the random numbers too.

        Returns:
            Arrays by name, and what is no array as JSON.
        """
        arrays: dict[str, np.ndarray] = {}
        rest: dict[str, Any] = {}
        for name, value in vars(self._sticky.env).items():
            if name not in _CONSTANT:
                found = arrays if isinstance(value, np.ndarray) else rest
                found[name] = value
        return {
            **{f"game/{name}": array.copy() for name, array in arrays.items()},
            "rest": _as_json(rest),
            "random": _as_json(self._sticky.random.get_state(legacy=False)),
            "last_action": np.asarray(self._sticky.last_action),
            "game_over": np.asarray(self.game_over),
        }

    def set_state(self, state: State) -> None:
        """Go on from a state of `get_state`, of the same game."""
        game = self._sticky.env
        for name, array in state.items():
            if name.startswith("game/"):
                setattr(game, name.removeprefix("game/"), np.array(array))
        for name, value in json.loads(str(state["rest"])).items():
            setattr(game, name, value)
        random = json.loads(str(state["random"]))
        random["state"]["key"] = np.array(random["state"]["key"], np.uint32)
        self._sticky.random.set_state(random)
        game.random = self._sticky.random
        self._sticky.last_action = int(state["last_action"])
        self.game_over = bool(state["game_over"])


def _as_json(value: Any) -> np.ndarray:
    # Numbers and arrays of numpy's have `tolist`.
    return np.array(json.dumps(value, default=lambda number: number.tolist()))


@gin.configurable(module="redo_dopamine")
def create_minatar_environment(game_name: str = "SpaceInvaders") -> RestorableMinatar:
    """A game of MinAtar.

    Args:
        game_name: one of `GAMES`.

    Raises:
        ValueError: no such game, or MinAtar is not installed.
    """
    if game_name not in GAMES:
        raise ValueError(
            "create_minatar_environment.game_name must be a game of MinAtar, but "
            f"is {game_name!r}. There are {', '.join(GAMES)}."
        )
    # Here, because MinAtar need not be there, and takes seconds to load.
    try:
        import minatar
    except ImportError as error:
        raise ValueError(
            f"{game_name} needs MinAtar, which is not installed here: {error}. Run: "
            "pip install 'redo-dopamine[minatar]'"
        ) from error
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", game_name).lower()
    return RestorableMinatar(minatar.Environment(env_name=name))


@gin.configurable(module="redo_dopamine")
def create_minatar_env(
    sticky_actions: bool = False,
    action_repeat_probability: float = 0.25,
    seed: int | None = None,
) -> None:
    """Accept the settings of Dopamine's function of this name, which are not used.

    Earlier versions called that, so it is in the `config.gin` of their runs.

    Args:
        sticky_actions: always False there.
        action_repeat_probability: not used.
        seed: not used.
    """
    del sticky_actions, action_repeat_probability, seed
