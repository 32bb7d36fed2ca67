"""What is read is what was played: by the agent's own words, and by Dopamine's."""

import collections
import gzip
import itertools

import numpy as np
import pytest
from dopamine.jax.replay_memory import elements
from dopamine.tf.replay_memory import circular_replay_buffer as circular

from offline.recordings import SHAPE, load, settings, steps_of, write
from redo_dopamine.offline import arrays
from redo_dopamine.replay import buffer as batches
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.windows import RecordRing, Step, complete_windows

FIELDS = ("state", "action", "reward", "next_state", "is_terminal", "episode_end")
EPISODES = [(9, True), (7, False), (3, True), (1, True), (2, False), (12, True), (8, 0)]


def transitions(contents, stack=4):
    """Everything that can be drawn, oldest first."""
    return batches.batch(contents.frames, contents.records.since(0), stack)


def as_seen(steps, horizon=1, stack=4):
    """The transitions of steps, by the window function of the replay buffer."""
    steps = list(steps)
    frames = FrameStore(steps[0].observation.shape, np.uint8)
    ring = RecordRing(10_000, np.int32, ())
    trajectory = collections.deque(maxlen=horizon + stack)
    for step in steps:
        frame = frames.extend(step.observation[None])
        end = step.is_terminal or step.episode_end
        trajectory.append(
            Step(frame, step.action, step.reward, bool(step.is_terminal), bool(end))
        )
        for record in complete_windows(trajectory, settings(stack, horizon)):
            if record.frame < len(steps) - horizon:  # The cursor is behind these.
                ring.append(record)
        if end:
            trajectory.clear()
    return batches.batch(frames, ring.since(0), stack)


def assert_same(one, two, fields=FIELDS):
    for name in fields:
        first, second = getattr(one, name), getattr(two, name)
        if name == "next_state":  # Of no meaning behind a terminal step.
            first, second = first[~one.is_terminal], second[~two.is_terminal]
        if name == "reward":  # Dopamine sums in float32.
            np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(first, second, err_msg=name)


def test_a_real_recording_holds_what_the_agent_saw(recorded, directory):
    steps = recorded[1]
    assert len(steps) == 400
    cut_off = [s for s in steps if s.episode_end and not s.is_terminal]
    assert cut_off  # By the limit on an episode's length.
    assert_same(transitions(load(directory)), as_seen(steps))


@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_transitions_are_those_of_the_windows(horizon, seed, tmp_path):
    # Long at the end, so that the cursor's surroundings are one episode's.
    steps = list(steps_of([*EPISODES, (20, False)], seed))[:-1]
    write(tmp_path, steps)
    read = transitions(load(tmp_path, horizon=horizon))
    assert_same(read, as_seen(steps, horizon))


def dopamines(directory, split, horizon, rows, stack=4):
    """Dopamine's own buffer with the same files, and what it may draw."""
    buffer = circular.OutOfGraphReplayBuffer(
        SHAPE, stack, rows, 8, update_horizon=horizon, gamma=0.9
    )
    buffer.episode_end_indices = set()
    buffer.load(str(directory), split)
    cursor = int(buffer.add_count) % rows
    # It takes the range as it was saved, for another n perhaps.
    buffer.invalid_range = circular.invalid_range(cursor, rows, stack, horizon)
    order = (np.arange(rows) + (cursor if buffer.add_count >= rows else 0)) % rows
    valid = [int(i) for i in order if buffer.is_valid_transition(int(i))]
    batch = buffer.sample_transition_batch(batch_size=len(valid), indices=valid)
    state, action, reward, next_state, _, _, terminal = batch[:7]
    return elements.ReplayElement(
        state, action, reward, next_state, terminal.astype(bool), None
    )


@pytest.mark.parametrize("horizon", [1, 3])
def test_dopamine_draws_the_same_from_our_files(horizon, tmp_path):
    # Its layout does not say where episodes were cut off: without such ones.
    steps = list(steps_of([(9, True), (3, True), (1, True), (30, True), (9, True)]))
    write(tmp_path, steps)
    rows = len(steps) + 5 * 3 + 1
    theirs = dopamines(tmp_path, 0, horizon, rows)
    assert_same(transitions(load(tmp_path, horizon=horizon)), theirs, FIELDS[:5])


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("count", [20, 40, 41, 63, 79, 80, 97])
def test_we_draw_the_same_from_dopamines_ring(horizon, count, tmp_path):
    rows = 40
    buffer = circular.OutOfGraphReplayBuffer(
        SHAPE, 4, rows, 8, update_horizon=horizon, gamma=0.9
    )
    steps = steps_of(itertools.repeat((11, True)))
    for array in buffer._store.values():
        array[...] = 0
    while buffer.add_count < count:
        step = next(steps)
        buffer.add(step.observation, step.action, step.reward, step.is_terminal)
    buffer.save(str(tmp_path), 0)
    theirs = dopamines(tmp_path, 0, horizon, rows)
    assert len(theirs.action) > 3
    ours = transitions(load(tmp_path, horizon=horizon))
    assert_same(ours, theirs, FIELDS[:5])


def test_without_our_file_an_episode_that_was_cut_off_goes_on(tmp_path):
    write(tmp_path, steps_of([(10, False), (20, True), (5, True)]))
    marked = load(tmp_path)
    arrays.array_path(tmp_path, arrays.EPISODE_END, 0).unlink()
    assert len(load(tmp_path).records) > len(marked.records)


def test_a_split_that_begins_within_an_episode_crosses_nothing(tmp_path):
    steps = list(steps_of([(30, True), (30, True)]))
    write(tmp_path, steps, split_rows=25)
    assert arrays.splits_in(tmp_path) == [0, 1, 2]
    read = transitions(load(tmp_path))
    everything = as_seen(steps)
    known = {one.tobytes() for one in everything.state}
    assert {one.tobytes() for one in read.state} <= known
    # A boundary costs the frames of a state and the step before it.
    assert len(everything.action) - 2 * 5 <= len(read.action) < len(everything.action)


def test_splits_are_read_one_by_one_and_together(tmp_path):
    write(tmp_path, steps_of([(30, True)] * 3), split_rows=40)
    apart = [transitions(load(tmp_path, [split])) for split in (0, 1, 2)]
    together = transitions(load(tmp_path))
    for name in ("state", "action", "reward"):
        joined = np.concatenate([getattr(part, name) for part in apart])
        np.testing.assert_array_equal(getattr(together, name), joined)
    chosen = transitions(load(tmp_path, [2, 0]))
    assert len(chosen.action) == len(apart[2].action) + len(apart[0].action)


def test_files_are_gzipped_arrays_of_the_public_types(directory):
    expected = {
        "observation": ("uint8", (84, 84)),
        "action": ("int32", ()),
        "reward": ("float32", ()),
        "terminal": ("uint8", ()),
        "episode_end": ("uint8", ()),
    }
    rows = set()
    for name, (dtype, shape) in expected.items():
        with gzip.open(arrays.array_path(directory, name, 0)) as file:
            array = np.load(file)
        assert (str(array.dtype), array.shape[1:]) == (dtype, shape)
        rows.add(len(array))
    with gzip.open(arrays.note_path(directory, "add_count", 0)) as file:
        assert rows == {int(np.load(file)) + 1}
