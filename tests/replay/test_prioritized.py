"""Prioritized replay of frames against Dopamine's buffer, and its sum tree."""

import numpy as np
import pytest
from dopamine.jax.replay_memory import (
    accumulator,
    elements,
    replay_buffer,
    samplers,
    sum_tree,
)

from redo_dopamine.replay.prioritized import PrioritizedFrameReplay
from redo_dopamine.replay.sum_tree import SumTree

SETTINGS = {"stack_size": 2, "update_horizon": 1, "gamma": 0.9, "seed": 3}
SIZES = {"max_capacity": 20, "batch_size": 6}


def ours():
    return PrioritizedFrameReplay(**SETTINGS, **SIZES)


def dopamines():
    transitions = {x: SETTINGS[x] for x in ("stack_size", "update_horizon", "gamma")}
    return replay_buffer.ReplayBuffer(
        accumulator.TransitionAccumulator(**transitions),
        samplers.PrioritizedSamplingDistribution(3, max_capacity=20),
        **SIZES,
    )


def fill(replay, first, num_steps, **more):
    for number in range(first, first + num_steps):
        observation = np.full((3, 3), number, np.uint8)
        is_last = number % 7 == 6
        step = elements.TransitionElement(observation, number % 3, 1.0, False, is_last)
        replay.add(step, **more)


def drawn(replay):
    batch, metadata = replay.sample(with_sample_metadata=True)
    return batch, metadata.keys, metadata.probabilities


def test_draws_and_probabilities_are_those_of_dopamines_buffer():
    one, other = ours(), dopamines()
    fill(one, 0, 30)
    fill(other, 0, 30, priority=1.0)
    for step in range(8):
        (batch, keys, chances), (expected, *same) = drawn(one), drawn(other)
        np.testing.assert_array_equal(keys, same[0])
        np.testing.assert_allclose(chances, same[1], rtol=1e-12)
        np.testing.assert_array_equal(batch.state, expected.state)
        np.testing.assert_array_equal(batch.action, expected.action)
        priorities = (keys % 5 + 1) / 4.0  # The same for a key that comes twice.
        for replay in (one, other):
            replay.update(keys, priorities=priorities)
        fill(one, 30 + step, 1)
        largest = other._sampling_distribution._sum_tree.max_recorded_priority
        fill(other, 30 + step, 1, priority=largest)
    assert len({*chances}) > 2


def test_a_checkpoint_has_the_priorities(tmp_path):
    saved, restored = ours(), ours()
    fill(saved, 0, 30)
    saved.update(np.arange(15, 22), priorities=np.linspace(0.1, 7.0, 7))
    saved.save(tmp_path, 0)
    restored.load(tmp_path, 0)
    for replay in (saved, restored):
        fill(replay, 30, 2)
    for found, expected in zip(drawn(restored)[1:], drawn(saved)[1:], strict=True):
        np.testing.assert_array_equal(found, expected)
    other = ours()
    other.from_state_dict(saved.to_state_dict())
    np.testing.assert_array_equal(other._tree.values(), saved._tree.values())
    assert other._tree.max_recorded_priority == 7.0


def test_transitions_that_are_gone_keep_no_priority():
    replay = ours()
    fill(replay, 0, 40)
    before = replay._tree.values().copy()
    replay.update(np.array([0, 1]), priorities=np.array([9.0, 9.0]))
    np.testing.assert_array_equal(replay._tree.values(), before)


def test_a_draw_by_another_generator_is_uniform_and_unnoticed():
    replay, untouched = ours(), ours()
    for each in (replay, untouched):
        fill(each, 0, 30)
        each.update(np.arange(12, 25), priorities=np.zeros(13))
    found = replay.sample(200, rng=np.random.default_rng(0))
    assert len({*found.state[:, 0, 0, -1]}) > 15
    np.testing.assert_array_equal(drawn(replay)[1], drawn(untouched)[1])


def test_the_exponent_is_dopamines_setting(clean_gin):
    import gin

    gin.bind_parameter("PrioritizedSamplingDistribution.priority_exponent", 0.5)
    replay = ours()
    fill(replay, 0, 10)
    replay.update(np.array([2]), priorities=np.array([16.0]))
    assert replay._tree.get(np.array([2])) == 4.0


@pytest.mark.parametrize("values", [[-1.0], [np.nan], [np.inf]])
def test_what_is_no_priority_is_refused(values):
    with pytest.raises(ValueError, match="must be finite and >= 0"):
        ours().update(np.array([0]), priorities=np.array(values)) or SumTree(4).set(
            np.array([0]), values
        )


@pytest.mark.parametrize("capacity", [1, 2, 5, 8, 13])
def test_the_tree_draws_what_dopamines_draws(capacity):
    one, other = SumTree(capacity), sum_tree.SumTree(capacity)
    rng = np.random.default_rng(0)
    for _ in range(5):
        slots = rng.permutation(capacity)[: rng.integers(1, capacity + 1)]
        values = rng.integers(0, 9, len(slots)).astype(float)
        for tree in (one, other):
            tree.set(slots, values)
        assert one.root == other.root == one.values().sum()
        if one.root:
            targets = rng.uniform(0, one.root, 50)
            np.testing.assert_array_equal(one.query(targets), other.query(targets))


def test_rounding_never_leads_to_a_slot_of_no_priority():
    tree = SumTree(6)
    tree.set(np.arange(6), [0.1, 0.2, 0.3, 0.0, 0.7, 0.0])
    for target in (tree.root, np.nextafter(tree.root, 0), 0.6, 0.0):
        assert tree.query(np.array([target]))[0] in (0, 1, 2, 4)
