import collections

import gin
import numpy as np
import pytest
from dopamine.jax.replay_memory import elements, replay_buffer

from redo_dopamine.replay.buffer import FrameReplay, stack_first
from redo_dopamine.replay.windows import complete_windows


def rows(batch, names):
    columns = [np.asarray(getattr(batch, name)) for name in names]
    return collections.Counter(
        tuple(c[i].tobytes() for c in columns) for i in range(len(columns[0]))
    )


def stored(theirs):
    """All live transitions of Dopamine's buffer, in one batch."""
    unpacked = [element.unpack() for element in theirs._memory.values()]
    names = elements.ReplayElement.__dataclass_fields__
    return elements.ReplayElement(
        **{n: np.stack([getattr(e, n) for e in unpacked]) for n in names}
    )


# Equality with Dopamine's buffer.


@pytest.mark.parametrize("update_horizon", [1, 3, 10])
@pytest.mark.parametrize("stack_size", [1, 4])
@pytest.mark.parametrize("capacity", [5, 61])
def test_batches_equal_dopamines(replays, update_horizon, stack_size, capacity):
    settings = {
        "update_horizon": update_horizon,
        "stack_size": stack_size,
        "max_capacity": capacity,
    }
    theirs, ours = replays.dopamine(**settings), replays.ours(**settings)
    steps = replays.stream(seed=update_horizon * 100 + capacity, ends=0.1)
    sampled = 0
    for _ in range(60):
        replays.feed(steps, 7, theirs, ours)
        assert ours.add_count == theirs.add_count
        if ours.add_count:
            theirs_drawn, theirs_keys = theirs.sample(9, with_sample_metadata=True)
            ours_drawn, ours_keys = ours.sample(9, with_sample_metadata=True)
            replays.assert_same_batch(theirs_drawn, ours_drawn)
            np.testing.assert_array_equal(theirs_keys.keys, ours_keys.keys)
            replays.assert_same_batch(theirs.sample(), ours.sample())
            sampled += 1
    assert sampled > 40
    assert ours.add_count > 3 * capacity
    names = replays.fields
    assert rows(stored(theirs), names) == rows(replays.everything(ours), names)


def test_it_equals_dopamines_on_atari_sized_frames(replays):
    theirs, ours = (
        make(update_horizon=3, max_capacity=100)
        for make in (replays.dopamine, replays.ours)
    )
    steps = replays.stream(shape=(84, 84), ends=0.05)
    replays.feed(steps, 250, theirs, ours)
    for _ in range(5):
        replays.assert_same_batch(theirs.sample(32), ours.sample(32))
    # One row of a frame changed: one band in 14 is new.
    assert ours.nbytes < 100 * 84 * 84 / 5


def test_it_equals_dopamines_on_float_vectors_and_vector_actions(replays):
    settings = {"stack_size": 1, "update_horizon": 3}
    theirs, ours = replays.dopamine(**settings), replays.ours(**settings)
    steps = replays.stream(shape=(17,), dtype=np.float64, action_shape=(6,))
    replays.feed(steps, 200, theirs, ours)
    drawn = ours.sample(16)
    assert drawn.state.shape == (16, 17, 1)
    assert drawn.action.dtype == np.float32
    replays.assert_same_batch(theirs.sample(16), drawn)


def test_after_clear_it_equals_dopamines_that_was_cleared(replays):
    theirs, ours = replays.dopamine(), replays.ours()
    steps = replays.stream()
    replays.feed(steps, 33, theirs, ours)
    theirs.clear()
    ours.clear()
    assert ours.add_count == 0
    replays.feed(steps, 90, theirs, ours)
    replays.assert_same_batch(theirs.sample(), ours.sample())


# Draws.


def test_every_slot_is_drawn_as_often(replays):
    ours = replays.ours()
    replays.feed(replays.stream(), 200, ours)
    _, metadata = ours.sample(40_000, with_sample_metadata=True)
    counts = np.bincount(metadata.keys - (ours.add_count - 40), minlength=40)
    assert len(counts) == 40
    # Chi-square with 39 degrees of freedom; 80 is beyond its 99.98 percent.
    assert np.sum((counts - 1000.0) ** 2 / 1000.0) < 80


def test_a_generator_of_the_callers_leaves_the_buffers_alone(replays):
    one, other = replays.ours(), replays.ours()
    replays.feed(replays.stream(), 100, one, other)
    first = one.sample(6, rng=np.random.default_rng(1))
    replays.assert_same_batch(first, one.sample(6, rng=np.random.default_rng(1)))
    replays.assert_same_batch(one.sample(), other.sample())


def test_transitions_are_what_a_sample_draws(replays):
    ours = replays.ours()
    replays.feed(replays.stream(), 100, ours)
    assert ours.num_transitions == 40
    drawn = ours.sample(6, rng=np.random.default_rng(1))
    slots = np.random.default_rng(1).integers(40, size=6)
    replays.assert_same_batch(ours.transitions(slots), drawn)


