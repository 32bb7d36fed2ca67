import jax.numpy as jnp
import pytest

from redo_dopamine.core.metrics.base import Metric, View, measure_all, validate_metrics
from redo_dopamine.core.metrics.catalogue import srank, stable_rank

VIEW = View(*[None] * len(View._fields))


def counter(name, column):
    return Metric(
        name, lambda graph, params: 0, lambda view, state: ({column: state}, state + 1)
    )


def test_every_metric_has_its_own_state():
    metrics = counter("first", "a"), counter("second", "b")
    found, states = measure_all(metrics, VIEW, (3, jnp.int32(5)))
    assert found == {"a": 3, "b": 5}
    assert states == (4, 6)


def test_nothing_is_measured_where_nothing_is_asked_for():
    assert measure_all((), VIEW, ()) == ({}, ())


def test_two_metrics_may_not_give_one_name():
    metrics = counter("first", "a"), counter("second", "a")
    with pytest.raises(ValueError, match=r"'second' gives \['a'\], as one before"):
        measure_all(metrics, VIEW, (0, 0))


def test_metrics_must_differ_in_name():
    with pytest.raises(ValueError, match=r"\['srank'\] stand more than once"):
        validate_metrics([srank(), stable_rank(), srank(delta=0.1)])


def test_a_function_that_makes_a_metric_is_none():
    with pytest.raises(TypeError, match=r"has <function stable_rank .*@stable_rank\("):
        validate_metrics([stable_rank])
