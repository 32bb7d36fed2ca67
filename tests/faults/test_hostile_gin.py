"""Gin files and bindings that refer to themselves, or say what gin cannot read."""

import pytest

from helpers import runs
from redo_dopamine.config import gin_files, load
from redo_dopamine.errors import UserError

GAME = "create_atari_environment.game_name"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def refusal(files, bindings):
    """What is said of them."""
    with pytest.raises(UserError) as refused:
        load.load_gin_configs(files, bindings)
    assert len(str(refused.value)) < 1000
    return str(refused.value)


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_files_that_include_each_other(names, tmp_path):
    paths = [str(tmp_path / f"{name}.gin") for name in names]
    for path, other in zip(paths, [*paths[1:], paths[0]], strict=True):
        with open(path, "w") as file:
            file.write(f"include '{other}'\n")
    message = refusal([paths[0]], [])
    assert " includes ".join([*paths, paths[0]]) in message


@pytest.mark.parametrize(
    "form",
    [
        *("include {0!r}", 'include """{0}"""', "include r{0!r}", "include {0!r} ''"),
        *("include\\\n {0!r}", "x = 1; include {0!r}", "\ufeffinclude {0!r}"),
    ],
)
def test_every_form_of_include(form, tmp_path):
    path = tmp_path / "a.gin"
    path.write_text(form.format(str(path)))
    message = refusal([str(path)], [])
    assert f"{path} includes {path}" in message or "could not be read" in message
    assert "too deep" not in message


def test_bindings_that_include(tmp_path):
    path = tmp_path / "a.gin"
    path.write_text(f"include {str(path)!r}")
    assert f"{path} includes {path}" in refusal([], [f"include {str(path)!r}"])


@pytest.mark.parametrize(
    ("bindings", "circle"),
    [
        (["x = %x"], "%x needs %x"),
        (["x = %y", "y = %x"], "%x needs %y needs %x"),
        (["x = [1, {'a': %y}]", "y = (%x,)"], "%x needs %y needs %x"),
        (["redo.tau = @redo()"], "redo.tau needs redo.tau"),
        (["s/redo.tau = @s/redo()"], "s/redo.tau needs s/redo.tau"),
        (["redo.tau = @prune()", "prune.tau = @redo()"], "redo.tau needs prune.tau"),
    ],
)
def test_settings_that_refer_to_themselves(bindings, circle):
    assert circle in refusal(["demo.gin"], bindings)


def test_macros_and_scopes_that_do_not_are_no_circle():
    runs.configure_run("demo.gin", ["x = %y", "y = 0.2", "redo.tau = %x"])
    runs.configure_run("demo.gin", ["s/redo.tau = 0.1", "prune.tau = @s/redo()"])


@pytest.mark.parametrize(
    ("binding", "parts"),
    [
        (f"{GAME} = Pong", ["must stand in quotes", "'Pong'", f"{GAME} = Pong"]),
        ("redo.tau = nan", ["nan is no value", "finite"]),
        ("redo.tau = %TAU", ["%TAU has no value"]),
        ("import nosuch", ["'nosuch'", "Install that one, or remove the import"]),
        ("from nosuch import x", ["'nosuch'", "or remove the import"]),
        ("redo.tau = " + "[" * 5000, ["could not be read"]),
        (f"{GAME} = 'PongNoFrameskip-v4'", ["Did you mean Pong?"]),
        (f"{GAME} = 'ALE/Pong-v5'", ["Did you mean Pong?"]),
        (f"{GAME} = 'Pong-ram-v4'", ["Did you mean Pong?"]),
        (f"{GAME} = 'Pong-v4'", ["Did you mean Pong?"]),
        (f"{GAME} = 'pong'", ["Did you mean Pong?"]),
        (
            "create_atari_environment.use_ppo_preprocessing = True",
            ["create_atari_environment.use_ppo_preprocessing must be False"],
        ),
        *(
            (f"{agent}.seed = {seed}", [f"{agent}.seed must be a whole number from 0"])
            for agent in ("JaxDQNAgent", "PPOAgent", "SACAgent")
            for seed in ("-1", "1.5", "'abc'", "True", str(2**70))
        ),
    ],
)
def test_a_binding_is_refused_in_a_users_words(binding, parts):
    names = ["demo.gin"]
    for agent in ("PPOAgent", "SACAgent"):
        if binding.startswith(agent):
            names = [f"{agent.removesuffix('Agent').lower()}.gin"]
    message = refusal(names, [binding])
    for part in parts:
        assert part in message


def test_a_module_that_cannot_be_imported_here(tmp_path, monkeypatch):
    (tmp_path / "of_another_time.py").write_text("import math\n\nmath.estimator\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "mine.gin"
    path.write_text("import of_another_time\n")
    message = refusal([str(path)], [])
    assert "a module that it imports fails" in message
    assert "import of_another_time" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("redo.tau = 0.2".encode("utf-16"), "must be text in UTF-8, but {path} is not"),
        (b"# caf\xe9\n", "from byte 5 on. Save it as UTF-8"),
        (b"redo.tau = (0.1,\n", "A bracket or a text that was begun does not end"),
        (b"redo." + b"x" * 10_000 + b" = 1\n", "... (1"),
    ],
    ids=["UTF-16", "Latin 1", "an open bracket", "a long name"],
)
def test_a_file_that_cannot_be_read_is_named(content, part, tmp_path):
    path = tmp_path / "mine.gin"
    path.write_bytes(content)
    assert part.format(path=path) in refusal(["demo.gin", str(path)], [])


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_passed_over(mark, tmp_path):
    path = tmp_path / "mine.gin"
    path.write_bytes(mark + b"include 'demo.gin'\r\nredo.tau = 0.37\r\n")
    load.load_gin_configs([str(path)], [])
    assert load.bound("redo.tau") == 0.37


@pytest.mark.parametrize("name", ["seed", "tau", "redo"])
def test_a_setting_without_its_function_is_refused(name):
    message = refusal(["demo.gin"], [f"{name} = 5"])
    assert f"'{name}' has no dot" in message
    runs.configure_run("demo.gin", [f"{name} = 5", f"redo.period = %{name}"])


@pytest.mark.parametrize("function", ["'live_norm'", "@relu", "@live_norm()", "None"])
def test_incoming_weights_of_another_kind_are_refused(function):
    message = refusal(["demo.gin"], [f"redo.incoming = {function}"])
    assert "redo.incoming" in message
    runs.configure_run("demo.gin", ["redo.incoming = @live_norm"])


def test_a_message_is_never_a_screenful():
    text = "tau must be a number, but is [" + "1, " * 100_000 + "]. Give one."
    said = gin_files.brief(ValueError(text))
    assert len(said) < 5_000
    assert said.startswith("tau must be")
    assert said.endswith("Give one.")
    assert gin_files._few([f"a.{i}" for i in range(1_000)])[5] == "... 990 more ..."
