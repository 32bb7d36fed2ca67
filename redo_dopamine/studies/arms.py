"""Arms that several studies share."""

from collections.abc import Iterable, Mapping

from redo_dopamine.studies.study import Arm, PaperScore, Setting

# ReDo as the paper sets it in all but its default setting. The period is in gradient
# steps; an arm names the one of its intervention even where the gin file has it, so
# that the launch can scale it.
REDO: Mapping[str, Setting] = {"redo.tau": 0.1, "redo.period": 1_000}


def replay_ratio_sweep(
    ratios: tuple[float, ...],
    agent: str,
    gin_stem: str,
    prefix: str = "dqn",
    speed: str = "nature",
) -> tuple[Arm, ...]:
    """An agent with and without ReDo at each replay ratio.

    Args:
        ratios: gradient updates per agent step.
        agent: how figures call it, such as "DQN".
        gin_stem: of `<stem>.gin` and `<stem>_redo.gin`.
        prefix: begins the names of the arms without ReDo.
        speed: see `Arm`.
    """
    plain = [
        Arm(
            name=f"{prefix}_rr{ratio:g}",
            label=f"{agent}, RR {ratio:g}",
            gin_file=f"{gin_stem}.gin",
            replay_ratio=ratio,
            settings={},
            series=agent,
            x=ratio,
            speed=speed,
        )
        for ratio in ratios
    ]
    redo = [
        Arm(
            name=f"redo_rr{ratio:g}",
            label=f"{agent} + ReDo, RR {ratio:g}",
            gin_file=f"{gin_stem}_redo.gin",
            replay_ratio=ratio,
            settings=REDO,
            series=f"{agent} + ReDo",
            x=ratio,
            speed=speed,
        )
        for ratio in ratios
    ]
    return (*plain, *redo)


def dqn() -> Arm:
    """DQN at replay ratio 1, without any intervention."""
    return Arm("dqn", "DQN", "dqn.gin", 1, {}, "DQN")


def redo() -> Arm:
    """DQN with ReDo at replay ratio 1."""
    return Arm("redo", "DQN + ReDo", "dqn_redo.gin", 1, REDO, "DQN + ReDo")


def scores(
    names: str, *values: float | tuple[float, float, float]
) -> tuple[PaperScore, ...]:
    """The paper's scores, one per name: an IQM, or an IQM and its interval."""
    pairs = zip(names.split(), values, strict=True)
    return tuple(
        PaperScore(name, *(value if isinstance(value, tuple) else (value,)))
        for name, value in pairs
    )


def scores_of(
    arms: Iterable[Arm], paper: Iterable[PaperScore]
) -> tuple[PaperScore, ...]:
    """Those of the paper's scores that are of these arms, by name."""
    names = {arm.name for arm in arms}
    return tuple(score for score in paper if score.arm in names)
