"""A study of somebody's own: every field of another type or out of its range is refused
before anything is written."""

import dataclasses
import subprocess
import sys
import typing

import pytest

from redo_dopamine.environments import minatar as environments
from redo_dopamine.errors import UserError
from redo_dopamine.studies import STUDIES, plan, record, rules, scaling
from redo_dopamine.studies.catalogue import he2026, minatar
from redo_dopamine.studies.study import DQN, Arm, PaperDormancy, PaperScore, Study

ARM = Arm("dqn", "DQN", "dqn.gin", 1, {}, "DQN", 1)
STUDY = Study(
    "mine",
    "a claim",
    "ours",
    "an axis",
    (ARM, dataclasses.replace(ARM, name="redo", label="DQN + ReDo")),
    ("Pong",),
    (0, 1),
    10_000_000,
    paper=(PaperScore("dqn", 0.3),),
    paper_dormancy=(PaperDormancy("dqn", "Pong", 1, 2, None),),
)
# One of them at least is of another type than any field.
WRONG = (None, 3.5, "text", b"x", (1, None), [1], {1: 2}, object(), {"a": object()})


def with_arm(**fields):
    return dataclasses.replace(STUDY, arms=(dataclasses.replace(ARM, **fields),))


def with_first(kind, field, value):
    part = dataclasses.replace(getattr(STUDY, kind)[0], **{field: value})
    return dataclasses.replace(STUDY, **{kind: (part,)})


def fits(value, hint):
    """Whether a value may be of a type, as far as these fields go."""
    if typing.get_origin(hint) in (tuple, list) or "tuple" in str(hint):
        return False
    return value is None and type(None) in typing.get_args(hint)


def wrong_types():
    """Every field of a study and of its parts, with values that it cannot have."""
    for kind in (None, "arms", "paper", "paper_dormancy"):
        part = STUDY if kind is None else getattr(STUDY, kind)[0]
        hints = typing.get_type_hints(type(part))
        for field, hint in hints.items():
            for value in WRONG:
                if fits(value, hint) or (value == "text" and "str" in str(hint)):
                    continue
                if value == 3.5 and "float" in str(hint):
                    continue
                yield pytest.param(
                    kind, field, value, id=f"{kind}-{field}-{value!r:.12}"
                )


@pytest.mark.parametrize(("kind", "field", "value"), wrong_types())
def test_a_field_of_another_type(kind, field, value):
    if kind is None:
        study = dataclasses.replace(STUDY, **{field: value})
    else:
        study = with_first(kind, field, value)
    with pytest.raises(UserError, match=rf"{field} must be"):
        rules.check(study, "mine.py", plan.SPEEDS)


NAMES = ("", " ", ".", "..", "../up", "a/b", "a\0", "a\nb", "\x1b[31m", "x" * 300)
RATIOS = (0, -1, 1e-300, float("nan"), float("inf"), 10**400)


def with_protocol(**fields):
    protocol = dataclasses.replace(STUDY.protocol, **fields)
    return dataclasses.replace(STUDY, protocol=protocol)


def with_clocks(**clocks):
    named = {f"Runner.{name}": value for name, value in clocks.items()}
    return with_protocol(clocks={**STUDY.protocol.clocks, **named})


def with_unit(**fields):
    return with_protocol(unit=dataclasses.replace(STUDY.protocol.unit, **fields))


def fail(*arguments):
    raise ZeroDivisionError("out of luck")


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError


def fail_unspeakably(*arguments):
    raise UnspeakableError


FUNCTIONS = (
    *(fail, fail_unspeakably, lambda: 1),
    *(lambda *_, x=x: x for x in (None, "x", 0, -1, 1.5, float("nan"), 10**400)),
)
INF = float("inf")
DECIDED = (
    "create_atari_environment.game_name",
    "JaxDQNAgent.target_update_period",
    "RecycledDQNAgent.replay_ratio",
)
VALUES = [
    *(with_protocol(module=x) for x in ("", "os; rm", "no.such.module", ".", "a b")),
    *(with_protocol(seed=x) for x in ("", "no such", "seed", "a.b c")),
    *(with_protocol(num_iterations=x) for x in ("", "bad name", "Runner.nothing")),
    *(with_protocol(game=x) for x in ("", "g", "{", "{x}", "{}{}", "{0.a}", "{} }")),
    *(with_protocol(iteration_steps=x) for x in (0, -7, 10**30)),
    *(with_protocol(target_gradient_steps=x) for x in (0, -3)),
    with_protocol(score="nonsense"),
    with_protocol(judged_by="nonsense"),
    *(with_protocol(clocks=x) for x in ({}, {"Runner.training_steps": 5})),
    *(with_clocks(training_steps=x) for x in (0, -5, 10**30)),
    *(with_clocks(num_iterations=x) for x in (0, -5)),
    *(with_unit(per_iteration=x) for x in FUNCTIONS),
    *(with_protocol(shorten=x) for x in FUNCTIONS),
    *(with_unit(name=x) for x in ("arms", "name", "", "steps")),
    *(with_arm(speed=x) for x in ("", "nosuch")),
    *(with_arm(gin_file=x) for x in ("", "nosuch.gin", "/")),
    with_arm(settings={"redo.period": 10**5000}),
    # The protocol's own: a run is told these in any case.
    *(with_arm(settings={x: 1}) for x in STUDY.protocol.clocks),
    *(with_arm(settings={x: 1}) for x in (STUDY.protocol.seed, *DECIDED)),
    *(with_first("paper", "iqm", x) for x in (INF, float("nan"))),
    *(with_first("paper_dormancy", "high", x) for x in (INF, float("nan"))),
    *(dataclasses.replace(STUDY, name=x) for x in NAMES),
    *(dataclasses.replace(STUDY, games=(x,)) for x in NAMES),
    *(with_arm(name=x) for x in (*NAMES, "report", "slurm", "study.json")),
    *(with_arm(label=x) for x in ("", " ", "a\nb")),
    *(with_arm(replay_ratio=x) for x in RATIOS),
    *(with_arm(x=x) for x in (float("nan"), float("-inf"), 10**400)),
    *(with_arm(target_gradient_steps=x) for x in (0, -5)),
    *(
        dataclasses.replace(STUDY, length=x)
        for x in (0, -5, 999_999, 3_500_000, 10**5000)
    ),
    *(
        dataclasses.replace(STUDY, seeds=x)
        for x in ((-1,), (True,), (2**63,), (0, 0), (), (10**5000,))
    ),
    *(dataclasses.replace(STUDY, games=x) for x in ((), ("Pong", "Pong"))),
    dataclasses.replace(STUDY, games_by_name=("Pong",)),
    dataclasses.replace(STUDY, arms=()),
    dataclasses.replace(STUDY, arms=(ARM, ARM)),
    dataclasses.replace(STUDY, arms=(ARM, dataclasses.replace(ARM, name="redo"))),
]


