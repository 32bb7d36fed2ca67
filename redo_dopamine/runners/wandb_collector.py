"""Hand statistics to Weights & Biases, beside `metrics.csv` and TensorBoard.

`CollectorDispatcher.collectors = ('csv', 'tensorboard', 'wandb')` asks for it. Whatever
else is to be said to W&B, its environment variables say: WANDB_MODE, WANDB_PROJECT, ...
"""

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gin
from dopamine.metrics import collector, statistics_instance

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files

NAME = "wandb"
_PROJECT = "redo_dopamine"
_RUN_ID = "run_id"


class WandbCollector(collector.Collector):
    """Logs every scalar against the run's clock; a resumed run is the same one there.

    Its files, and the run's id, are in `<base_dir>/metrics/wandb/`.

    Args:
        base_dir: the run's directory.
        clock: tells where the run is, as a named tuple.

    Raises:
        UserError: wandb is not installed, or cannot begin.
    """

    def __init__(self, base_dir: str, clock: Callable[[], Any]):
        # Before anything is made. A directory called wandb can be imported too, but has
        # neither.
        try:
            from wandb import Error, init
        except ImportError as error:
            raise UserError(
                f"CollectorDispatcher.collectors has {NAME!r}, which needs wandb, but "
                f"it is not installed here: {error}. Run: pip install "
                "'redo-dopamine[wandb]'"
            ) from error
        super().__init__(base_dir)
        self._clock = clock
        try:
            self._run: Any = init(
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=Path(base_dir).resolve().name,
                id=_run_id(Path(self._base_dir)),
                resume="allow",
                dir=self._base_dir,
                config=_settings(),
            )
        except Error as error:
            raise UserError(
                f"Weights & Biases must take the run, but does not: {error} Log in, "
                "or set WANDB_MODE=offline."
            ) from error
        for name in ("iteration", "agent_step", "gradient_step"):
            self._run.define_metric(name, hidden=True)
        self._run.define_metric("*", step_metric="agent_step")

    def get_name(self) -> str:
        """The name by which `CollectorDispatcher.collectors` asks for it."""
        return NAME

    def write(
        self, statistics: Sequence[statistics_instance.StatisticsInstance]
    ) -> None:
        """Log the scalars, at once."""
        found = {x.name: float(x.value) for x in statistics if self.check_type(x.type)}
        if found:
            self._run.log({**self._clock()._asdict(), **found})

    def flush(self) -> None:
        """Do nothing: W&B sends by itself."""

    def close(self) -> None:
        """Tell W&B that the run is complete, and wait for it."""
        self._run.finish()


def _run_id(directory: Path) -> str:
    """The id of the run, drawn when it is first asked for."""
    path = directory / _RUN_ID
    if not path.exists():
        files.write_text(path, secrets.token_hex(8))
    return path.read_text().strip()


def _settings() -> dict[str, str]:
    """What gin has bound, by name."""
    return {
        f"{selector.rpartition('.')[2]}.{parameter}": str(value)
        for (_, selector), bound in gin.config._CONFIG.items()
        for parameter, value in bound.items()
    }
