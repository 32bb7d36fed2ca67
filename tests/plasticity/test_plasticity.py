"""What a network must offer to be tracked; the rest is tested through the agents."""

import operator

import flax.linen as nn
import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import agents
from helpers.agents import Recorder, Stream, assert_trees_equal
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import Intervention, observe_nothing
from redo_dopamine.core.metrics import catalogue
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.core.schedules import Periodic
from redo_dopamine.networks.capture import record
from redo_dopamine.plasticity.learner import Learner, Loss
from redo_dopamine.plasticity.plasticity import Plasticity

GRAPH = NetworkGraph(
    (
        Layer(
            "hidden",
            ("params", "Dense_0", "kernel"),
            ("params", "Dense_0", "bias"),
            (Edge(("params", "Dense_1", "kernel")),),
        ),
    )
)
STATE = jnp.ones(3)


class Silent(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4)(x))
        return nn.Dense(2)(x)


class Recorded(nn.Module):
    units: int = 4

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4)(x))
        record(self, "hidden", x[: self.units])
        return nn.Dense(2)(x)


LOSS = Loss(lambda *trees: jnp.zeros(1), lambda *trees: jnp.zeros(()))


def plasticity(network, **settings):
    params = network.init(jax.random.PRNGKey(0), STATE)
    return params, Plasticity(
        network.apply,
        operator.itemgetter("state"),
        GRAPH,
        params,
        settings.pop("loss", LOSS),
        settings.pop("intervention", None) or interventions.none()(GRAPH, None, None),
        STATE,
        **{
            "taus": (0.0, 0.1),
            "tracking_period": 2,
            "tracking_batch_size": 5,
            "seed": 1,
            **settings,
        },
    )


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Silent(), r"this one recorded none. Call record\(self"),
        (Recorded(units=3), r"(?s)layer 'hidden'.*Call record\(self"),
    ],
)
def test_a_network_must_record_what_its_graph_declares(network, message):
    with pytest.raises(ValueError, match=message):
        plasticity(network)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", x) for x in ("x", None, -1, 1.5, 2**64)),
        *(("loss", x) for x in (None, "x")),
        *(("intervention", x) for x in ("x", interventions.redo)),
        *(("taus", x) for x in (0.1, None, (0.1, 0.1), (-1.0,))),
        *(("tracking_batch_size", x) for x in (0, 1.5, "x")),
    ],
)
def test_a_setting_of_another_kind_is_named(name, value):
    rule = "^tau" if name == "taus" else f"^{name} must be"
    with pytest.raises((ValueError, TypeError), match=rule):
        plasticity(Recorded(), **{name: value})


