"""Write and read checkpoints: arrays and JSON, whole or not there, newest first.

Files `checkpoint.<number>.npz`. Nothing here is ever unpickled.
"""

import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from redo_dopamine.errors import shortened
from redo_dopamine.rundir import files
from redo_dopamine.rundir.files import atomic_write

Arrays = Mapping[str, np.ndarray]

FORMAT = 1
NAME = re.compile(rf"checkpoint\.{files.NUMBER}\.npz")
_META = "meta.json"
_REPLAY = "replay_state"  # Size and CRC-32 of the replay buffer's state.


class DamagedCheckpointError(ValueError):
    """A checkpoint that is not what was written."""


def path_of(directory: str | os.PathLike[str], number: int) -> Path:
    """Where the checkpoint of that number lies."""
    return Path(directory) / f"checkpoint.{number}.npz"


def numbers(directory: str | os.PathLike[str]) -> list[int]:
    """Numbers of the checkpoints in a directory, newest first."""
    found = files.named(directory, NAME)
    return sorted((int(match[1]) for match, _ in found), reverse=True)


def replay_state(directory: str | os.PathLike[str], number: int) -> dict[str, Any]:
    """What a checkpoint's meta says of the replay buffer beside it; nothing for none.

    So that it is not restored with the buffer of another one.
    """
    path = Path(directory) / "replay" / f"state.{number}.json"
    try:
        content = files.read_bytes(path, files.LARGEST_JSON + 1)
    except FileNotFoundError:
        return {}
    return {_REPLAY: [len(content), zlib.crc32(content)]}


def check_replay_state(path: Path, meta: Mapping[str, Any]) -> None:
    """Check that the replay buffer beside a checkpoint is the one written with it.

    One that is missing, or a checkpoint of a version that did not note it, passes.

    Raises:
        DamagedCheckpointError: it is another one, or changed.
    """
    match = NAME.fullmatch(path.name)
    if match is None or _REPLAY not in meta:
        return
    try:
        found = replay_state(path.parent, int(match[1]))
    except OSError as error:
        raise DamagedCheckpointError(
            f"A replay buffer must be an ordinary file, but that of {path} cannot be "
            f"read ({error})."
        ) from error
    if found and found[_REPLAY] != meta[_REPLAY]:
        raise DamagedCheckpointError(
            f"A replay buffer must be the one written with its checkpoint, but what "
            f"{path} has in {path.parent / 'replay'} is another one, or was changed."
        )


def write(
    directory: str | os.PathLike[str], number: int, arrays: Arrays, meta: dict[str, Any]
) -> None:
    """Write a checkpoint.

    Args:
        directory: must be there.
        number: greater than that of every other checkpoint.
        arrays: by name.
        meta: what else there is to remember, in JSON's terms.

    Raises:
        OSError: it could not be written; those before it are as they were.
    """
    write_file(path_of(directory, number), arrays, meta)


