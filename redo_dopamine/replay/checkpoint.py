"""Write checkpoints of a replay buffer, each with only what is new.

In `<checkpoint directory>/replay/`, a `state.<iteration>.json` lists the segments it
needs, `segment.<iteration>.<token>.npz`. A segment is never changed, nor its name
used again, so that a state means the same contents for as long as it is there.
"""

import collections
import contextlib
import json
import os
import re
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from dopamine.jax.replay_memory import replay_buffer

from redo_dopamine.replay.segments import Contents, Segment, readable, restore, segment
from redo_dopamine.replay.windows import Step, WindowFn, WindowSettings
from redo_dopamine.rundir import files
from redo_dopamine.rundir.files import atomic_write, write_text

FORMAT = 2
_STATE = re.compile(rf"state\.{files.NUMBER}\.json")
_SEGMENT = re.compile(rf"segment\.{files.NUMBER}\.[0-9a-f]+\.npz")


def _write_arrays(file: IO[bytes], arrays: Iterable[tuple[str, np.ndarray]]) -> int:
    """An .npz, one array in memory at a time, guarded by zip's checksums.

    Returns:
        What tells it from others.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        return _checksum(archive)


def _checksum(archive: zipfile.ZipFile) -> int:
    """Of the members' own, which are compared as each is read."""
    members = [(member.filename, member.CRC) for member in archive.infolist()]
    return zlib.crc32(repr(members).encode())


def _state_path(folder: Path, iteration: int) -> Path:
    return folder / f"state.{iteration}.json"


class Checkpoints:
    """Where one buffer was saved, and what of it lies there already."""

    def __init__(self) -> None:
        # By folder: the segments that the last state there consists of.
        self._written: dict[Path, list[dict[str, Any]]] = {}
        # The last states that were restored or written, at most two. A checkpoint may
        # still need the older one, whatever other states lie there.
        self._latest: list[int] = []

    def forget(self) -> None:
        """Start over: the contents have no part in common with those written."""
        self._written.clear()

    def save(
        self,
        directory: str | os.PathLike[str],
        iteration: int,
        state: dict[str, Any],
        contents: Contents | None,
        keep: int,
    ) -> None:
        """Write a state and the segment that it adds, then delete what is too old.

        Args:
            directory: a checkpoint directory; it is created if need be.
            iteration: number of the state.
            state: what to remember besides the contents, in JSON's terms.
            contents: of the buffer; None if it has never held anything.
            keep: how many states, up to this one, stay.
        """
        folder = Path(directory).resolve() / "replay"
        folder.mkdir(parents=True, exist_ok=True)
        parts = [] if contents is None else self._add(folder, iteration, contents)
        header = {} if contents is None else contents.header()
        text = json.dumps({"format": FORMAT, **state, **header, "segments": parts})
        write_text(_state_path(folder, iteration), text)
        self._written[folder] = parts
        if iteration not in self._latest:
            self._latest = [*self._latest[-1:], iteration]
        _clean(folder, {*self._latest}, iteration, keep)

    def _add(
        self, folder: Path, iteration: int, contents: Contents
    ) -> list[dict[str, Any]]:
        """Write what the folder lacks; returns the segments with live parts."""
        frames, records = contents
        parts = self._written.get(folder, [])
        if not all((folder / part["file"]).exists() for part in parts):
            parts = []
        seen = parts[-1] if parts else {"frames": [0, 0], "records": [0, 0]}
        first_frame = max(seen["frames"][1], frames.first)
        first_record = max(seen["records"][1], records.first)
        live = [
            part
            for part in parts
            if part["frames"][1] > frames.first or part["records"][1] > records.first
        ]
        if first_frame == frames.end and first_record == records.end:
            return live
        # A token, because a run that resumes comes by the same iterations again.
        name = f"segment.{iteration}.{secrets.token_hex(4)}.npz"
        arrays = segment(contents, first_frame, first_record)
        with atomic_write(folder / name) as file:
            checksum = _write_arrays(file, arrays)
        new = {
            "file": name,
            "crc": checksum,
            "frames": [first_frame, frames.end],
            "records": [first_record, records.end],
        }
        return [*live, new]

    def load(
        self,
        directory: str | os.PathLike[str],
        iteration: int,
        check: Callable[[dict[str, Any]], None],
        capacity: int,
    ) -> tuple[dict[str, Any], Contents | None]:
        """Read a state and its contents.

        Args:
            directory: the checkpoint directory.
            iteration: number of the state.
            check: called with the state; raises ValueError if it does not fit.
            capacity: of the buffer.

        Returns:
            What `save` was given, lists for tuples.

        Raises:
            FileNotFoundError: the state or one of its segments is not there.
            ValueError: a file is damaged, of a newer format, or does not fit.
        """
        folder = Path(directory).resolve() / "replay"
        path = _state_path(folder, iteration)
        with readable(path):
            state = files.read_json(path)
            version = int(state["format"])
        if version != FORMAT:
            raise ValueError(
                f"A replay checkpoint must be of format {FORMAT}, but {path} is of "
                f"format {version}. Load it with the version of redo-dopamine that "
                "wrote it."
            )
        check(state)
        with readable(path):
            parts = state["segments"]
            most = _most_bands(folder, parts)
            contents = (
                restore(
                    {**state, "bands": min(state["bands"], most)},
                    capacity,
                    _read(folder, parts),
                )
                if "frames" in state
                else None
            )
        self._written = {folder: parts}
        self._latest = [iteration]
        return state, contents


