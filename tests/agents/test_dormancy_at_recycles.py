"""A recycle is seen in the metrics of every kind of run, however rarely it tracks."""

from collections import Counter

import pytest

from helpers import runs

# Gin file, settings, agent, and a layer that is recycled.
KINDS = {
    "dqn": ("dqn_redo.gin", runs.TINY_REDO, "RecycledDQNAgent", "Dense_0"),
    "drq_eps": ("drq_eps_redo.gin", runs.TINY_DRQ, "RecycledDrQEpsAgent", "Dense_0"),
    "ppo": ("ppo_redo.gin", runs.TINY_PPO, "RecycledPPOAgent", "value/Dense_1"),
    "sac": ("sac_redo.gin", runs.TINY_SAC, "RecycledSACAgent", "critic1/Dense_0"),
}
RARELY = 1000  # More updates than a run has.


def rows_of(directory, kind, *bindings):
    gin_file, tiny, agent, _ = KINDS[kind]
    settings = (*tiny, "redo.period = 5", f"{agent}.taus = (0.0, 0.1)", *bindings)
    found = runs.metrics(runs.run(directory, gin_file, settings))
    once = [x for x in found if x["name"].startswith(("dormant", "overlap", "recyc"))]
    counts = Counter((row["gradient_step"], row["name"]) for row in once)
    assert set(counts.values()) == {1}
    return found


def steps_of(rows, name):
    return [int(row["gradient_step"]) for row in rows if row["name"] == name]


@pytest.mark.parametrize("kind", KINDS)
def test_dormancy_is_measured_before_and_after_each(kind, tmp_path, clean_gin):
    agent, layer = KINDS[kind][2:]
    period = f"{agent}.tracking_period"
    rarely = rows_of(tmp_path / "rarely", kind, f"{period} = {RARELY}")
    often = rows_of(tmp_path / "often", kind, f"{period} = 5")

    recycles = steps_of(rarely, f"recycled/{layer}")
    assert len(recycles) > 2
    for tau in ("0.0", "0.1"):
        for name in ("dormant_fraction", "dormant_fraction_after"):
            assert steps_of(rarely, f"{name}/{tau}") == recycles
        assert steps_of(rarely, f"dormant_fraction/{tau}/{layer}") == recycles
    assert not any(row["name"].startswith("overlap") for row in rarely)
    # Training is the same, and so is all that is measured, as where tracking is due.
    names = {row["name"] for row in rarely}
    assert rarely == [row for row in often if row["name"] in names]
