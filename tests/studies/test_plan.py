"""Words on a command line become a part of a study, or a clear message."""

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.studies import STUDIES, __main__, plan


def test_a_selection_is_in_the_studys_order():
    chosen = plan.select(
        "replay_ratio", "redo_rr1,dqn_rr1", "Pong,DemonAttack", "3,0", 0.01
    )
    assert [arm.name for arm in chosen.arms] == ["dqn_rr1", "redo_rr1"]
    assert chosen.games == ("DemonAttack", "Pong")
    assert chosen.seeds == (0, 3)
    directories = [str(run.directory) for run in plan.runs(chosen, "d")]
    assert directories[:3] == [
        "d/replay_ratio/dqn_rr1/DemonAttack/0",
        "d/replay_ratio/redo_rr1/DemonAttack/0",
        "d/replay_ratio/dqn_rr1/Pong/0",
    ]
    assert len(directories) == 8


def test_a_game_that_must_be_named_is_left_out_otherwise():
    assert plan.select("label_shuffle").games == ("fashion_mnist",)
    chosen = plan.select("label_shuffle", games="cifar10,fashion_mnist")
    assert chosen.games == ("fashion_mnist", "cifar10")


def test_a_run_of_another_module():
    chosen = plan.select("label_shuffle", arms="fixed", seeds="3,", scale=0.05)
    (run,) = plan.runs(chosen, "d")
    assert str(run.directory) == "d/label_shuffle/fixed/fashion_mnist/3"
    assert run.module == "redo_dopamine.supervised.label_shuffle"
    assert run.gin_files == ()
    assert run.gin_bindings == (
        "# Scaled: 0.05 of the study's length.",
        "LabelShuffle.shuffle_every = None",
        "LabelShuffle.num_epochs = 5",
        "LabelShuffle.dataset = @fashion_mnist",
        "LabelShuffle.seed = 3",
    )
    assert run.agent_steps == 5 * 156


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("2", (0, 1)), ("0,3", (0, 3)), ("3,", (3,)), ("7", tuple(range(7)))],
)
def test_seeds(text, seeds):
    assert plan.parse_seeds(text, range(5)) == seeds


def test_more_seeds_than_a_study_has_go_on_from_its_own():
    assert plan.parse_seeds("2", (100, 101, 102)) == (100, 101)
    assert plan.parse_seeds("5", (100, 101, 102)) == (100, 101, 102, 103, 104)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"study": "replay_ration"}, ["'replay_ration'", "Did you mean replay_ratio"]),
        ({"study": "xyz"}, ["'xyz'", "There are replay_ratio, "]),
        ({"games": "demonatack"}, ["game 'demonatack'", "Did you mean DemonAttack?"]),
        ({"games": ","}, ["--games must name at least one game"]),
        ({"arms": "redo_rr3"}, ["arm 'redo_rr3'", "redo_rr2"]),
        ({"seeds": "two"}, ["--seeds must be", "'two'"]),
        ({"seeds": "0"}, ["at least one seed", "'0'"]),
        ({"seeds": "1,0,1"}, ["each seed once", "'1,0,1'"]),
        ({"seeds": "1,01"}, ["each seed once", "'1,01'"]),
        ({"scale": 0.0}, ["--scale must be in (0, 1]", "0.0"]),
        ({"scale": 1.5}, ["--scale must be in (0, 1]", "1.5"]),
        ({"scale": float("nan")}, ["--scale must be in (0, 1]", "nan"]),
    ],
)
def test_a_wrong_word_is_named(arguments, parts):
    with pytest.raises(UserError) as error:
        plan.select(**{"study": "replay_ratio"} | arguments)
    for part in parts:
        assert part in str(error.value)


# On the command line.


def test_the_list_names_every_study(capsys):
    assert __main__.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(STUDIES)]] == list(STUDIES)
    assert lines[1].split()[1:3] == ["8", "680"]


def test_show_tells_runs_steps_and_hours(capsys):
    arguments = ["show", "pruning", "--games=Pong", "--seeds=2"]
    assert __main__.main([*arguments, "--steps_per_second=100"]) == 0
    out = capsys.readouterr().out
    assert "runs: 4\n" in out
    assert "2,500,000 per run (10,000,000 frames), 10,000,000 in all" in out
    # 4 runs of 25,000 s, and 20 s each to start.
    assert "hours: about 27.8, one run at a time (100 agent steps per second)" in out
    assert "prune.tau = 0.1" in out


def test_show_counts_what_the_study_counts(capsys):
    assert __main__.main(["show", "label_shuffle", "--scale=0.1"]) == 0
    out = capsys.readouterr().out
    assert "gradient updates: 1,560 per run (10 epochs), 18,720 in all\n" in out
    assert "scale: 0.1 of the study's length of 100 epochs" in out
    assert "games (1): fashion_mnist\nonly by name: cifar10\n" in out
    assert "fixed  (fixed labels)  redo_dopamine.supervised.label_shuffle\n" in out
    assert "agent steps" not in out
    assert "frames" not in out
    arguments = ["show", "label_shuffle", "--games=cifar10", "--seeds=1"]
    assert __main__.main([*arguments, "--steps_per_second=100"]) == 0
    out = capsys.readouterr().out
    # 4 runs of 156 s, and 20 s each to start.
    assert "hours: about 0.2, one run at a time (100 gradient updates per" in out
    assert "only by name" not in out


def test_show_says_which_arms_a_scale_makes_equal(capsys):
    assert __main__.main(["show", "threshold_and_period", "--scale=0.0005"]) == 0
    out = capsys.readouterr().out
    assert "the same run: tau0_period1000, tau0_period10000\n" in out
    assert "scale: 0.0005 of the study's length of 10,000,000 frames" in out


def test_a_mistake_on_the_command_line(capsys):
    assert __main__.main(["show", "prunning"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: There is no study 'prunning' here. Did you")


@pytest.mark.parametrize("kind", ["arms", "games", "study"])
@pytest.mark.parametrize(
    "text",
    ["", " ", ",", " ,\t", "Po\nng", "dqn rr1", "Рong", "\0", "x" * 100_000, "-1"],
)
def test_names_that_are_none_are_refused_in_a_short_line(kind, text):
    with pytest.raises(UserError) as error:
        plan.select(**{"study": "replay_ratio"} | {kind: text})
    message = str(error.value)
    assert len(message) < 1_000
    assert message.isprintable()
    assert "Did you mean" in message or "There are" in message or "at least" in message


def test_a_name_that_stands_twice_counts_once():
    chosen = plan.select("replay_ratio", arms="dqn_rr1,dqn_rr1", games="Pong,Pong")
    assert [arm.name for arm in chosen.arms] == ["dqn_rr1"]
    assert chosen.games == ("Pong",)
