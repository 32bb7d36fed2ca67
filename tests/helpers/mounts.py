"""Disks that are full or cannot be written, by mounts of the kernel's own."""

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def mounted(path, *options):
    """Mount something there while the block runs; skip the test where one may not."""
    command = ["mount", *options, str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        pytest.skip(f"Mounting is not permitted here: {said}")
    try:
        yield path
    finally:
        # Lazily: a thread of TensorFlow's may still have a file of events open.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def small_disk(path, megabytes=64):
    """A disk of that size at a directory."""
    path.mkdir()
    with mounted(path, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"):
        yield path


@contextlib.contextmanager
def read_only(path):
    """Nothing below a directory can be opened for writing, not even by root.

    What is open already goes on: the kernel does not take it from a process.
    """
    with mounted(path, "--bind", str(path)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(path)], check=True)
        yield path


def fill(disk):
    """Take all the space that a disk has; returns the file that has it."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return filler
