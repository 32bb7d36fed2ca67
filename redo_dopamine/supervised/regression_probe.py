"""The regression probe: `python -m redo_dopamine.supervised.regression_probe`.

What comes in: the flags of every experiment (`command`); for an aged network, the runs
of a study of PPO. What leaves: a run's directory.
"""

from collections.abc import Sequence

import gin

from redo_dopamine.cli import process
from redo_dopamine.supervised import command, gin_names
from redo_dopamine.supervised.probing import RegressionProbe

_ENVIRONMENT = "RegressionProbe.environment_id"


def _make() -> command.Made:
    environment = gin.query_parameter(_ENVIRONMENT)
    return command.Made(gin_names.experiment(RegressionProbe), str(environment))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command.parser(
        "regression_probe", "Fit a fresh or an aged value network to a regression task."
    )
    return command.main(
        parser,
        arguments,
        lambda options: gin_names.load(options.gin_files, options.gin_bindings),
        _make,
    )


if __name__ == "__main__":
    process.run(main)