@pytest.mark.parametrize("study", VALUES, ids=range(len(VALUES)))
def test_a_value_out_of_its_range(study):
    with pytest.raises(UserError) as raised:
        rules.check(study, "mine.py", plan.SPEEDS)
    message = str(raised.value)
    assert message.startswith("A study's ")
    assert message.endswith("Change it in mine.py.")
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("study", [STUDY, *STUDIES.values()], ids=lambda x: x.name)
def test_what_can_be_launched_is_let_through(study):
    rules.check(study, "mine.py", plan.SPEEDS)


@pytest.mark.parametrize(
    "line",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit('bye')",
        "raise GeneratorExit",
        "class Odd(BaseException): pass\nraise Odd",
        "raise RecursionError",
    ],
)
def test_a_file_that_ends_the_process(line, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(line)
    with pytest.raises(UserError, match="must be Python that runs"):
        plan.select(str(path))


def test_an_object_that_cannot_be_looked_at_is_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses\nfrom redo_dopamine.studies import STUDIES\n"
        "class Odd(str):\n    def encode(self, *_): raise MemoryError\n"
        "STUDY = dataclasses.replace(STUDIES['width'], games=(Odd('Pong'),))\n"
    )
    with pytest.raises(UserError, match=r"plain values.*MemoryError"):
        plan.select(str(path))


def test_a_run_is_told_of_clocks_that_its_gin_file_has_otherwise():
    """A study of two iterations of 200 steps trains 400 steps, not the file's."""
    clocks = {"Runner.num_iterations": 2, "Runner.training_steps": 200}
    study = dataclasses.replace(
        STUDY,
        protocol=dataclasses.replace(
            STUDY.protocol, clocks={**STUDY.protocol.clocks, **clocks, "Mine.new": 3}
        ),
        length=1_600,
    )
    rules.check(study, "mine.py", plan.SPEEDS)
    settings = scaling.arm_settings(study, ARM)
    assert {name: settings.get(name) for name in clocks} == clocks
    assert settings["Mine.new"] == 3
    assert "Runner.max_steps_per_episode" not in settings


def test_nothing_is_written_for_a_wrong_study(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses\nfrom redo_dopamine.studies import STUDIES\n"
        "STUDY = dataclasses.replace(STUDIES['width'], games=('Pong', None))\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "redo_dopamine", "launch", "local"),
            *(f"--study={path}", f"--base_dir={tmp_path}/out", "--print_commands"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "games must be of type" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"arms": STUDY.arms[:1]}, "redo"),
        ({"games": ("Breakout",)}, "Pong"),
    ],
)
def test_what_a_study_has_no_longer_is_not_dropped(change, gone, tmp_path):
    def launch(study):
        chosen = plan.Selection(study, study.arms, study.games, study.seeds)
        return record.write(chosen, tmp_path)

    before = launch(STUDY).read_text()
    with pytest.raises(UserError, match=rf"{gone}: the study does not have it"):
        launch(dataclasses.replace(STUDY, **change))
    assert (tmp_path / "mine" / "study.json").read_text() == before


@pytest.mark.parametrize(
    ("gin_file", "protocol", "fits"),
    [
        ("dqn.gin", DQN, True),
        ("minatar_dqn_redo.gin", DQN, False),
        ("minatar_dqn_redo.gin", minatar.PROTOCOL, True),
        ("dqn.gin", minatar.PROTOCOL, False),
        ("ppo.gin", he2026.PPO, True),
        ("sac_redo.gin", DQN, False),
    ],
)
def test_every_arm_plays_the_games_of_the_study(gin_file, protocol, fits):
    arm = dataclasses.replace(ARM, gin_file=gin_file)
    study = dataclasses.replace(STUDY, arms=(arm,), protocol=protocol)
    problems = [x for x in rules._of_games(study) if "whose game" in x]
    assert bool(problems) is not fits


def test_a_game_that_minatar_has_not_is_refused():
    arm = dataclasses.replace(ARM, gin_file="minatar_dqn.gin")
    study = dataclasses.replace(STUDY, arms=(arm,), protocol=minatar.PROTOCOL)
    assert [x.partition(", but")[2] for x in rules._of_games(study)] == [
        " one is 'Pong'"
    ]
    assert not [*rules._of_games(dataclasses.replace(study, games=environments.GAMES))]
