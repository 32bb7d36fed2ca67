"""The state of a MuJoCo environment as arrays by name, and the way back from them.

So that a run can stop anywhere. Gymnasium itself keeps positions and velocities alone,
which is not all that the next steps depend on.
"""

import json
from typing import Any

import numpy as np

from redo_dopamine.control.environment import ControlEnvironment
from redo_dopamine.emulator import State

# Beside the state that MuJoCo integrates: read by environments before they step.
_POSITIONS = ("xpos", "xipos")


class RestorableControl(ControlEnvironment):
    """A MuJoCo environment that can be put back into a state."""

    @property
    def _physics(self) -> Any:
        return self.environment.unwrapped

    def get_state(self) -> State:
        """Everything that the next steps depend on, random numbers and statistics too.

        Returns:
            Arrays by name.
        """
        import mujoco

        model, data = self._physics.model, self._physics.data
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.empty(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, data, state, kind)
        found = {"integration": state}
        found |= {name: getattr(data, name).copy() for name in _POSITIONS}
        # Numbers of 128 bits, so as text.
        random = self._physics.np_random.bit_generator.state
        found["random"] = np.array(json.dumps(random))
        found["game_over"] = np.asarray(self.game_over)
        return found | dict(self.get_lasting())

    def set_state(self, state: State) -> None:
        """Go on from a state of `get_state`, of the same kind of environment."""
        import mujoco

        self.environment.reset()  # As Gymnasium demands of a new one.
        model, data = self._physics.model, self._physics.data
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        mujoco.mj_setState(model, data, np.array(state["integration"]), kind)
        mujoco.mj_forward(model, data)
        # Once more: what is integrated holds a first guess for the next solution too.
        mujoco.mj_setState(model, data, np.array(state["integration"]), kind)
        for name in _POSITIONS:
            getattr(data, name)[:] = state[name]
        random = json.loads(str(state["random"]))
        self._physics.np_random.bit_generator.state = random
        self.game_over = bool(state["game_over"])
        self.set_lasting(state)
