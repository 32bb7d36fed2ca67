"""The console script `redo-train`, which is prepared before its seconds of imports."""

from redo_dopamine.cli import process


def main() -> None:
    """Train, as `python -m redo_dopamine.train` does."""
    process.begin()
    from redo_dopamine import train

    train.run()
