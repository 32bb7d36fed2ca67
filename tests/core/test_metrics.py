import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.core.metrics.dormancy import (
    dormant_fraction,
    measure_dormancy,
    no_dormant_sets,
    no_record,
    overlap,
    share,
)

NAN = float("nan")
TAUS = (0.0, 0.025, 0.1)
SETS = st.integers(1, 12).flatmap(
    lambda n: st.tuples(hnp.arrays(bool, n), hnp.arrays(bool, n))
)


def bits(text):
    return jnp.array([c == "1" for c in text])


def test_dormant_fractions_by_hand_weigh_layers_by_their_size():
    found = dormant_fraction({"small": bits("11"), "large": bits("100000")})
    assert {k: float(v) for k, v in found.items()} == {
        "": 0.375,
        "small": 1.0,
        "large": pytest.approx(1 / 6),
    }


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1100", "1100", 1.0),
        ("1100", "0011", 0.0),
        ("1000", "1110", 1.0),
        ("1110", "1000", 1.0),
        ("1100", "0111", 0.5),
        ("1110", "0111", 2 / 3),
    ],
)
def test_overlap_by_hand(first, second, expected):
    assert float(overlap(bits(first), bits(second))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second"), [("0000", "1100"), ("1100", "0000"), ("0000", "0000")]
)
def test_overlap_with_an_empty_set_is_nan(first, second):
    assert np.isnan(overlap(bits(first), bits(second)))


@CHEAP
@given(SETS)
def test_overlap_is_symmetric_and_a_fraction(pair):
    there, back = (
        overlap(*map(jnp.asarray, pair)),
        overlap(*map(jnp.asarray, pair[::-1])),
    )
    np.testing.assert_array_equal(there, back)
    assert np.isnan(there) or 0 <= there <= 1


@CHEAP
@given(SETS)
def test_overlap_is_one_exactly_where_one_set_holds_the_other(pair):
    first, second = (set(np.flatnonzero(x)) for x in pair)
    if first and second:
        held = first <= second or second <= first
        assert (overlap(*map(jnp.asarray, pair)) == 1) == held


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        ("1100", "1100", 1.0),
        ("1110", "1000", 1.0),
        ("1000", "1110", 1 / 3),
        ("0011", "1100", 0.0),
        ("0000", "1100", 0.0),
        ("0000", "0000", float("nan")),
        ("1100", "0000", float("nan")),
    ],
)
def test_share_by_hand(part, whole, expected):
    found = float(share(bits(part), bits(whole)))
    assert found == pytest.approx(expected, nan_ok=True)


@CHEAP
@given(SETS)
def test_the_larger_of_both_shares_is_the_overlap(pair):
    first, second = map(jnp.asarray, pair)
    if jnp.any(first) and jnp.any(second):
        larger = max(share(first, second), share(second, first))
        assert larger == overlap(first, second)


def activations(seed):
    """Two layers with neurons at all of the thresholds' sides."""
    rng = np.random.default_rng(seed)
    dense = rng.random((6, 8)) * rng.choice([0, 0.01, 0.05, 1, 2], 8)
    conv = rng.random((6, 3, 2, 5)) * rng.choice([0, 0.01, 0.05, 1, 2], 5)
    return {"Conv_0": conv.astype(np.float32), "Dense_0": dense.astype(np.float32)}


def numpy_sets(seed, tau):
    sets = {}
    for layer, h in activations(seed).items():
        magnitude = np.abs(h).reshape(-1, h.shape[-1]).mean(axis=0)
        score = magnitude / magnitude.mean()
        sets[layer] = set(np.flatnonzero(score <= tau).tolist())
    return sets


measure = jax.jit(lambda h, record: measure_dormancy(h, TAUS, record))
WIDTHS = {"Conv_0": 5, "Dense_0": 8}
NO_SETS = no_dormant_sets(WIDTHS, TAUS)
START = no_record(WIDTHS, TAUS)


def test_a_record_starts_with_an_empty_set_per_threshold_and_layer():
    assert len(NO_SETS) == 3
    for sets in (*NO_SETS, *START.previous, *START.ever):
        assert {k: v.shape for k, v in sets.items()} == {
            "Conv_0": (5,),
            "Dense_0": (8,),
        }
        assert not any(np.any(mask) for mask in sets.values())


def test_measure_dormancy_gives_these_names_and_no_others():
    metrics, _ = measure(activations(0), START)
    per_layer = ("dormant_fraction", "overlap", "overlap_with_history")
    assert set(metrics) == {
        "dormant_fraction/0.0",
        "dormant_fraction/0.025",
        "dormant_fraction/0.1",
        *(
            f"{name}/{tau}/{layer}"
            for name in per_layer
            for tau in ("0.0", "0.025", "0.1")
            for layer in ("Conv_0", "Dense_0")
        ),
    }