def write_file(path: Path, arrays: Arrays, meta: dict[str, Any]) -> None:
    """Write a file of a checkpoint's format, whole or not at all.

    Raises:
        OSError: it could not be written; what was there before is as it was.
    """
    header = {"format": FORMAT, "arrays": list(arrays), **meta}
    with (
        atomic_write(path) as file,
        # A zip, so that each member has a checksum, and NumPy reads it.
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        # Named by its own: a name alone gets the time, and zip knows none before 1980.
        archive.writestr(zipfile.ZipInfo(_META), json.dumps(header))
        for index, array in enumerate(arrays.values()):
            with archive.open(f"{index}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays by name, and what was given as `meta`.

    Args:
        path: from `path_of`, or what `write_file` was given.

    Raises:
        DamagedCheckpointError: the file is not whole.
        ValueError: its format is newer.
    """
    try:
        with files.open_archive(path) as file, zipfile.ZipFile(file) as archive:
            meta = json.loads(archive.read(_META))
            version, names = int(meta.pop("format")), _names(meta.pop("arrays"))
            if version == FORMAT:
                arrays = {x: _read_array(archive, i) for i, x in enumerate(names)}
    # Damaged bytes lead zip, JSON and NumPy to whatever they raise.
    except Exception as error:
        raise DamagedCheckpointError(
            f"A checkpoint must be whole, but {path} cannot be read "
            f"({type(error).__name__}: {shortened(error)})."
        ) from error
    if version != FORMAT:
        raise ValueError(
            f"A checkpoint must be of format {FORMAT}, but {path} is of format "
            f"{shortened(version)}. Use the version of redo-dopamine that wrote it."
        )
    return arrays, meta


def check_meta(
    meta: Mapping[str, Any],
    path: Path,
    counts: Sequence[str] = (),
    also: Sequence[str] = (),
) -> None:
    """Check that a checkpoint says where its run stands, in the form of its kind.

    Args:
        meta: what it says: its settings, how far `metrics.csv` was, and more.
        path: of the checkpoint.
        counts: names of more numbers that it must have.
        also: what else is known to be wrong.

    Raises:
        DamagedCheckpointError: it does not.
    """
    meta = {"metrics_crc": 0, **meta}  # What versions may lack.
    counts = (*counts, "metrics_size", "metrics_crc")
    wrong = [x for x in counts if type(meta.get(x)) is not int or meta[x] < 0]
    if not isinstance(meta.get("config"), str):
        wrong.append("config")
    wrong.extend(also)
    if wrong:
        raise DamagedCheckpointError(
            f"A checkpoint must say where its run stands, but {path} lacks it or has "
            f"it in another form ({'; '.join(wrong)})."
        )


def _names(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
        raise TypeError("the names of its arrays are no list of text")
    return names


def _read_array(archive: zipfile.ZipFile, index: int) -> np.ndarray:
    with archive.open(f"{index}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # To the end, where the checksum is compared.
        return array


def checksum(arrays: Arrays) -> int:
    """Tells arrays with these names, in this order, from others."""
    found = 0
    for name, array in arrays.items():
        found = zlib.crc32(name.encode(), found)
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return found


def flatten(tree: Any, prefix: str) -> Arrays:
    """The leaves of a pytree by name; they may be arrays, numbers or text."""
    import jax  # Here, so that a report, which has no trees, does without.

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    keystr = jax.tree_util.keystr
    return {f"{prefix}{keystr(path)}": np.asarray(leaf) for path, leaf in leaves}


def unflatten(template: Any, arrays: Arrays, prefix: str) -> Any:
    """A tree from `flatten`, with numpy arrays for leaves.

    Args:
        template: a tree of the same structure.
        arrays: by name; others among them are passed over.
        prefix: as it was given to `flatten`.

    Raises:
        ValueError: the arrays are not those of such a tree.
    """
    expected = flatten(template, prefix)
    saved = {name: x for name, x in arrays.items() if name.startswith(prefix)}
    if saved.keys() != expected.keys():
        raise ValueError(
            "A checkpoint must hold the arrays of this run's agent, but it lacks "
            f"{sorted(expected.keys() - saved.keys())} and has "
            f"{sorted(saved.keys() - expected.keys())} besides. Restore the settings "
            "of that run."
        )
    unlike = [
        f"{name} is {_kind(x)} there and {_kind(expected[name])} here"
        for name, x in saved.items()
        if _kind(x) != _kind(expected[name])
    ]
    if unlike:
        raise ValueError(
            "A checkpoint must hold arrays of the shapes of this run's agent, but "
            f"{'; '.join(unlike)}. Restore the settings of that run."
        )
    import jax

    leaves = [saved[name] for name in expected]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _kind(array: np.ndarray) -> str:
    """Shape and type; not how long a text is."""
    kind = "text" if array.dtype.kind == "U" else array.dtype.name
    return f"{kind}{list(array.shape)}"


def delete_all_but(directory: str | os.PathLike[str], keep: int) -> None:
    """Delete the oldest checkpoints, and what an interrupted one left."""
    old = [path_of(directory, number) for number in numbers(directory)[keep:]]
    parts = [path for _, path in files.named(directory, NAME, ".part")]
    for path in [*old, *parts]:
        files.delete(path)
