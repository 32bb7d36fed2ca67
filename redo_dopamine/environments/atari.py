"""Atari environments that cost less, and whose full state can be kept.

The same steps as Dopamine's, without screens that nobody looks at. Their state goes to
arrays by name and back, so that a run can stop anywhere.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import ale_py
import numpy as np
from dopamine.discrete_domains import atari_lib

State = Mapping[str, np.ndarray]

_RESET = -1  # Among actions.
# Agent steps after which the emulator's last action is known but for one case in 4^64.
_STEPS_PER_ANCHOR = 16


class _Anchor(NamedTuple):
    """A state of the emulator, and the actions that it was given since."""

    state: ale_py.ALEState
    actions: list[int]


@runtime_checkable
class Restorable(Protocol):
    """An environment whose whole state can be kept, of whatever kind it is."""

    def seed(self, seed: int) -> None:
        """Seed the random numbers again; `reset` must follow."""

    def get_state(self) -> State:
        """Everything that the next steps depend on, as arrays by name."""
        ...

    def set_state(self, state: State) -> None:
        """Go on from a state of `get_state`."""


@runtime_checkable
class HasPersistentState(Protocol):
    """An environment of which a part goes on from episode to episode."""

    def get_lasting(self) -> State:
        """That part, as arrays by name."""
        ...

    def set_lasting(self, state: State) -> None:
        """Restore what `get_lasting` gave."""


class DirectAtari:
    """An Atari environment of Dopamine's that talks to the emulator itself.

    Gymnasium's, which Dopamine's steps go through, fetches a screen in colors for
    every frame, of which Dopamine uses none.

    Args:
        environment: whose interface, screens and rewards this has.
    """

    def __init__(self, environment: atari_lib.AtariPreprocessing):
        self._environment = environment
        # In Gymnasium's order, which is that of Dopamine's action numbers.
        self._actions = self._emulator.getMinimalActionSet()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)

    @property
    def _emulator(self) -> ale_py.ALEInterface:
        return self._environment.environment.unwrapped.ale

    def step(self, action: int) -> tuple[np.ndarray, float, bool, dict[str, int]]:
        """As Dopamine's: the frames of one agent step, or fewer up to an end."""
        game, emulator = self._environment, self._emulator
        reward, terminal = 0.0, False
        # Its screen is the larger, pixel by pixel, of the last two frames.
        for frame in range(2 - game.frame_skip, 2):
            reward += emulator.act(self._actions[action])
            game.game_over = terminal = emulator.game_over()
            if game.terminal_on_life_loss:
                lives = emulator.lives()
                terminal |= lives < game.lives
                game.lives = lives
            if frame >= 0:
                emulator.getScreenGrayscale(game.screen_buffer[frame])
            if terminal:
                break
        # Dopamine's own, since it has no public name for it.
        observation = game._pool_and_resize()
        return observation, reward, terminal, {"lives": emulator.lives()}


class RestorableAtari(DirectAtari):
    """An Atari environment of Dopamine's that can be put back into a state.

    The emulator's own state lacks one thing: its last action, which sticky actions
    repeat. It cannot be read or set, but it follows from the random numbers, which the
    state does have: so the actions since an earlier state are kept, and played again
    from there before the state is set.

    Args:
        environment: whose interface this has.
    """

    def __init__(self, environment: atari_lib.AtariPreprocessing):
        super().__init__(environment)
        self._anchors: list[_Anchor] = []  # The last two.

    def _note(self, action: int) -> None:
        if not self._anchors or len(self._anchors[-1].actions) == _STEPS_PER_ANCHOR:
            state = self._emulator.cloneState(include_rng=True)
            self._anchors = [*self._anchors[-1:], _Anchor(state, [])]
        self._anchors[-1].actions.append(action)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, dict[str, int]]:
        """As Dopamine's."""
        self._note(int(action))
        return super().step(action)

    def reset(self) -> np.ndarray:
        """As Dopamine's."""
        self._note(_RESET)
        return self._environment.reset()

    def seed(self, seed: int) -> None:
        """Seed the emulator again; `reset` must follow."""
        # Dopamine's preprocessing does not pass a seed on, so reach inside it.
        self._environment.environment.reset(seed=seed)
        self._anchors = []

    def get_state(self) -> State:
        """Everything that the next steps depend on, the random numbers too.

        Returns:
            Arrays by name: 14 KB for each of two emulator states, 67 KB for screens.
        """
        environment = self._environment
        now = self._emulator.cloneState(include_rng=True)
        first = self._anchors[0].state if self._anchors else now
        actions = [x for anchor in self._anchors for x in anchor.actions]
        return {
            "earlier": np.frombuffer(first.serialize(), np.uint8),
            "actions": np.array(actions, np.int64),
            "emulator": np.frombuffer(now.serialize(), np.uint8),
            "screens": np.stack(environment.screen_buffer),
            "lives": np.asarray(environment.lives),
            "game_over": np.asarray(environment.game_over),
        }

    def set_state(self, state: State) -> None:
        """Go on from a state of `get_state`, of an environment of the same game."""
        environment = self._environment
        environment.reset()  # As Gymnasium demands of a new one.
        earlier, now = (
            ale_py.ALEState(state[name].tobytes()) for name in ("earlier", "emulator")
        )
        actions = state["actions"].tolist()
        self._emulator.restoreState(earlier)
        for action in actions:
            environment.reset() if action == _RESET else super().step(action)
        self._emulator.restoreState(now)
        self._anchors = [_Anchor(earlier, actions), _Anchor(now, [])]
        screens = zip(environment.screen_buffer, state["screens"], strict=True)
        for screen, saved in screens:
            screen[:] = saved
        environment.lives = int(state["lives"])
        environment.game_over = bool(state["game_over"])


def direct(environment: Any) -> Any:
    """The environment, with cheaper steps where its kind is known."""
    return DirectAtari(environment) if _is_known(environment) else environment


def restorable(environment: Any) -> Any:
    """The environment, where its kind is known as one that can be restored."""
    return RestorableAtari(environment) if _is_known(environment) else environment


def _is_known(environment: Any) -> bool:
    return (
        isinstance(environment, atari_lib.AtariPreprocessing)
        and not environment.environment.unwrapped.continuous
    )


def is_restorable(environment: Any) -> bool:
    """Whether it has `get_state` and `set_state`."""
    return isinstance(environment, Restorable)


def get_state(environment: Any) -> State:
    """Its state; where it cannot be restored, what of it outlasts an episode."""
    if is_restorable(environment):
        return environment.get_state()
    return (
        environment.get_lasting() if isinstance(environment, HasPersistentState) else {}
    )


def set_state(environment: Any, state: State) -> None:
    """Put it into a state of `get_state`, as far as it can be."""
    if not state:
        return
    if is_restorable(environment):
        environment.set_state(state)
    elif isinstance(environment, HasPersistentState):
        environment.set_lasting(state)


def seed_environment(environment: Any, rng: np.random.Generator) -> None:
    """Give the emulator of a Dopamine environment a seed drawn from `rng`."""
    seed = int(rng.integers(2**31))
    if is_restorable(environment):
        environment.seed(seed)
    else:
        environment.environment.reset(seed=seed)
