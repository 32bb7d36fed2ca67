"""A study on this machine: `python launch/local.py --study=NAME --base_dir=DIR`.

It is `redo-dopamine launch local`, for a checkout.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from redo_dopamine.cli import process

    process.begin()  # Before what takes a second to import.
    from redo_dopamine.launch import local

    process.run(local.main)