def test_a_whole_number_as_threshold_has_the_name_of_the_same_decimal():
    metrics, _ = measure_dormancy(activations(0), (0,), no_record(WIDTHS, (0,)))
    assert "dormant_fraction/0.0" in metrics


def test_the_activations_here_have_other_dormant_sets_at_every_threshold():
    sizes = [sum(map(len, numpy_sets(1, tau).values())) for tau in TAUS]
    assert 0 < sizes[0] < sizes[1] < sizes[2] < 13


@pytest.mark.parametrize("tau", TAUS)
def test_measured_fractions_and_sets_are_those_of_the_definition(tau):
    metrics, record = measure(activations(1), START)
    expected = numpy_sets(1, tau)
    found = record.previous[TAUS.index(tau)]
    assert {k: set(np.flatnonzero(v).tolist()) for k, v in found.items()} == expected
    conv, dense = len(expected["Conv_0"]), len(expected["Dense_0"])
    fraction = f"dormant_fraction/{tau}"
    assert float(metrics[f"{fraction}/Conv_0"]) == pytest.approx(conv / 5)
    assert float(metrics[f"{fraction}/Dense_0"]) == pytest.approx(dense / 8)
    assert float(metrics[fraction]) == pytest.approx((conv + dense) / 13)


def test_the_first_measurement_overlaps_with_nothing():
    metrics, _ = measure(activations(1), START)
    overlaps = [v for k, v in metrics.items() if k.startswith("overlap")]
    assert len(overlaps) == 12
    assert np.all(np.isnan(overlaps))


def test_an_overlap_is_with_the_sets_of_the_call_before():
    _, record = measure(activations(1), START)
    metrics, _ = measure(activations(2), record)
    defined = 0
    for tau in TAUS:
        before, now = numpy_sets(1, tau), numpy_sets(2, tau)
        for layer in before:
            smaller = min(len(before[layer]), len(now[layer]))
            both = len(before[layer] & now[layer])
            expected = both / smaller if smaller else float("nan")
            found = float(metrics[f"overlap/{tau}/{layer}"])
            assert found == pytest.approx(expected, nan_ok=True)
            defined += smaller > 0
    assert defined >= 3


# The history: six neurons, tau 0, so that a 1 is a neuron that never fires.
HISTORY = [
    # dormant now, with the one before, with all before
    ("110000", NAN, NAN),
    ("000000", NAN, NAN),  # None now.
    ("110000", NAN, 1.0),  # None before, but earlier.
    ("001100", 0.0, 0.0),  # New ones.
    ("100100", 0.5, 1.0),  # One of before and one of earlier.
    ("111111", 1.0, 1.0),  # All, so that it holds the smaller set.
    ("111000", 1.0, 1.0),
]
NEVER_ALL = [
    ("100000", NAN, NAN),
    ("010000", 0.0, 0.0),
    ("011100", 1.0, 1 / 2),  # Of 0, 1 ever dormant and 1, 2, 3 now, 1 is in both.
    ("000011", 0.0, 0.0),
    ("100010", 0.5, 1.0),
]


def silent(text):
    """Activations of a layer in which exactly these neurons never fire."""
    return {"layer": 1.0 - bits(text)[None].astype(jnp.float32)}


@pytest.mark.parametrize("rows", [HISTORY, NEVER_ALL])
def test_the_history_by_hand(rows):
    record = no_record({"layer": 6}, (0.0,))
    ever = set()
    for now, with_previous, with_history in rows:
        metrics, record = measure_dormancy(silent(now), (0.0,), record)
        found = [
            float(metrics[f"{name}/0.0/layer"])
            for name in ("overlap", "overlap_with_history")
        ]
        assert found == pytest.approx([with_previous, with_history], nan_ok=True), now
        ever |= {i for i, c in enumerate(now) if c == "1"}
        assert set(np.flatnonzero(record.ever[0]["layer"]).tolist()) == ever
        np.testing.assert_array_equal(record.previous[0]["layer"], bits(now))


def test_thresholds_and_layers_have_histories_of_their_own():
    _, record = measure(activations(1), START)
    _, record = measure(activations(2), record)
    metrics, _ = measure(activations(3), record)
    for tau in TAUS:
        first, second, now = (numpy_sets(seed, tau) for seed in (1, 2, 3))
        for layer in now:
            ever = first[layer] | second[layer]
            smaller = min(len(ever), len(now[layer]))
            expected = len(ever & now[layer]) / smaller if smaller else NAN
            found = float(metrics[f"overlap_with_history/{tau}/{layer}"])
            assert found == pytest.approx(expected, nan_ok=True)


def test_as_many_previous_sets_as_thresholds_are_needed():
    with pytest.raises(ValueError, match="of the same thresholds"):
        measure_dormancy(activations(0), TAUS, START._replace(previous=NO_SETS[:2]))