def test_a_graph_must_fit_the_parameters():
    class Shallow(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(4)(x)

    with pytest.raises(ValueError, match=r"params/Dense_1/kernel is not in the param"):
        plasticity(Shallow())


def test_every_measurement_has_its_own_repeatable_stream():
    params, first = plasticity(Recorded())
    _, second = plasticity(Recorded())
    seen = []

    def draw_batch(size, rng):
        seen.append(rng.normal(size=(size, 3)))
        return {"state": seen[-1]}

    for tracker in (first, second):
        for step in range(1, 7):
            _, metrics = tracker.after_update(
                Learner(params, ()), params, step, draw_batch
            )
            assert bool(metrics) == (step % 2 == 0)
    assert len(seen) == 6
    np.testing.assert_array_equal(seen[:3], seen[3:])
    assert not np.array_equal(seen[0], seen[1])


def test_dormancy_is_measured_again_just_after_an_intervention_and_not_remembered():
    def silence(graph, draw_params, optimizer):
        def apply(key, params, opt_state, state, activations, step):
            return jax.tree.map(jnp.zeros_like, params), opt_state, state, {}

        acts = Periodic(4)
        return Intervention(lambda params: (), apply, acts, observe_nothing)

    params, tracker = plasticity(Recorded(), intervention=silence(None, None, None))
    _, plain = plasticity(Recorded())
    seen = after_updates(tracker, params, range(1, 9))
    expected = after_updates(plain, params, range(1, 9))
    for step, (found, without) in enumerate(zip(seen, expected, strict=True), 1):
        after = {name: found.pop(name) for name in list(found) if "_after/" in name}
        names = ("dormant_fraction_after/0.0", "dormant_fraction_after/0.1")
        assert after == (dict.fromkeys(names, 1.0) if step % 4 == 0 else {})
        assert str(found) == str(without)


@pytest.mark.parametrize("tracking_period", [1, 2, 3, 100])
@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_dormancy_is_measured_at_every_recycle_whatever_the_tracking_period(
    period, tracking_period
):
    settings = {"taus": (0.1, 0.9), "tracking_period": tracking_period}

    def act(key, params, opt_state, state, activations, step):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return zeros, opt_state, state, {"acted": step}

    acts = Intervention(lambda params: (), act, Periodic(period), observe_nothing)
    params, tracker = plasticity(Recorded(), intervention=acts, **settings)
    _, plain = plasticity(Recorded(), **settings)
    _, every = plasticity(Recorded(), **{**settings, "tracking_period": 1})
    rows, without, all_steps = (
        after_updates(x, params, range(1, 9)) for x in (tracker, plain, every)
    )
    before = [f"dormant_fraction/{x}" for x in ("0.1", "0.1/hidden", "0.9")]
    after = [f"dormant_fraction_after/{x}" for x in (0.1, 0.9)]
    shown = {
        x for x in range(1, 9) if x % (period if period > 1 else tracking_period) == 0
    }
    for step, found in enumerate(rows, 1):
        recycles = step in shown  # Of those at every step, where tracking is due.
        assert {name: found.get(name) for name in (*after, "acted")} == (
            {**dict.fromkeys(after, 1.0), "acted": step}
            if recycles
            else dict.fromkeys((*after, "acted"))
        )
        if recycles:  # On the batch that tracking would draw at that step.
            assert [found[x] for x in before] == [
                all_steps[step - 1][x] for x in before
            ]
        tracked = without[step - 1]
        # Tracking itself, its overlaps with earlier measurements included, is as ever.
        assert str({name: found.get(name) for name in tracked}) == str(tracked)
        overlaps = [name for name in found if name.startswith("overlap")]
        assert bool(overlaps) == (step % tracking_period == 0)
    measured = sorted({x for x in range(1, 9) if x % tracking_period == 0} | shown)
    fractions = [all_steps[x - 1]["dormant_fraction/0.9"] for x in measured]
    assert all(0 < x < 1 for x in fractions)
    assert tracker.dormant_fraction == pytest.approx(
        [np.nan, *fractions][-1], nan_ok=True
    )


def test_without_thresholds_a_recycle_draws_no_batch():
    def draw_nothing(size, rng):
        raise AssertionError("a batch was drawn")

    def act(key, params, opt_state, state, activations, step):
        return params, opt_state, state, {"acted": step}

    acts = Intervention(lambda params: (), act, Periodic(2), observe_nothing)
    params, tracker = plasticity(Recorded(), intervention=acts, taus=())
    _, found = tracker.after_update(Learner(params, ()), params, 2, draw_nothing)
    assert found == {"acted": 2}


def test_one_step_is_alone_at_the_borders_of_a_window_too():
    def act(key, params, opt_state, state, activations, step):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return zeros, opt_state, state, {"acted": step}

    for schedule, shown in ((Periodic(1, 3, 6), []), (Periodic(1, 3, 4), [3])):
        acts = Intervention(lambda params: (), act, schedule, observe_nothing)
        params, tracker = plasticity(Recorded(), intervention=acts, tracking_period=99)
        rows = after_updates(tracker, params, range(1, 9))
        assert [x["acted"] for x in rows if "acted" in x] == shown


# Metrics beside dormancy.


def draw_batch(size, rng):
    return {"state": rng.normal(size=(size, 3)).astype(np.float32)}


def after_updates(tracker, params, steps):
    """What is measured at each step, by name."""
    rows = []
    for step in steps:
        learner = Learner(params, ())
        _, found = tracker.after_update(learner, params, step, draw_batch)
        rows.append(found)
    return rows


def counting_metric():
    """Counts its own measurements, and its traces."""
    traces = []

    def measure(view, state):
        traces.append(view)
        return {"count": state + 1}, state + 1

    return Metric("counting", lambda graph, params: jnp.int32(0), measure), traces


def test_metrics_come_beside_the_dormant_fractions():
    params, tracker = plasticity(Recorded(), metrics=[catalogue.weight_norm()])
    _, alone = plasticity(Recorded())
    (nothing, found) = after_updates(tracker, params, (1, 2))
    (_, dormancy) = after_updates(alone, params, (1, 2))
    norm = np.linalg.norm(params["params"]["Dense_0"]["kernel"])
    assert nothing == {}
    assert found.pop("weight_norm/hidden") == pytest.approx(norm)
    np.testing.assert_equal(found, dormancy)


def test_metrics_need_no_thresholds():
    params, tracker = plasticity(Recorded(), taus=(), metrics=[catalogue.weight_norm()])
    (_, found) = after_updates(tracker, params, (1, 2))
    assert list(found) == ["weight_norm/hidden"]
    assert np.isnan(tracker.dormant_fraction)


def test_all_metrics_are_measured_in_one_trace_on_the_tracking_batch():
    counting, traces = counting_metric()
    params, tracker = plasticity(Recorded(), metrics=(counting,))
    assert not traces
    rows = after_updates(tracker, params, range(1, 7))
    assert [row["count"] for row in rows if row] == [1, 2, 3]
    (view,) = traces
    assert view.batch["state"].shape == (5, 3)
    assert view.activations["hidden"].shape == (5, 4)
    assert view.graph == GRAPH


def test_a_metric_sees_the_loss_of_the_tracking_batch():
    def loss(params, target_params, batch):
        return jnp.mean(batch["state"]) + 0 * params["params"]["Dense_0"]["bias"][0]

    metric = Metric(
        "loss",
        lambda *_: (),
        lambda view, state: ({"l": view.loss(view.params)}, state),
    )
    params, tracker = plasticity(Recorded(), loss=loss, metrics=(metric,))
    (found,) = after_updates(tracker, params, (2,))
    states = draw_batch(5, np.random.default_rng([1, 1, 2]))["state"]
    assert found["l"] == pytest.approx(states.mean(), rel=1e-5)


def test_without_metrics_no_loss_is_traced():
    def loss(*_):
        raise AssertionError("the loss was traced")

    params, tracker = plasticity(Recorded(), loss=loss)
    (found,) = after_updates(tracker, params, (2,))
    assert "dormant_fraction/0.1" in found


def test_metric_states_are_in_the_checkpoint():
    counting, _ = counting_metric()
    metrics = (catalogue.distance_from_initial(), counting)
    params, saved = plasticity(Recorded(), metrics=metrics)
    after_updates(saved, params, (2, 4))
    _, restored = plasticity(Recorded(), metrics=metrics, seed=9)
    restored.load_state_dict(jax.tree.map(np.array, saved.state_dict()))

    moved = jax.tree.map(lambda x: x + 1, params)
    first, second = (after_updates(x, moved, (6,))[0] for x in (saved, restored))
    np.testing.assert_equal(first, second)
    assert second["count"] == 3
    # Twelve weights, each 1 away from where it started.
    assert second["distance_from_initial/hidden"] == pytest.approx(12**0.5)


def test_the_history_is_in_the_checkpoint():
    _, saved = plasticity(Recorded(), taus=(0.9,))
    # Other weights, other dormant neurons.
    others = [Recorded().init(jax.random.PRNGKey(k), STATE) for k in range(1, 5)]
    for step, other in zip((2, 4, 6), others, strict=False):
        after_updates(saved, other, (step,))
    _, restored = plasticity(Recorded(), taus=(0.9,), seed=9)
    restored.load_state_dict(jax.tree.map(np.array, saved.state_dict()))
    ever, previous = (
        sum(map(int, sets[0]["hidden"]))
        for sets in (
            restored.tracking.memories.now.dormancy.ever,
            restored.tracking.memories.now.dormancy.previous,
        )
    )
    assert ever > previous > 0
    first, second = (after_updates(x, others[3], (8,))[0] for x in (saved, restored))
    np.testing.assert_equal(first, second)
    assert not np.isnan(first["overlap_with_history/0.9/hidden"])


def test_the_last_measurement_can_be_made_again_from_a_checkpoint():
    counting, _ = counting_metric()
    params, saved = plasticity(Recorded(), taus=(0.9,), metrics=(counting,))
    rows = after_updates(saved, params, (2, 4))
    _, restored = plasticity(Recorded(), taus=(0.9,), metrics=(counting,))
    restored.load_state_dict(jax.tree.map(np.array, saved.state_dict()))
    again = restored.tracking.with_metrics(
        params, taus=(0.5, 0.9), metrics=(counting,), before=True
    )
    batch = draw_batch(5, restored.tracking_rng(4))
    found = jax.device_get(again.measure(params, params, batch))
    assert {name: found[name] for name in rows[1]} == rows[1]
    assert rows[1]["count"] == 2
    assert rows[1]["overlap/0.9/hidden"] == 1
    assert np.isnan(found["overlap/0.5/hidden"])  # Not tracked, so no set before.


def test_a_checkpoint_of_other_metrics_is_refused():
    _, saved = plasticity(Recorded(), metrics=[catalogue.srank()])
    _, other = plasticity(Recorded(), metrics=[catalogue.stable_rank()])
    with pytest.raises(ValueError, match=r"of metrics \['stable_rank'\].*\['srank'\]"):
        other.load_state_dict(saved.state_dict())


def test_what_is_no_metric_is_refused():
    with pytest.raises(TypeError, match=r"Call the function that makes one"):
        plasticity(Recorded(), metrics=[catalogue.srank])


# Through an agent.

WITH_A_STATE = [
    catalogue.previous_share(taus=(0.5,)),
    catalogue.distance_from_initial(),
    catalogue.magi(),
    catalogue.policy_churn(),
]
TRACKING = {"taus": (0.1,), "tracking_period": 4, "tracking_batch_size": 6}


@pytest.fixture
def replay(clean_gin):
    agents.bind_replay()


@pytest.mark.usefixtures("replay")
def test_a_restored_agent_measures_as_the_saved_one(tmp_path):
    settings = {"metrics": WITH_A_STATE, "replay_ratio": 1, **TRACKING}
    saved = agents.recycled_agent(**settings)
    plain = agents.recycled_agent(replay_ratio=1)
    assert Stream().drive(saved, 40) == Stream().drive(plain, 40)
    assert_trees_equal(saved.online_params, plain.online_params)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = agents.recycled_agent(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)

    recorders = Recorder(), Recorder()
    for agent, recorder in zip((saved, restored), recorders, strict=True):
        agent.set_collector_dispatcher(recorder)
        Stream(3).drive(agent, 12)
    assert str(recorders[0].rows) == str(recorders[1].rows)
    assert len(recorders[0].values("policy_churn")) == 3
    distances = recorders[0].values("distance_from_initial/Dense_0")
    assert 0 < distances[0] < distances[-1]


@pytest.mark.usefixtures("clean_gin")
def test_every_metric_has_a_gin_name():
    from redo_dopamine.config import registry  # noqa: F401

    names = [make.__name__ for make in catalogue.FACTORIES]
    listed = ", ".join(f"@{name}()" for name in names)
    gin.parse_config(f"RecycledDQNAgent.metrics = [{listed}]")
    gin.parse_config("srank.delta = 0.1\nmagi.threshold = 1e-6")
    agents.bind_replay()
    agent = agents.recycled_agent(**TRACKING)
    recorder = Recorder()
    agent.set_collector_dispatcher(recorder)
    Stream().drive(agent, 42)
    assert recorder.values("srank/Dense_0")
    assert recorder.values("zero_gradient_threshold")[0] == pytest.approx(1e-6)


def test_streams_and_what_is_measured_may_be_given():
    drawn = []

    def draw(name):
        def batch(size, rng):
            drawn.append((name, size, int(rng.integers(2**31))))
            return {"state": jnp.ones((size, 3))}

        return batch

    network, optimizer = Recorded(), optax.adam(1e-3)
    redo = interventions.redo(period=2, tau=0.5, score_batch_size=5)
    params, tracked = plasticity(
        network,
        intervention=redo(GRAPH, lambda key: network.init(key, STATE), optimizer),
        taus=(0.1,),
        tracking_period=2,
        tracking_batch_size=4,
        streams=(8, 9),
    )
    tracked.after_update(
        Learner(params, optimizer.init(params)), None, 2, draw("any"), draw("own")
    )
    expected = [
        (name, size, int(np.random.default_rng([1, stream, 2]).integers(2**31)))
        for name, size, stream in (("own", 4, 8), ("any", 5, 9))
    ]
    assert drawn == expected
