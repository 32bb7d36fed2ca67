"""docs/methods.md: all methods are there, and each one's lines make an agent."""

import gin
import jax
import numpy as np
import pytest

from helpers import agents, documents, runs
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.config import registry
from redo_dopamine.tools import methods_page
from redo_dopamine.tools.methods_page import METHODS

NO_METHODS = {
    *("none", "own_bias_correction", "all_but_vectors"),
    *("relu", "tanh", "identity", "leaky_relu"),
}
NAMES = [method.function.__name__ for method in METHODS]


def test_every_method_that_gin_knows_is_there_once():
    functions = (
        *registry.INTERVENTIONS,
        *registry.OPTIMIZER_LINKS,
        *registry.NETWORK_SETTINGS.values(),
        *registry.LOSS_TERMS,
    )
    assert {*NAMES} == {function.__name__ for function in functions} - NO_METHODS
    assert len(NAMES) == len({*NAMES})


def test_the_page_is_what_its_command_prints():
    assert (documents.ROOT / "docs" / "methods.md").read_text() == methods_page.page()


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_its_lines_make_an_agent_that_learns_by_it(method, tmp_path, clean_gin):
    (tmp_path / "own.gin").write_text("\n".join(("include 'dqn.gin'", *method.lines)))
    runs.configure_run(str(tmp_path / "own.gin"), ())
    with gin.unlock_config():
        agents.bind_replay()
    agent = RecycledDQNAgent(agents.NUM_ACTIONS, **agents.SMALL)
    agents.Stream().drive(agent, 30)
    assert agent.gradient_step >= 1
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(agent.online_params))
    assert method.function.__name__ in gin.operative_config_str().replace(
        "LayerNorm", "layer_norm"
    )
