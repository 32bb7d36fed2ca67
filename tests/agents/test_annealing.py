"""Returns whose horizon and discount change with the gradient step."""

import numpy as np
import pytest

from helpers import agents
from helpers.agents import Stream, assert_trees_equal
from redo_dopamine.core.schedules import annealed_gamma, annealed_horizon


@pytest.fixture(autouse=True)
def bindings(clean_gin):
    agents.bind_small(gamma=0.9, update_horizon=4)


ANNEALED = {
    "horizon_fn": annealed_horizon(4, 1, 6, period=8),
    "gamma_fn": annealed_gamma(0.5, 0.9, 6, period=8),
}


@pytest.mark.parametrize("scheme", ["uniform", "prioritized"])
def test_constant_schedules_give_the_same_batches_bit_for_bit(scheme):
    same = {"replay_scheme": scheme}
    plain = agents.full_rainbow_agent(**same)
    constant = agents.full_rainbow_agent(
        **same, horizon_fn=lambda step: 4, gamma_fn=lambda step: plain.gamma
    )
    for agent in (plain, constant):
        Stream().drive(agent, 19)
    for _ in range(3):
        one, other = plain._next_batch(), constant._next_batch()
        assert set(other) - set(one) == {"discount"}
        assert_trees_equal(one, {name: other[name] for name in one})
        np.testing.assert_array_equal(
            other["discount"], np.float32(plain.cumulative_gamma)
        )


def test_a_batch_is_of_the_horizon_and_discount_of_its_gradient_step():
    agent = agents.full_rainbow_agent(**ANNEALED)
    Stream().drive(agent, 19)
    # 4 * (1 / 4) ** (t / 6), and half way 1 - (0.5 * 0.1) ** 0.5.
    for step, horizon, gamma in ((0, 4, 0.5), (3, 2, 1 - 0.05**0.5), (6, 1, 0.9)):
        agent.gradient_step = step
        batch = agent._next_batch()
        np.testing.assert_allclose(batch["discount"], gamma**horizon, rtol=1e-6)
    agent.gradient_step = 8
    assert agent._next_batch()["discount"][0] == np.float32(0.5**4)


def test_the_discount_of_a_batch_is_what_the_loss_takes():
    agent = agents.full_rainbow_agent(horizon_fn=lambda step: 4)
    Stream().drive(agent, 19)
    batch = agent._prepare(agent._next_batch())
    loss, params = agent._loss(), agent.online_params
    same = loss(params, params, batch)
    without = loss(params, params, {k: v for k, v in batch.items() if k != "discount"})
    other = loss(params, params, {**batch, "discount": 0.5 * batch["discount"]})
    np.testing.assert_allclose(same, without, rtol=1e-6)
    assert abs(other - same) > 1e-5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"horizon_fn": lambda step: 5},
            "horizon_fn must be .* gives 5 at step 0. Bind upd",
        ),
        ({"horizon_fn": lambda step: 1.5}, "gives 1.5 .*annealed_horizon"),
        ({"gamma_fn": lambda step: 2.0}, "gamma_fn must be .*annealed_gamma"),
        ({"gamma_fn": lambda: 0.9}, "gamma_fn must be a function of the gradient step"),
    ],
)
def test_a_schedule_that_does_not_fit_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        agents.full_rainbow_agent(**settings)
