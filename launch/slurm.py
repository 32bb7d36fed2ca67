"""A study on a Slurm cluster: `python launch/slurm.py --study=NAME --base_dir=DIR`.

It is `redo-dopamine launch slurm`, for a checkout.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from redo_dopamine.cli import process

    process.begin()  # Before what takes a second to import.
    from redo_dopamine.launch.slurm import submit

    process.run(submit.main)