@pytest.mark.parametrize("update_horizon", [1, 10])
def test_batches_are_new_arrays_and_read_only_stacks(replays, update_horizon):
    ours = replays.ours(update_horizon=update_horizon)
    steps = replays.stream()
    replays.feed(steps, 100, ours)
    drawn = ours.sample()
    copies = [np.array(getattr(drawn, name)) for name in replays.fields]
    replays.feed(steps, 100, ours)
    ours.sample()
    for name, copy in zip(replays.fields, copies, strict=True):
        np.testing.assert_array_equal(getattr(drawn, name), copy)
    with pytest.raises(ValueError, match="read-only"):
        drawn.state[0] = 0


def test_stack_first_is_a_view_in_the_order_of_memory(replays):
    ours = replays.ours(update_horizon=10)
    replays.feed(replays.stream(), 100, ours)
    state = ours.sample(8).state
    first = stack_first(state)
    assert first.shape == (8, 4, 6, 4)
    assert np.shares_memory(first, state)
    assert first.flags.c_contiguous
    np.testing.assert_array_equal(first[:, 2], state[..., 2])


def test_complete_windows_never_mix_episodes(replays):
    ours = replays.ours(update_horizon=3, windows=complete_windows, max_capacity=500)
    for episode in range(1, 21):
        for t in range(episode):
            frame = np.full((6, 4), episode, np.uint8)
            last = t == episode - 1
            ours.add(elements.TransitionElement(frame, t, 1.0, last))
    drawn = replays.everything(ours)
    assert ours.add_count == sum(range(1, 21))
    episodes = drawn.state[:, 0, 0, -1]
    for states in (drawn.state, drawn.next_state):
        frames = states[:, 0, 0, :]
        assert ((frames == episodes[:, None]) | (frames == 0)).all()
        depth = (frames > 0).sum(1)
        ahead = 0 if states is drawn.state else 3
        reached = np.minimum(drawn.action + ahead, episodes - 1)
        np.testing.assert_array_equal(depth, np.minimum(reached + 1, 4))


# Memory.


def test_frames_that_nothing_needs_are_dropped(replays):
    ours = replays.ours(max_capacity=20, update_horizon=3)
    steps = replays.stream(shape=(12, 10), ends=0.05)
    replays.feed(steps, 200, ours)
    size = ours.nbytes
    for _ in range(1000):
        replays.feed(steps, 1, ours)
        assert len(ours._contents.frames) <= 20 + 3 + 4 + 10
    assert ours.nbytes == size


# Settings and errors.


def test_dopamines_gin_names_reach_it(clean_gin):
    gin.parse_config(
        """
        ReplayBuffer.max_capacity = 7
        ReplayBuffer.batch_size = 3
        FrameReplay.update_horizon = 2
        """
    )
    ours = FrameReplay(stack_size=1, gamma=0.9, seed=0)
    assert isinstance(ours, replay_buffer.ReplayBuffer)
    for t in range(30):
        ours.add(elements.TransitionElement(np.array([t]), 0, 1.0, False))
    drawn = ours.sample()
    assert drawn.reward.tolist() == [1.0 + 1.0 * 0.9] * 3
    assert (drawn.next_state - drawn.state == 2).all()
    assert drawn.state.min() >= 30 - 2 - 7


def test_an_empty_buffer_gives_nothing(replays):
    ours = replays.ours()
    assert ours.num_transitions == 0
    with pytest.raises(IndexError, match="Add steps first"):
        ours.transitions(np.array([0]))
    with pytest.raises(ValueError, match=r"must hold a transition.*holds 0"):
        ours.sample()
    replays.feed(replays.stream(ends=0.0), 1, ours)  # A step, not yet a transition.
    with pytest.raises(ValueError, match="must hold a transition"):
        ours.sample()


def test_what_it_cannot_do_it_refuses(replays):
    ours = replays.ours()
    steps = replays.stream()
    replays.feed(steps, 20, ours)
    count = ours.add_count
    step = next(steps)
    with pytest.raises(ValueError, match="size must be >= 1, but is 0"):
        ours.sample(0)
    with pytest.raises(ValueError, match=r"draws uniformly.*priority 0\.5"):
        ours.add(step, priority=0.5)
    with pytest.raises(NotImplementedError, match="draws uniformly"):
        ours.update(np.arange(2), priorities=np.ones(2))
    with pytest.raises(ValueError, match=r"\(6, 4\) uint8.*\(5,\) float64"):
        ours.add(step._replace(observation=np.zeros(5)))
    with pytest.raises(ValueError, match=r"Actions.*\(\) int32.*\(3,\) float64"):
        ours.add(step._replace(action=np.zeros(3)))
    assert ours.add_count == count
    ours.add(step, priority=None)
    ours.add(next(steps), priority=1.0)


@pytest.mark.parametrize(
    "name", ["stack_size", "update_horizon", "max_capacity", "batch_size"]
)
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_settings_must_be_positive_whole_numbers(replays, name, value):
    with pytest.raises(
        ValueError, match=f"{name} must be a whole number >= 1.*{value}"
    ):
        replays.ours(**{name: value})
