"""From the files of a data set to frames and transitions, a block at a time.

What comes in: a directory of splits. What leaves: the contents of a replay buffer.
Frames go from the file into the store block by block, where each strip of a picture
that did not change is kept once; room is made for all of them at once, which the
system hands out as it is used. So a split never takes more than its own size.
"""

import contextlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tqdm

from redo_dopamine.errors import UserError
from redo_dopamine.offline import arrays, layout
from redo_dopamine.offline.transitions import Ring, num_repeated, records_of
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.records import RecordRing
from redo_dopamine.replay.segments import Contents
from redo_dopamine.replay.windows import WindowSettings


class Loaded(NamedTuple):
    """A data set in memory.

    Attributes:
        contents: frames and transitions.
        checksum: one number of all that was read.
    """

    contents: Contents
    checksum: int


def load(
    directory: Path, splits: Sequence[int] | None, settings: WindowSettings
) -> Loaded:
    """Read splits, one after the other.

    Args:
        directory: where their files are.
        splits: numbers; None for all that are there.
        settings: stack size, n and gamma.

    Raises:
        UserError: a file is missing, damaged or does not fit the others.
    """
    chosen = _choose(directory, splits)
    rings = [_read_ring(directory, split) for split in chosen]
    checksum = zlib.crc32(b"".join(column for ring in rings for column in _bytes(ring)))
    parts = []
    with contextlib.ExitStack() as opened:
        streams = [
            opened.enter_context(_open_frames(directory, split, ring))
            for split, ring in zip(chosen, rings, strict=True)
        ]
        rows = sum(ring.rows + num_repeated(ring, settings) for ring in rings)
        frames = _room_for(streams, rows)
        kind = RecordRing(1, rings[0].action.dtype, ()).dtype
        for split, ring, stream in zip(chosen, rings, streams, strict=True):
            parts.append(records_of(ring, settings, frames.end, kind))
            _add_frames(frames, stream, ring, settings, f"Split {split}")
            checksum = zlib.crc32(stream.checksum.to_bytes(4), checksum)
    records = np.concatenate(parts)
    if len(records) == 0:
        raise UserError(
            "A data set must hold a transition, but there is none in the "
            f"{len(frames)} rows of {directory}. Record more steps than "
            f"{sum(settings[:2])}, in episodes longer than that."
        )
    kept = RecordRing(len(records), kind["action"], ())
    kept.restore(records, len(records))
    return Loaded(Contents(frames, kept), checksum)


def _choose(directory: Path, splits: Sequence[int] | None) -> list[int]:
    there = layout.splits_in(directory)
    wanted = there if splits is None else list(splits)
    absent = [split for split in wanted if split not in there]
    if not wanted or absent:
        found = (
            f"{directory} has {there or 'none'}"
            if directory.is_dir()
            else (f"there is no directory {directory}")
        )
        raise UserError(
            "A run on fixed data needs splits of the DQN Replay layout, "
            f"{absent or 'any'} here, but {found}. Record some by 'python -m "
            "redo_dopamine.offline record', copy the game's files from "
            "gs://atari-replay-datasets/dqn, or bind replay_logs.root, replay_logs.run "
            "and replay_logs.splits."
        )
    return wanted


def _read_ring(directory: Path, split: int) -> Ring:
    missing = [x for x in layout.required_paths(directory, split) if not x.is_file()]
    if missing:
        raise UserError(
            f"A split must have all of its files, but split {split} in {directory} "
            f"lacks {', '.join(path.name for path in missing)}. Download or record it "
            "again, or leave it out of replay_logs.splits."
        )

    def column(name: str, kinds: str) -> np.ndarray:
        return arrays.read(layout.array_path(directory, name, split), kinds)

    terminal = column("terminal", "biuf").astype(bool)
    ends = layout.array_path(directory, layout.EPISODE_END, split)
    add_count = layout.note_path(directory, layout.ADD_COUNT, split)
    invalid = layout.note_path(directory, layout.INVALID_RANGE, split)
    ring = Ring(
        action=column("action", "iu"),
        reward=column("reward", "fiu"),
        terminal=terminal,
        episode_end=arrays.read(ends, "biu").astype(bool)
        if ends.is_file()
        else terminal,
        add_count=int(arrays.read(add_count, "iu")[0]),
        # Zeros with a fraction where nothing has been added yet.
        invalid_range=arrays.read(invalid, "iuf").astype(np.int64),
    )
    shapes = {name: getattr(ring, name).shape for name in ("action", "reward")}
    shapes |= {"terminal": terminal.shape, layout.EPISODE_END: ring.episode_end.shape}
    if len(set(shapes.values())) > 1 or terminal.ndim != 1 or ring.rows == 0:
        raise UserError(
            f"The arrays of a split must have one entry per row, but those of split "
            f"{split} in {directory} are of shapes {shapes}. Download or record it "
            "again."
        )
    _check_rows(directory, split, ring)
    if not ((ring.invalid_range >= 0) & (ring.invalid_range < ring.rows)).all():
        raise arrays.damaged(
            invalid, f"it names rows {ring.invalid_range.tolist()} of {ring.rows}"
        )
    return ring


def _check_rows(directory: Path, split: int, ring: Ring) -> None:
    """Refuse rows that would spoil the whole training, and name the first."""
    for name, wrong in (
        ("reward", ~np.isfinite(ring.reward.astype(np.float64))),
        ("action", ring.action < 0),
    ):
        rows = np.flatnonzero(wrong)
        if len(rows):
            value = getattr(ring, name)[rows[0]]
            raise arrays.damaged(
                layout.array_path(directory, name, split),
                f"row {rows[0]} of {ring.rows} has the {name} {value} "
                f"({len(rows)} such rows)",
            )


def _open_frames(directory: Path, split: int, ring: Ring) -> arrays.RowStream:
    path = layout.array_path(directory, "observation", split)
    stream = arrays.RowStream(path)
    if len(stream.shape) < 2 or stream.shape[0] != ring.rows:
        raise arrays.damaged(
            path, f"its array is of shape {stream.shape} for {ring.rows} actions"
        )
    return stream


def _room_for(streams: Sequence[arrays.RowStream], rows: int) -> FrameStore:
    """An empty store with room for frames of which no two have a strip in common."""
    kinds = {(stream.shape[1:], stream.dtype) for stream in streams}
    if len(kinds) > 1:
        raise UserError(
            f"All splits must have frames of one shape and type, but have {kinds}. "
            "Choose those that go together by replay_logs.splits."
        )
    [(shape, dtype)] = kinds
    one = FrameStore(shape, dtype)
    one.extend(np.zeros((1, *shape), dtype))
    return FrameStore(shape, dtype, num_bands=rows * one.bands_in_use)


def _add_frames(
    frames: FrameStore,
    stream: arrays.RowStream,
    ring: Ring,
    settings: WindowSettings,
    name: str,
) -> None:
    """The frames of every row, then `num_repeated` first ones once more."""
    repeated = np.empty((num_repeated(ring, settings), *frames.shape), frames.dtype)
    first = frames.end
    with tqdm.tqdm(
        total=ring.rows, desc=name, unit=" rows", leave=False, disable=None
    ) as progress:
        for block in stream.blocks():
            start = frames.end - first
            frames.extend(block)
            if start < len(repeated):
                part = block[: len(repeated) - start]
                repeated[start : start + len(part)] = part
            progress.update(len(block))
    frames.extend(repeated)


def _bytes(ring: Ring) -> list[bytes]:
    columns = (ring.action, ring.reward, ring.terminal, ring.episode_end)
    return [column.tobytes() for column in columns]
