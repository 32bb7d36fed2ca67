"""What may change when a run is resumed, and what may not."""

import pytest

from helpers import runs
from helpers.stub_agent import CONFIG, StubAgent, StubRun
from redo_dopamine import training
from redo_dopamine.errors import UserError
from redo_dopamine.runners.resume import ResumeOptions

ALLOWED = ResumeOptions(allow_config_change=True)
OTHER = CONFIG.replace("0.1", "0.2")


@pytest.fixture
def saved(tmp_path):
    run = StubRun(tmp_path)
    run.advance_and_save(0)
    return run


def test_changes_are_refused_without_the_flag(saved, tmp_path):
    with pytest.raises(UserError, match=r"(?s)redo.tau: 0.1 -> 0.2.*Restore"):
        StubRun(tmp_path, config=OTHER).resume()


def test_changes_are_listed_with_the_flag_and_hold_from_then_on(
    saved, tmp_path, capsys
):
    run = StubRun(tmp_path, config=OTHER, options=ALLOWED)
    assert run.resume().iteration == 0
    assert run.agent.content() == saved.agent.content()
    assert "redo.tau: 0.1 -> 0.2" in capsys.readouterr().err
    run.advance_and_save(1)
    assert StubRun(tmp_path, config=OTHER).resume().iteration == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("JaxDQNAgent.seed = 3", "JaxDQNAgent.seed = 4"),
        # By macros, the names of which may differ.
        ("s = 3\nJaxDQNAgent.seed = %s", "s = 4\nJaxDQNAgent.seed = %s"),
        ("a = 3\nb = %a\nJaxDQNAgent.seed = %b", "JaxDQNAgent.seed = 4"),
        (
            "create_atari_environment.game_name = 'Pong'",
            "create_atari_environment.game_name = 'Qbert'",
        ),
        (
            "atari_lib.create_atari_environment.game_name = 'Pong'",
            "atari_lib.create_atari_environment.game_name = 'Qbert'",
        ),
        (
            "create_minatar_environment.game_name = 'Breakout'",
            "create_minatar_environment.game_name = 'Asterix'",
        ),
    ],
)
def test_another_seed_or_game_is_another_run(line, other, tmp_path):
    StubRun(tmp_path, config=line).advance_and_save(0)
    name = line.splitlines()[-1].split(" = ")[0]
    with pytest.raises(UserError, match=f"(?s)not its environment or seed.*{name}"):
        StubRun(tmp_path, config=other, options=ALLOWED).resume()


def test_arrays_that_do_not_fit_are_named_with_the_settings(saved, tmp_path):
    run = StubRun(tmp_path, config=OTHER, options=ALLOWED, agent=StubAgent(width=5))
    with pytest.raises(
        UserError,
        match=r"(?s)\['kernel'\] is float64\[2, 3\] there and float64\[2, 5\] here"
        r".*redo.tau: 0.1 -> 0.2",
    ):
        run.resume()


def test_a_replay_buffer_that_does_not_fit_is_named_with_the_settings(saved, tmp_path):
    run = StubRun(tmp_path, config=OTHER, options=ALLOWED)
    run.agent._replay._max_capacity = 41
    with pytest.raises(
        UserError, match=r"(?s)'max_capacity': 40.*'max_capacity': 41.*redo.tau"
    ):
        run.resume()


def test_a_real_run_goes_on_with_another_learning_rate_but_not_another_width(
    tmp_path, clean_gin, capsys
):
    runs.run(tmp_path)
    longer = (*runs.TINY_REDO, "Runner.num_iterations = 3")
    runs.configure_run("dqn_redo.gin", (*longer, "NatureNetwork.width = 0.25"))
    with pytest.raises(
        UserError, match=r"(?s)\[8, 8, 4, 4\] there.*NatureNetwork.width: 0.125 -> 0.25"
    ):
        training.train(str(tmp_path), options=ALLOWED)
    capsys.readouterr()
    faster = (*longer, "create_optimizer.learning_rate = 0.001")
    runs.configure_run("dqn_redo.gin", faster)
    training.train(str(tmp_path), options=ALLOWED)
    assert "create_optimizer.learning_rate" in capsys.readouterr().err
    assert {row["iteration"] for row in runs.metrics(tmp_path)} == {"0", "1", "2"}


def test_a_macro_that_says_the_same_is_no_change(tmp_path):
    StubRun(tmp_path, config="JaxDQNAgent.seed = 3").advance_and_save(0)
    other = "s = 3\nJaxDQNAgent.seed = %s"
    assert StubRun(tmp_path, config=other).resume().iteration == 0
