"""A real recording."""

import gin
import pytest

from redo_dopamine.offline import arrays, writing
from redo_dopamine.tools import record


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    gin.parse_config(
        "import dopamine.jax.replay_memory.replay_buffer\n"
        "ReplayBuffer.max_capacity = 50\n"
        "ReplayBuffer.batch_size = 8\n"
    )


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """The root of 400 steps of DemonAttack, and the steps as the agent gave them."""
    root = tmp_path_factory.mktemp("offline") / "dqn"
    steps = []
    add = writing.Tape.add

    def noting(tape, transition, **more):
        steps.append(transition._replace(observation=transition.observation.copy()))
        add(tape, transition, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing.Tape, "add", noting)
        record.record(
            record.Request(
                str(root),
                num_steps=400,
                game="DemonAttack",
                gin_bindings=[
                    "Runner.max_steps_per_episode = 150",
                    "NatureNetwork.width = 0.125",
                ],
            )
        )
    gin.clear_config()
    return root, steps


@pytest.fixture
def directory(recorded):
    return arrays.directory_of(recorded[0], "DemonAttack", 1)
