"""Compare the configuration of a checkpoint with the one asked for."""

from redo_dopamine.errors import UserError

_MAY_CHANGE = (
    # Asking for more of them than before is how a run is prolonged.
    "Runner.num_iterations",
    "LabelShuffle.num_epochs",
    "Distillation.num_epochs",
    "RegressionProbe.num_epochs",
    # The same data may lie elsewhere: a checksum tells whether they are the same.
    "fashion_mnist.data_dir",
    "cifar10.data_dir",
    "Distillation.lesson",
)
# With these changed it is another run, not the same one under other settings: the
# environment's state would be of another game, and a checkpoint holds its own seed.
_IDENTITY = (
    "create_atari_environment.game_name",
    "create_control_environment.environment_id",
    "create_minatar_environment.game_name",
    "Runner.create_environment_fn",
    "JaxDQNAgent.seed",
    "PPOAgent.seed",
    "SACAgent.seed",
    "Atari100kRainbowAgent.seed",
)


def parse_settings(config: str) -> dict[str, str]:
    """`{"scope/Name.parameter": "value"}` of an operative configuration string.

    A value that is a macro's is written out.
    """
    settings = {}
    for line in config.splitlines():
        name, separator, value = line.partition(" = ")
        if separator and not line.startswith("#"):
            settings[name.strip()] = value.strip()
    for name, value in settings.items():
        for _ in settings:  # A macro may be another one's; in a circle it stays.
            if not value.startswith("%"):
                break
            value = settings.get(value[1:], value)
        settings[name] = value
    return settings


def check_same_config(saved: str, current: str, checkpoint: str) -> None:
    """Refuse to go on from a checkpoint with other settings.

    Args:
        saved: operative configuration that the checkpoint was written under.
        current: the one asked for now.
        checkpoint: how the message names the checkpoint.

    Raises:
        UserError: they differ in more than the length and the place of the data.
    """
    changes = differences(saved, current)
    if changes:
        raise UserError(
            "A run must resume under the configuration it was started with, but "
            f"{checkpoint} was written under another one:\n"
            + "\n".join(changes)
            + "\nRestore these settings, or start a new run with another --base_dir."
        )


def check_allowed_changes(saved: str, current: str, checkpoint: str) -> list[str]:
    """Refuse only the changes that make it another run; returns the others.

    Args:
        saved: as in `check_same_config`.
        current: as there.
        checkpoint: as there.

    Raises:
        UserError: the game, the environment or the seed differs.
    """
    changes = differences(saved, current)
    identity = [x for x in changes if x.split(":")[0].strip().endswith(_IDENTITY)]
    if identity:
        raise UserError(
            "A run may change its settings with --allow_config_change, but not its "
            f"environment or seed, and those of {checkpoint} differ:\n"
            + "\n".join(identity)
            + "\nRestore these settings, or start a new run with another --base_dir."
        )
    return changes


def differences(saved: str, current: str) -> list[str]:
    """A line for each setting that differs, but for those that may."""
    before, now = parse_settings(saved), parse_settings(current)
    # An operative configuration has the defaults too, of what has been called so
    # far. So a setting that stands on one side only was not called yet, or belongs
    # to something whose own choice stands on both.
    return [
        f"  {name}: {before[name]} -> {now[name]}"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name] and not name.endswith(_MAY_CHANGE)
    ]
