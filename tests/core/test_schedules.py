import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.core.schedules import (
    Periodic,
    annealed_gamma,
    annealed_horizon,
    constant,
    cosine,
    never,
)

SCHEDULES = [
    (Periodic(3), [3, 6, 9, 12, 15]),
    (Periodic(1), list(range(1, 17))),
    (Periodic(17), []),
    (Periodic(3, start=4), [6, 9, 12, 15]),
    (Periodic(3, start=6), [6, 9, 12, 15]),
    (Periodic(3, stop=9), [3, 6]),
    (Periodic(3, stop=10), [3, 6, 9]),
    (Periodic(3, start=4, stop=13), [6, 9, 12]),
    (Periodic(5, start=6, stop=10), []),
]


@pytest.mark.parametrize(("schedule", "expected"), SCHEDULES)
def test_true_steps_by_hand(schedule, expected):
    assert [step for step in range(17) if schedule(step)] == expected


@CHEAP
@given(st.integers(1, 40), st.integers(0, 60), st.integers(1, 60))
def test_true_steps_are_the_positive_multiples_in_the_window(period, start, length):
    schedule = Periodic(period, start, start + length)
    multiples = set(range(period, 200, period))
    expected = multiples & set(range(start, start + length))
    assert {step for step in range(200) if schedule(step)} == expected


@pytest.mark.parametrize(("schedule", "expected"), SCHEDULES)
def test_a_traced_step_gives_what_an_int_gives(schedule, expected):
    due = jax.jit(jax.vmap(schedule))(jnp.arange(17))
    assert due.dtype == bool
    assert np.flatnonzero(due).tolist() == expected


@pytest.mark.parametrize("schedule", [Periodic(1), Periodic(3, start=0, stop=9)])
def test_step_zero_is_never_due(schedule):
    assert not schedule(0)


def test_never_is_false_for_ints_and_traced_steps():
    assert not any(never(step) for step in range(5))
    assert not np.any(jax.jit(never)(jnp.arange(5)))


@pytest.mark.parametrize("period", [0, -1, 1.5])
def test_a_period_that_is_no_whole_number_from_one_on_is_an_error(period):
    message = rf"period must be a whole number .* >= 1, but is {period}\. .*none\(\)"
    with pytest.raises(ValueError, match=message):
        Periodic(period)


def test_a_negative_start_is_an_error():
    with pytest.raises(ValueError, match=r"start must be .* >= 0, but is -1\."):
        Periodic(10, start=-1)


@pytest.mark.parametrize("stop", [0, 19, 20])
def test_a_stop_that_is_not_after_start_is_an_error(stop):
    message = f"stop must be a whole number of gradient steps >= 21, but is {stop}"
    with pytest.raises(ValueError, match=message):
        Periodic(10, start=20, stop=stop)


def test_a_period_written_as_a_float_is_kept_as_a_whole_number():
    # As gin reads 1e3. In float32 neither step could be told from a multiple.
    schedule = Periodic(1e3)
    assert isinstance(schedule.period, int)
    for step in (16_777_999, 17_000_001):
        assert not schedule(step)
        assert not jax.jit(schedule)(jnp.int32(step))
    assert jax.jit(schedule)(jnp.int32(17_000_000))


@pytest.mark.parametrize("name", ["period", "start", "stop"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, "1000"])
def test_what_is_not_a_whole_number_is_named(name, value):
    settings = {"period": 10, name: value}
    with pytest.raises(ValueError, match=f"{name} must be a whole number .* {value}"):
        Periodic(**settings)


def test_a_quarter_cosine_by_hand():
    share = cosine(0.1, 1000)
    expected = {0: 0.1, 333: 0.0866, 500: 0.070711, 667: 0.05, 1000: 0, 5000: 0}
    found = {step: float(share(step)) for step in expected}
    assert found == pytest.approx(expected, abs=1e-4)
    traced = jax.jit(jax.vmap(share))(jnp.array(list(expected)))
    np.testing.assert_allclose(traced, list(found.values()), rtol=1e-6)
    assert share(1000) == 0.0
    assert share(999) > 0.0


def test_a_constant_share_is_constant():
    assert [constant(0.25)(step) for step in (0, 10**9)] == [0.25, 0.25]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5"])
@pytest.mark.parametrize("make", [constant, cosine])
def test_a_share_out_of_range_is_an_error(make, value):
    with pytest.raises(ValueError, match=rf"in \[0, 1\], but is {value}"):
        make(value)


@pytest.mark.parametrize("stop", [0, -1, 0.5])
def test_a_cosine_that_stops_before_it_starts_is_an_error(stop):
    with pytest.raises(ValueError, match=f"stop must be .* >= 1, but is {stop}"):
        cosine(0.1, stop)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32"])
@pytest.mark.parametrize("jitted", [False, True])
def test_a_step_of_few_bits_does_not_wrap_around(kind, jitted):
    step = np.array(100, kind)
    for schedule, due in (
        (Periodic(256), False),
        (Periodic(50), True),
        (Periodic(50, start=300), False),
        (Periodic(50, stop=300), True),
        (Periodic(100, start=0, stop=70_000), True),
    ):
        call = jax.jit(schedule) if jitted else schedule
        assert bool(call(step)) is due


@pytest.mark.parametrize("step", [1.0, True, np.array([10]), np.float32(3), np.True_])
def test_a_step_that_is_no_number_of_updates(step):
    with pytest.raises(TypeError, match="whole number of gradient steps"):
        Periodic(10)(step)


def test_bbfs_horizon_and_discount_by_hand():
    resets = {"period": 40_000, "stop": 90_000}
    horizon, gamma = annealed_horizon(**resets), annealed_gamma(**resets)
    # 10 * 0.3 ** (t / 10_000), rounded.
    by_hand = {0: 10, 1_000: 9, 2_500: 7, 5_000: 5, 9_000: 3, 10_000: 3, 39_999: 3}
    again = {40_000: 10, 45_000: 5, 80_000: 10, 119_999: 3, 120_000: 3}
    assert {t: horizon(t) for t in by_hand | again} == by_hand | again
    # Half way the distance to 1 is the geometric mean of 0.03 and 0.003.
    values = [gamma(t) for t in (0, 5_000, 10_000, 39_999, 40_000, 120_000)]
    expected = [0.97, 1 - 0.00009**0.5, 0.997, 0.997, 0.97, 0.997]
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    assert (gamma(0), gamma(20_000)) == (0.97, 0.997)


def test_without_resets_an_annealed_schedule_begins_once():
    assert [annealed_horizon(4, 2, 2)(t) for t in range(5)] == [4, 3, 2, 2, 2]
    late = annealed_horizon(4, 2, 2, period=3, start=6)
    assert [late(t) for t in range(9)] == [4, 3, 2, 2, 2, 2, 4, 3, 2]


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (annealed_horizon, {"final": 0}, "final must be a whole number"),
        (annealed_horizon, {"initial": 2.5}, "initial must be a whole number"),
        (annealed_gamma, {"final": 1.0}, r"final must be a discount in \[0, 1\)"),
        (annealed_gamma, {"num_steps": 0}, "num_steps must be a whole number"),
        (annealed_gamma, {"period": 0}, "period must be a whole number"),
    ],
)
def test_annealed_schedules_refuse(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
