"""A study's settings at a fraction of its length: pure functions of (study, scale).

Lengths, warm-up, the decay of ε, all periods, evaluation and the replay buffer shrink
together, each by the factor and never below its floor. A scaled run shows that the
machinery works; its returns say nothing about the paper's. What a gin file sets is
read as text, without gin.
"""

import contextlib
import functools
import re
from collections.abc import Mapping
from pathlib import Path

from redo_dopamine.errors import UserError, shortened
from redo_dopamine.studies.study import (
    TRAINING_STEPS,
    Arm,
    Length,
    Setting,
    Study,
    shrink,
)

_PACKAGE = Path(__file__).parent.parent
# Beside the modules where the package is installed, one up in a checkout.
SHIPPED = next(
    path
    for path in (_PACKAGE / "gin_configs", _PACKAGE.parent / "gin_configs")
    if path.is_dir()
)
_INCLUDE = re.compile(r"\s*include\s+['\"](.+?)['\"]")
_BINDING = re.compile(r"([\w./]+)\s*=\s*(.+?)\s*(?:#.*)?")

TARGET_PERIOD = "JaxDQNAgent.target_update_period"
# What shrinks, and to what at least.
FLOORS = {
    # Agent steps. An episode that is cut off early has no return to speak of.
    "Runner.max_steps_per_episode": 1_000,
    "Runner.evaluation_steps": 1_000,
    "JaxDQNAgent.min_replay_history": 100,  # A batch, and the steps of a return.
    "JaxDQNAgent.epsilon_decay_period": 10,
    "JaxDQNAgent.summary_writing_frequency": 20,
    # Gradient steps.
    "RecycledDQNAgent.tracking_period": 10,
    "RecycledDrQEpsAgent.tracking_period": 10,
    "SACAgent.min_replay_history": 100,
    "SACAgent.summary_writing_frequency": 20,
    "RecycledSACAgent.tracking_period": 10,
    "RecycledPPOAgent.tracking_period": 320,  # One rollout.
    "create_optimizer.anneal_steps": 320,
    "redo.period": 10,
    "redo_at_random.period": 10,
    "layer_reset.period": 10,
    "fixed_budget.period": 10,
    "prune.period": 10,
    "cosine.stop": 10,
    # Epochs.
    "RegressionProbe.first_epochs": 1,
    "LabelShuffle.shuffle_every": 1,
    # Transitions, episodes.
    "ReplayBuffer.max_capacity": 1_000,
    "Atari100kRunner.num_eval_episodes": 2,
}
# Gradient steps between two synchronizations of the target network are a multiple of
# this, so that at replay ratios up to 2 the period in agent steps is a whole multiple
# of an update period of 4, and the same number of gradient steps in every arm.
_TARGET_UNIT, _LEAST_TARGET_STEPS = 8, 16


def check_scale(scale: float) -> None:
    """Refuse a scale that shortens nothing or leaves nothing.

    Raises:
        UserError: it is not in (0, 1].
    """
    if not 0 < scale <= 1:
        raise UserError(
            f"--scale must be in (0, 1], where 1 is the study's length, but is {scale}."
        )


def run_length(study: Study, scale: float = 1.0) -> Length:
    """The length of one run of a study."""
    check_scale(scale)
    full = study.full_length
    return full if scale == 1 else study.protocol.shorten(full, scale)


def arm_settings(study: Study, arm: Arm, scale: float = 1.0) -> dict[str, Setting]:
    """The gin settings of an arm that its gin file does not have already.

    Args:
        study: which says the lengths and periods of the agent.
        arm: one of its arms.
        scale: what part of the study's length to run, in (0, 1].

    Returns:
        Values by gin name, the game and the seed not among them.

    Raises:
        UserError: a scale out of its range.
    """
    length = run_length(study, scale)
    clocks = dict(study.protocol.clocks)
    clocks[study.protocol.num_iterations] = length.num_iterations
    if TRAINING_STEPS in clocks:
        clocks[TRAINING_STEPS] = length.training_steps
    target_steps = arm.target_gradient_steps or study.protocol.target_gradient_steps
    if target_steps is not None and arm.replay_ratio is not None:
        clocks[TARGET_PERIOD] = _target_period(target_steps, arm.replay_ratio, scale)
    for name in clocks.keys() & FLOORS.keys():
        clocks[name] = _scaled(name, clocks[name], scale)
    # What a file does not set is sent, whatever the protocol says that it is.
    in_file = study.protocol.clocks if arm.gin_file is None else _numbers(arm.gin_file)
    ratio = f"{study.protocol.agent}.replay_ratio"
    return {
        **({} if arm.replay_ratio is None else {ratio: arm.replay_ratio}),
        **{
            name: _scaled(name, value, scale)
            if name in FLOORS and isinstance(value, int)
            else value
            for name, value in arm.settings.items()
        },
        **{name: x for name, x in clocks.items() if x != in_file.get(name)},
    }


def arm_bindings(study: Study, arm: Arm, scale: float = 1.0) -> tuple[str, ...]:
    """`arm_settings` as gin bindings, after a comment if they are scaled."""
    note = () if scale == 1 else (f"# Scaled: {scale:g} of the study's length.",)
    settings = arm_settings(study, arm, scale)
    return (*note, *(f"{name} = {value}" for name, value in settings.items()))


def equal_arms(study: Study, scale: float) -> list[tuple[str, ...]]:
    """Names of arms that the floors of a small scale have made the same."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for arm in study.arms:
        key = (arm.gin_file or "", *sorted(arm_bindings(study, arm, scale)))
        groups.setdefault(key, []).append(arm.name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def _target_period(gradient_steps: int, replay_ratio: float, scale: float) -> int:
    if scale != 1:
        units = round(gradient_steps * scale / _TARGET_UNIT)
        gradient_steps = max(_LEAST_TARGET_STEPS, units * _TARGET_UNIT)
    return round(gradient_steps / replay_ratio)


def _scaled(name: str, value: int, scale: float) -> int:
    return value if scale == 1 else min(value, max(FLOORS[name], shrink(value, scale)))


def find(name: str) -> Path | None:
    """The file of a path or of the name of a shipped file; None without one."""
    return next((x for x in (Path(name), SHIPPED / name) if x.is_file()), None)


def _numbers(name: str) -> dict[str, int]:
    found = {}
    for setting, value in bindings(name).items():
        with contextlib.suppress(ValueError):
            found[setting] = int(value)
    return found


@functools.cache
def bindings(name: str) -> Mapping[str, str]:
    """What a gin file and those it includes set, as text by gin name.

    Args:
        name: of a shipped file, or a path; of another nothing is known.

    Raises:
        UserError: it includes itself.
    """
    return _bindings(name, ())


def _bindings(name: str, above: tuple[str, ...]) -> dict[str, str]:
    if name in above:
        raise UserError(
            "Gin files must not include each other in a circle, but "
            f"{shortened(name)} includes itself. Remove one of its includes."
        )
    path, found = find(name), dict[str, str]()
    for line in path.read_text("utf-8", "replace").splitlines() if path else ():
        if include := _INCLUDE.match(line):
            found.update(_bindings(include[1], (*above, name)))
        elif binding := _BINDING.fullmatch(line):
            found[binding[1]] = binding[2]
    return found
