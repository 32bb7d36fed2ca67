"""From the files of a data set to frames and transitions, a block at a time.

What comes in: a directory of splits. What leaves: the contents of a replay buffer.
Frames go from the file into the store block by block, where each strip of a picture
that did not change is kept once; room is made for all of them at once, which the
system hands out as it is used. So a split never takes more than its own size.
"""

import contextlib
import zlib
from collections.abc import Mapping, Sequence
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
        largest_action: that there is in any row.
        its_place: the row and file of that action, for messages.
    """

    contents: Contents
    checksum: int
    largest_action: int
    its_place: str


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
    largest = _largest_action(directory, dict(zip(chosen, rings, strict=True)))
    return Loaded(Contents(frames, kept), checksum, *largest)


def _largest_action(directory: Path, rings: Mapping[int, Ring]) -> tuple[int, str]:
    """That of all rows that are written, and where it is."""
    action, split, row = max(
        (int(column.max()), -split, -int(column.argmax()))
        for split, ring in rings.items()
        if len(column := ring.action[: ring.num_written])
    )
    path = layout.array_path(directory, "action", -split)
    return action, f"row {-row} of {path}"


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

    def path_of(name: str) -> Path:
        return layout.array_path(directory, name, split)

    kinds = {"action": "iu", "reward": "fiu", "terminal": "biuf"}
    if path_of(layout.EPISODE_END).is_file():
        kinds[layout.EPISODE_END] = "biu"
    columns = {name: arrays.read(path_of(name), kind) for name, kind in kinds.items()}
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or columns["action"].ndim != 1:
        raise UserError(
            f"The arrays of a split must have one entry per row, but those of split "
            f"{split} in {directory} are of shapes {shapes}. Download or record it "
            "again."
        )
    terminal = columns["terminal"].astype(bool)
    ring = Ring(
        action=columns["action"],
        reward=columns["reward"],
        terminal=terminal,
        episode_end=columns.get(layout.EPISODE_END, terminal).astype(bool),
        add_count=_add_count(directory, split),
        invalid_range=_invalid_range(directory, split, len(terminal)),
    )
    _check_rows(directory, split, ring.num_written, columns)
    return ring


def _add_count(directory: Path, split: int) -> int:
    path = layout.note_path(directory, layout.ADD_COUNT, split)
    found = arrays.read(path, "iu")
    if found.shape != (1,) or found[0] < 0:
        raise arrays.damaged(path, f"it is no number >= 0, but {found.tolist()}")
    return int(found[0])


def _invalid_range(directory: Path, split: int, rows: int) -> np.ndarray:
    path = layout.note_path(directory, layout.INVALID_RANGE, split)
    # Zeros with a fraction where nothing has been added yet.
    found = arrays.read(path, "iuf")
    if found.ndim != 1 or not ((found >= 0) & (found < rows)).all():
        raise arrays.damaged(path, f"it names rows {found.tolist()} of {rows}")
    return found.astype(np.int64)


def _check_rows(
    directory: Path, split: int, written: int, columns: Mapping[str, np.ndarray]
) -> None:
    """Refuse rows that would spoil the whole training, and name the first.

    Rows that are not written yet may have anything.
    """
    with np.errstate(over="ignore"):
        finite = np.isfinite(columns["reward"].astype(np.float32))
    wrong = {"reward": ~finite, "action": columns["action"] < 0}
    for name in columns.keys() - wrong.keys():
        wrong[name] = (columns[name] != 0) & (columns[name] != 1)
    if layout.EPISODE_END in columns:
        ends = columns[layout.EPISODE_END]
        wrong[layout.EPISODE_END] |= (columns["terminal"] == 1) & (ends == 0)
    for name, column in columns.items():
        rows = np.flatnonzero(wrong[name][:written])
        if len(rows):
            raise arrays.damaged(
                layout.array_path(directory, name, split),
                f"row {rows[0]} of {len(column)} has the {name} {column[rows[0]]} "
                f"({len(rows)} such rows)",
            )


def _open_frames(directory: Path, split: int, ring: Ring) -> arrays.RowStream:
    path = layout.array_path(directory, "observation", split)
    stream = arrays.RowStream(path)
    if len(stream.shape) < 2 or stream.shape[0] != ring.rows:
        raise arrays.damaged(
            path, f"its array is of shape {stream.shape} for {ring.rows} actions"
        )
    if stream.dtype != np.uint8:
        raise arrays.damaged(path, f"its pixels are {stream.dtype}, not uint8")
    try:
        FrameStore(stream.shape[1:], stream.dtype)
    except ValueError as error:
        raise arrays.damaged(path, error) from error
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
