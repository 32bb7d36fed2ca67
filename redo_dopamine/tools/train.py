"""Train one run: `redo-dopamine train --base_dir=DIR --gin_files=dqn_redo.gin`.

Takes Dopamine's flags; docs/training.md tells what a base directory holds after it. The
exit status is one of `redo_dopamine.errors`: 0 for a run that is complete.
"""

import sys
import textwrap
from typing import Any

from absl import flags

from redo_dopamine import errors
from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import process
from redo_dopamine.errors import UserError

_BASE_DIR = flags.DEFINE_string(
    "base_dir", None, "Directory of the run; made if missing, resumed if not."
)
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "Gin files: paths, or names that ship with the package."
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings",
    [],
    "Gin bindings that win over the files, e.g. 'RecycledDQNAgent.replay_ratio = 1'.",
)
_SCALE = command_line.define_number(
    "scale",
    1.0,
    "What part of its study's length this run is: noted in status.json, no more.",
    command_line.scale,
)
_STRICT = flags.DEFINE_bool(
    "strict",
    False,
    "Refuse settings that are bound and that nothing of this run reads; else they are "
    "listed at its start, and in run.json.",
)
_LIST = flags.DEFINE_bool(
    "list", False, "Show the gin files, games and interventions that there are."
)
_ALLOW_CONFIG_CHANGE = flags.DEFINE_bool(
    "allow_config_change",
    False,
    "Resume although settings differ from the checkpoint's: they are listed, and hold "
    "from then on. The game, the seed, and what the saved arrays do not fit stay an "
    "error.",
)
_ON_NAN = flags.DEFINE_enum(
    "on_nan",
    "stop",
    ["stop", "rollback"],
    "When a loss or parameter is NaN or infinite: stop with status "
    f"{errors.NOT_FINITE}, or go back to the last checkpoint and on with another "
    "data order, once.",
)
_DOPAMINE_CHECKPOINT = flags.DEFINE_string(
    "unpickle_dopamine_checkpoint",
    None,
    "Start a new run from a DQN checkpoint of Dopamine's own: a file ckpt.<n> or its "
    "directory. Such a file is a pickle: take none from anyone you do not trust.",
)


def __getattr__(name: str) -> Any:
    """`build_runner` and `train`, which were here before."""
    if name not in ("build_runner", "train"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from redo_dopamine import training

    return getattr(training, name)


def _checked_base_dir(argv: list[str]) -> str:
    if len(argv) > 1:
        raise UserError(
            f"Settings are given by flags, but {argv[1:]} are not flags. Write "
            "--gin_bindings='NAME = VALUE'."
        )
    if _BASE_DIR.value is None:
        raise UserError(
            "--base_dir must name the directory of the run, but is not given. Add "
            "--base_dir=DIR."
        )
    return command_line.given("--base_dir", _BASE_DIR.value)


def _listed() -> str:
    """What a run can be made of, a paragraph each."""
    from redo_dopamine.config import load, registry
    from redo_dopamine.environments import minatar

    names = [f"@{x.__name__}()" for x in registry.INTERVENTIONS]
    kinds = {
        "gin files (--gin_files)": load.shipped_configs(),
        f"interventions ({registry.RecycledDQNAgent.__name__}.intervention)": names,
        f"Atari games ({load.GAME})": load.atari_games(),
        "MinAtar games (create_minatar_environment.game_name)": minatar.GAMES,
    }
    fold = textwrap.TextWrapper(88, initial_indent="  ", subsequent_indent="  ")
    return "\n\n".join(
        f"{kind}:\n{fold.fill(', '.join(x))}" for kind, x in kinds.items()
    )


def main(argv: list[str], own_process: bool = False) -> None:
    """Entry point behind the flags; prepares the process if it is the command's own."""

    # What follows takes seconds: flags are checked, and help shown, first.
    def check() -> None:
        if not _LIST.value:
            _checked_base_dir(argv)

    if status := process.status_of(check):
        sys.exit(status)
    with process.importing():
        from redo_dopamine import training
    if _LIST.value:
        print(_listed())
        return
    if own_process:
        training.prepare(quiet=not flags.FLAGS["verbosity"].present)

    def train() -> None:
        base_dir = _checked_base_dir(argv)
        options = training.ResumeOptions(
            allow_config_change=_ALLOW_CONFIG_CHANGE.value,
            rollbacks=int(_ON_NAN.value == "rollback"),
            dopamine_checkpoint=command_line.optional(
                "--unpickle_dopamine_checkpoint", _DOPAMINE_CHECKPOINT.value
            ),
        )
        training.train_from(
            *(_GIN_FILES.value, _GIN_BINDINGS.value, base_dir, _SCALE.value, options),
            strict=_STRICT.value,
        )

    status = process.status_of_training(train, training.load.brief)
    if status != errors.COMPLETE:
        sys.exit(status)


def _in_its_own_process(argv: list[str]) -> None:
    main(argv, own_process=True)


def run() -> None:
    """The console script `redo-train`."""
    command_line.run(_in_its_own_process)


if __name__ == "__main__":
    run()
