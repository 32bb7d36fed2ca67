"""Numbers worked out by hand on the run of conftest.py."""

import math

import pytest

from redo_dopamine.report import load_run, summary


@pytest.fixture
def run(make_run):
    return load_run(make_run())


@pytest.fixture
def empty(make_run):
    return load_run(make_run("empty", body="", info=None))


def test_taus_and_layers(run):
    assert summary.taus(run) == [0.0, 0.1]
    layers = summary.per_layer(run, "dormant_fraction", 0.1)
    assert list(layers) == ["Conv_0", "Dense_0"]
    assert layers["Dense_0"]["value"].tolist() == [0.4, 0.6]
    assert summary.per_layer(run, "dormant_fraction", 0.0) == {}


def test_layer_names_may_hold_slashes(make_run):
    run = load_run(make_run(body="0,1,0,overlap/0.1/Stack_0/Conv_0,0.5\n"))
    assert list(summary.per_layer(run, "overlap", 0.1)) == ["Stack_0/Conv_0"]


def test_frames_are_four_per_agent_step(run):
    episodes = summary.series(run, summary.EPISODES)
    assert episodes["frames"].tolist() == [480, 680]
    assert episodes["value"].tolist() == [10.0, 30.0]


def test_recycles(run):
    table = summary.recycles(run)
    assert table.index.tolist() == [10, 20, 30]
    assert table["Conv_0"].tolist() == [4, 1, 0]
    assert table["Dense_0"].tolist() == [6, 0, 0]
    assert table["total"].tolist() == [10, 1, 0]


def test_recycled_per_layer(run):
    assert summary.recycled_per_layer(run).to_dict() == {"Conv_0": 5, "Dense_0": 6}


def test_before_and_after(run):
    # At steps 10 and 20: 0.5 -> 0.1 and 0.3 -> 0.2. Step 30 recycled nothing.
    effect = summary.before_and_after(run, 0.1)
    assert effect.before == pytest.approx(0.4)
    assert effect.after == pytest.approx(0.15)
    assert effect.recycles == 2


def test_before_and_after_needs_both_measurements(make_run):
    body = (
        "0,1,10,recycled/Conv_0,1\n"  # not measured at the recycle
        "0,2,11,dormant_fraction/0.1,0.9\n"
        "0,3,20,dormant_fraction/0.1,0.8\n"
        "0,3,20,recycled/Conv_0,1\n"
        "0,4,30,dormant_fraction/0.1,0.6\n"
        "0,4,30,recycled/Conv_0,1\n"  # not measured after the recycle
    )
    run = load_run(make_run(body=body))
    assert summary.before_and_after(run, 0.1) == (0.8, 0.6, 1)


def test_before_and_after_skips_recycles_of_no_neuron(make_run):
    body = (
        "0,1,10,dormant_fraction/0.1,0.5\n"
        "0,1,10,recycled/Conv_0,0\n"
        "0,2,20,dormant_fraction/0.1,0.25\n"
        "0,2,20,recycled/Conv_0,3\n"
        "0,3,30,dormant_fraction/0.1,0.125\n"
    )
    run = load_run(make_run(body=body))
    assert summary.before_and_after(run, 0.1) == (0.25, 0.125, 1)


def test_final_values(run):
    assert summary.final_dormant_fraction(run, 0.1) == 0.2
    assert summary.final_dormant_fraction(run, 0.0) == 0.0
    assert math.isnan(summary.final_dormant_fraction(run, 0.025))
    assert summary.steps_per_second(run) == 120.0


def test_final_return_prefers_episodes(run, make_run):
    assert summary.final_return(run) == 20.0
    assert summary.final_return(run, episodes=1) == 30.0
    only = load_run(
        make_run(
            "only",
            body="0,1,0,train/average_return,3\n1,2,1,train/average_return,4\n",
        )
    )
    assert summary.final_return(only) == 4.0


def test_final_return_is_over_ten_episodes(make_run):
    body = "".join(f"0,{i},0,train/episode_return,{i}\n" for i in range(1, 13))
    # 3 to 12.
    assert summary.final_return(load_run(make_run(body=body))) == 7.5


def test_overview(run, empty):
    table = summary.overview([run, empty])
    assert table.index.tolist() == ["redo", "empty"]
    assert table.loc["redo"].to_dict() == {
        "game": "Pong",
        "agent": "dqn",
        "seed": 7,
        "agent_steps": 260,
        "gradient_steps": 40,
        "episodes": 2,
        "final_return": 20.0,
        "dormant_fraction/0": 0.0,
        "dormant_fraction/0.1": 0.2,
        "recycled": 11,
        "steps_per_second": 120.0,
    }
    assert table["seed"].tolist() == [7, None]
    assert table["agent_steps"].tolist() == [260, 0]
    assert math.isnan(table["final_return"]["empty"])
    assert math.isnan(table["dormant_fraction/0.1"]["empty"])


def test_a_run_without_anything_has_no_numbers(empty):
    assert summary.taus(empty) == []
    assert len(summary.recycles(empty)) == 0
    assert summary.recycles(empty)["total"].sum() == 0
    assert summary.recycled_per_layer(empty).to_dict() == {}
    effect = summary.before_and_after(empty, 0.1)
    assert math.isnan(effect.before)
    assert math.isnan(effect.after)
    assert effect.recycles == 0
    assert math.isnan(summary.steps_per_second(empty))
    assert math.isnan(summary.final_return(empty))