def _most_bands(folder: Path, parts: list[dict[str, Any]]) -> int:
    """How many bands the segments have room for: room for more need not be made.

    Raises:
        ValueError: a segment is in another directory.
    """
    names = [part["file"] for part in parts]
    if any(Path(name).name != name for name in names):
        raise ValueError("a segment is in another directory")
    # A band is at least one bit of one segment.
    return 8 * sum((folder / name).stat().st_size for name in names)


def _read(folder: Path, parts: list[dict[str, Any]]) -> Iterator[tuple[Path, Segment]]:
    for part in parts:
        path = folder / part["file"]
        with contextlib.ExitStack() as stack:
            with readable(path):
                file = stack.enter_context(files.open_archive(path))
                arrays = stack.enter_context(np.load(file, allow_pickle=False))
                # A version that did not note it passes.
                if part.get("crc") not in (None, _checksum(arrays.zip)):
                    raise ValueError("it is another one than was written")
            yield path, arrays


def _clean(folder: Path, stay: set[int], newest: int, keep: int) -> None:
    """Delete old states, then the segments that no state needs."""
    states = {int(match[1]): path for match, path in files.named(folder, _STATE)}
    # Higher numbers are of a run that was resumed from before; they count for none.
    numbers = sorted(number for number in states if number <= newest)
    for number in {*numbers[:-keep]} - stay:
        files.delete(states.pop(number))
    needed = set()
    for path in states.values():
        try:
            needed |= {p["file"] for p in files.read_json(path)["segments"]}
        except (OSError, ValueError, KeyError, TypeError):
            return  # Not known what it needs: delete nothing.
    for pattern, suffix in ((_SEGMENT, ""), (_SEGMENT, ".part"), (_STATE, ".part")):
        for _, path in files.named(folder, pattern, suffix):
            if path.name not in needed:
                files.delete(path)


class SavedReplay(replay_buffer.ReplayBuffer):
    """Save and load, for a buffer with the attributes below."""

    add_count: int
    _max_capacity: int
    _checkpoint_duration: int
    _settings: WindowSettings
    _windows: WindowFn
    _num_rewards: int
    _rng: np.random.Generator
    _trajectory: collections.deque[Step]
    _contents: Contents | None  # None until the first step shows the types.
    _checkpoints: Checkpoints

    def _state(self) -> dict[str, Any]:
        """What a checkpoint remembers besides the contents, in JSON's terms."""
        return {
            "settings": self._checked_settings(),
            "rng": self._rng.bit_generator.state,
            "trajectory": [
                step._replace(action=step.action.tolist()) for step in self._trajectory
            ],
        }

    def _checked_settings(self) -> dict[str, Any]:
        """The settings that a checkpoint must have in common with the buffer."""
        rewards = {"num_rewards": self._num_rewards} if self._num_rewards else {}
        return {
            **self._settings._asdict(),
            **rewards,
            "max_capacity": self._max_capacity,
            "windows": getattr(self._windows, "__name__", repr(self._windows)),
        }

    def _check(self, state: Mapping[str, Any]) -> None:
        own, saved = self._checked_settings(), state.get("settings")
        if own != saved:
            raise ValueError(
                f"A replay buffer must have the settings of its checkpoint, {saved}, "
                f"but has {own}. Resume with the settings that the run began with."
            )

    def _restore(self, state: Mapping[str, Any], contents: Contents | None) -> None:
        trajectory = []
        if contents is not None:
            action = contents.records.dtype["action"].base
            trajectory = [
                step._replace(action=np.asarray(step.action, action))
                for step in (Step(*values) for values in state["trajectory"])
            ]
        self._rng.bit_generator.state = state["rng"]
        self._trajectory.clear()
        self._trajectory.extend(trajectory)
        self._contents = contents
        self.add_count = 0 if contents is None else contents.records.end

    def save(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Write what is new since the last save into this directory.

        The newest `checkpoint_duration` states stay, with what they need.
        """
        self._checkpoints.save(
            checkpoint_dir,
            iteration_number,
            self._state(),
            self._contents,
            self._checkpoint_duration,
        )

    def load(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Restore a saved state; on an error the buffer stays as it was.

        Raises:
            FileNotFoundError: the state, or a file that it needs, is not there.
            ValueError: a file is damaged, of a newer format, or of other settings.
        """
        state, contents = self._checkpoints.load(
            checkpoint_dir, iteration_number, self._check, self._max_capacity
        )
        with readable(checkpoint_dir):
            self._restore(state, contents)

    def to_state_dict(self) -> dict[str, Any]:
        """Everything, as text and arrays of plain types."""
        state, arrays = self._state(), {}
        if self._contents is not None:
            state |= self._contents.header()
            arrays = dict(segment(self._contents, 0, 0))
        return {"state": json.dumps(state), "arrays": arrays}

    def from_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `to_state_dict` gave.

        Raises:
            ValueError: it is of other settings, or damaged.
        """
        with readable("the state dictionary"):
            state = json.loads(state_dict["state"])
        self._check(state)
        with readable("the state dictionary"):
            contents = None
            if "frames" in state:
                arrays = state_dict["arrays"]
                contents = restore(state, self._max_capacity, [("its arrays", arrays)])
            self._restore(state, contents)
        self._checkpoints.forget()
