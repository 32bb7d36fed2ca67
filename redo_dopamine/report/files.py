"""Writes the files of a report.

In: bytes, text or figures. Out: files that a reader sees either as they were before
or whole, and images whose bytes depend on the figure alone.
"""

import base64
import io
import os
import tempfile
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from redo_dopamine.rundir import files

_DPI = 160


def make_directory(path: Path) -> None:
    """Makes a directory, if it is not there; a link to one is refused.

    Raises:
        OSError: it cannot be made, or is a link.
    """
    if path.is_symlink():
        raise files.NotOrdinaryError(path, "a link", "directory")
    path.mkdir(exist_ok=True)


def encode(text: str) -> bytes:
    """Returns a text as UTF-8; what is no text in it, as in a file's name, escaped."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: Path, content: bytes) -> None:
    """Replaces a file whole: a reader sees the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as temporary:
            temporary.write(content)
        # mkstemp makes a file for its owner alone; a report is for everyone who
        # may read the directory.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def png(figure: Figure) -> bytes:
    """Returns a figure as PNG; the same figure gives the same bytes."""
    image = io.BytesIO()
    # No software version in the file.
    figure.savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    return image.getvalue()


def svg(figure: Figure) -> bytes:
    """Returns a figure as SVG; the same figure gives the same bytes."""
    image = io.BytesIO()
    # No date in the file, and names of its parts that are not random.
    with rc_context({"svg.hashsalt": "redo_dopamine"}):
        figure.savefig(image, format="svg", metadata={"Date": None, "Creator": None})
    return image.getvalue()


def data_uri(image: bytes) -> str:
    """Returns a PNG as the address of an image that a page contains."""
    return f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"
