"""Arms, protocols, games and seeds that studies share."""

from collections.abc import Iterable, Mapping

from redo_dopamine.studies.study import (
    EPOCHS,
    Arm,
    PaperScore,
    Protocol,
    Setting,
    whole_phases,
)

# Sokar et al., ICML 2023 (arXiv 2302.12902), for DQN.
DQN_GAMES = (
    *("Asterix", "DemonAttack", "Seaquest", "WizardOfWor", "BeamRider", "RoadRunner"),
    *("Jamesbond", "Qbert", "Breakout", "Enduro", "SpaceInvaders", "Pong", "Zaxxon"),
    *("YarsRevenge", "MsPacman", "DoubleDunk", "IceHockey"),
)
# Kaiser et al., 2020. As `runners.atari_100k.GAMES`, which imports an agent.
ATARI_100K_GAMES = (
    *("Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing"),
    *("Breakout", "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway"),
    *("Frostbite", "Gopher", "Hero", "Jamesbond", "Kangaroo", "Krull", "KungFuMaster"),
    *("MsPacman", "Pong", "PrivateEye", "Qbert", "RoadRunner", "Seaquest", "UpNDown"),
)
FIVE_SEEDS = tuple(range(5))
TEN_SEEDS = tuple(range(10))


def protocol(
    experiment: str,
    module: str,
    data: str,
    num_epochs: int,
    iteration_steps: int,
    phases: int = 1,
) -> Protocol:
    """Runs of an experiment of `redo_dopamine.supervised`.

    Args:
        experiment: its gin name.
        module: what executes it, of that package.
        data: gin binding of the data, with braces in the place of their name.
        num_epochs: the experiment's own default.
        iteration_steps: gradient updates of an epoch.
        phases: equal parts of a run, none of which is lost where it is shortened.
    """
    length = f"{experiment}.num_epochs"
    return Protocol(
        agent=experiment,
        clocks={length: num_epochs},
        target_gradient_steps=None,
        module=f"redo_dopamine.supervised.{module}",
        seed=f"{experiment}.seed",
        game=data,
        num_iterations=length,
        iteration_steps=iteration_steps,
        unit=EPOCHS,
        shorten=whole_phases(phases),
        score=None,
    )


def arm(
    name: str,
    label: str,
    settings: Mapping[str, Setting],
    series: str | None = None,
    x: float | None = None,
    speed: str = "nature",
) -> Arm:
    """An arm where no agent acts: a module's defaults, and these settings.

    Args:
        name: see `Arm`.
        label: see `Arm`.
        settings: see `Arm`.
        series: see `Arm`; None for one of its own.
        x: see `Arm`.
        speed: see `Arm`.
    """
    return Arm(
        name=name,
        label=label,
        gin_file=None,
        replay_ratio=None,
        settings=settings,
        series=series or label,
        x=x,
        speed=speed,
    )


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
