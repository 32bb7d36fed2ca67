"""Inspections of agents of continuous actions."""

import numpy as np
import pytest

from helpers import runs
from redo_dopamine.inspect.measure import inspect_checkpoint

SETUPS = {
    "ppo": ("ppo.gin", runs.TINY_PPO, "policy/Dense_0"),
    "sac": ("sac.gin", runs.TINY_SAC, "critic2/Dense_1"),
}


@pytest.fixture(scope="module", params=SETUPS)
def ended(request, tmp_path_factory):
    gin_file, bindings, layer = SETUPS[request.param]
    directory = tmp_path_factory.mktemp(request.param) / "run"
    return request.param, runs.run(directory, gin_file, bindings), layer


def test_every_metric_but_those_of_q_values_is_measured(ended):
    name, run, layer = ended
    before = runs.fingerprint(run)
    found = inspect_checkpoint(run)
    assert runs.fingerprint(run) == before
    assert layer in found.scores
    assert np.isfinite(found.measured["dormant_fraction/0.1"])
    assert np.isfinite(found.measured[f"magi/{layer}"])
    assert np.isfinite(found.measured[f"loss_gradient/{layer}"])
    of_q_values = ("policy_churn", "largest_q", "value_churn", "ntk_rank")
    assert not {*of_q_values} & {*found.measured}
    names = ", ".join(of_q_values)
    left_out = f"Left out, since they need a network of another kind: {names}."
    assert left_out in found.notes
    memory = {"ppo": "running rollout", "sac": "replay buffer"}[name]
    assert f"states of the run's {memory}" in found.notes[0]


def test_states_of_a_file_are_looked_at(ended, tmp_path):
    _, run, layer = ended
    states = np.random.default_rng(0).normal(size=(6, 17, 1)).astype(np.float32)
    np.save(tmp_path / "states.npy", states)
    found = inspect_checkpoint(run, states=tmp_path / "states.npy", taus=[0.1])
    assert np.mean(found.scores[layer]) == pytest.approx(1, rel=1e-5)
    [note] = [x for x in found.notes if "need transitions" in x]
    assert "loss_gradient" in note
