"""A stored configuration is data: known names get values, and nothing else happens."""

import io
import re
import sys
import time
import zipfile
from pathlib import Path

import gin
import pytest

from redo_dopamine.config import gin_files, load, stored
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import operative

ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "results").glob("*/runs.zip"))
# What a module writes, or a command, if it is ever run.
CANARY = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
COMMAND = "touch ran"
# Every way of gin's to run something, or to name what is not of this package.
HOSTILE = {
    "import": "import canary",
    "import as": "import canary as redo_dopamine",
    "import of a submodule": "import canary.part",
    "import of an own name's like": "import redo_dopamine_evil",
    "import of the package alone": "import dopamine",
    "from": "from canary import part",
    "from as": "from canary import part as redo",
    "include": "include 'canary.gin'",
    "include of a shipped file": "include 'dqn.gin'",
    "include of an absolute path": f"include '{ROOT}/gin_configs/dqn.gin'",
    "dynamic registration": (
        "from __gin__ import dynamic_registration\nimport os\n"
        f"os.system.command = '{COMMAND}'\nredo.tau = @os.system()"
    ),
    "dynamic registration of a canary": (
        "from __gin__ import dynamic_registration\nimport canary"
    ),
    "dynamic registration as": "from __gin__ import dynamic_registration as x",
    "tensorflow's names": "import gin.tf.external_configurables",
    "binding of an unknown name": f"os.system.command = '{COMMAND}'",
    "reference": "redo.tau = @os.system",
    "call": "redo.tau = @os.system()",
    "call in a scope": "redo.tau = @a/b/os.system()",
    "call in a list": "redo.tau = [1, @os.system()]",
    "call in a tuple": "redo.tau = (1, (@os.system(),))",
    "call in a dictionary": "redo.tau = {'a': {'b': @os.system()}}",
    "call as a key": "redo.tau = {@os.system(): 1}",
    "call after a continuation": "redo.tau = \\\n    @os.system()",
    "call over several lines": "redo.tau = [\n    1,\n    @os.system(),\n]",
    "macro of a call": "x = @os.system()\nredo.tau = %x",
    "macro of a macro": "x = 1\ny = %x\nredo.tau = %y",
    "macro of itself": "x = %x\nredo.tau = %x",
    "macro that is not there": "redo.tau = %x",
    "macro by its full name": "x/gin.macro.value = @os.system()",
    "constant": "redo.tau = %os.environ",
    "singleton": "a/singleton.constructor = @os.system\nredo.tau = @a/singleton()",
    "singleton of a known name": "redo.tau = @singleton()",
    "block": f"redo:\n    tau = 1\nos.system:\n    command = '{COMMAND}'",
    "block of a known name": "redo:\n    tau = @os.system()",
    "scope": "canary/os.system.command = 1",
    "Dopamine's that make directories": "Checkpointer.base_directory = 'ran'",
    "reference to one of them": "redo.tau = @Checkpointer()",
    "reference to Dopamine's runner": "redo.tau = @Runner()",
    "reference to its logger": "redo.tau = @Logger()",
    "event files elsewhere": "JaxDQNAgent.summary_writer = 'ran'",
    "event files by a macro": "x = 'ran'\nJaxDQNAgent.summary_writer = %x",
    "event files in a scope": "a/SACAgent.summary_writer = 'ran'",
    "Gymnasium's import": "create_control_environment.environment_id = 'canary:A-v0'",
    "Gymnasium's import by a macro": (
        "x = 'canary:A-v0'\ncreate_control_environment.environment_id = %x"
    ),
    "Gymnasium's import by a function": (
        "identity.x = 'canary:A-v0'\n"
        "create_control_environment.environment_id = @identity()"
    ),
    "Gymnasium's import as a list": (
        "create_control_environment.environment_id = ['canary:A-v0']"
    ),
    "an older Gym's import": "create_atari_environment.game_name = 'canary:Pong'",
    "an older Gym": "create_atari_environment.use_legacy_gym = True",
    "a game's name as a path": "create_atari_environment.game_name = '../ran'",
    "an expression": "redo.tau = __import__('canary')",
    "a format string": "redo.tau = f'{__import__(\"canary\")}'",
    "a word": "redo.tau = canary",
    "no statement": "canary",
    "a null byte": "redo.tau = '\0'\0",
    "an end that is missing": "redo.tau = [1,",
    "indentation": "  redo.tau = 1\n import canary",
    "a list as a key": "redo.tau = {[]: 1}",
    "infinity": "redo.tau = 1e999",
    "400 digits too many": f"redo.tau = {'9' * 5000}",
    "400 hexadecimal digits too many": f"redo.tau = 0x{'f' * 5000}",
    "depth": f"redo.tau = {'[' * 5000}{']' * 5000}",
    "depth of tuples": f"redo.tau = {'(' * 20000}",
    "length": f"redo.tau = '{'x' * 200_000}'",
    "many strings": "redo.tau = " + "'a' " * 20_000,
    "terminal commands": "\x1b]0;ran\x07 = import",
}


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current directory with modules and gin files that tell when they are used."""
    for name in ("canary", "part", "redo_dopamine_evil"):
        (tmp_path / f"{name}.py").write_text(CANARY)
    (tmp_path / "canary.gin").write_text("import canary\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("canary", "redo_dopamine_evil"):
        sys.modules.pop(name, None)


def test_the_canary_sings(here):
    """The same text as a gin file of one's own does run: so the tests can fail."""
    gin.parse_config(HOSTILE["import"])
    assert (here / "ran").exists()


@pytest.mark.parametrize("way", HOSTILE)
def test_nothing_of_a_stored_configuration_is_run(way, here):
    before = set(here.iterdir())
    started = time.monotonic()
    with pytest.raises(UserError) as refused:
        stored.read(HOSTILE[way], "checkpoint.1.npz")
    assert time.monotonic() - started < 30
    message = str(refused.value)
    assert "checkpoint.1.npz" in message
    assert len(message) < 1000
    assert all(x.isprintable() or x == "\n" for x in message)
    assert set(here.iterdir()) == before
    assert not {"canary", "redo_dopamine_evil"} & sys.modules.keys()
    assert "os.system" not in gin_files.registered_names()


def test_the_line_is_shown():
    text = f"redo.tau = 0.1\n\n{HOSTILE['dynamic registration']}"
    with pytest.raises(UserError) as refused:
        stored.read(text, "checkpoint.1.npz")
    assert "line 3 of that of checkpoint.1.npz is" in str(refused.value)
    assert "\n  from __gin__ import dynamic_registration\n" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "bindings"),
    [
        ("# a comment\n\n", []),
        ("redo.tau = 0.1", ["redo_dopamine.redo.tau = 0.1"]),
        ("import dopamine.jax.agents.dqn.dqn_agent as dopamine2", []),
        ("from redo_dopamine.config import registry", []),
        ("a/b/redo.tau = -1", ["a/b/redo_dopamine.redo.tau = -1"]),
        ("x = (1,)\nredo.tau = %x", ["x = (1, )", "redo_dopamine.redo.tau = %x"]),
        (
            "redo.tau = \\\n    {'a': [None, True, @a/none()], 2: ('b', b'c', (1))}",
            [
                "redo_dopamine.redo.tau = {'a': [None, True, @a/redo_dopamine.none()], "
                "2: ('b', b'c', 1, )}"
            ],
        ),
        (
            "JaxDQNAgent.epsilon_fn = @dqn_agent.linearly_decaying_epsilon",
            [
                "dopamine.jax.agents.dqn.dqn_agent.JaxDQNAgent.epsilon_fn = "
                "@dopamine.jax.agents.dqn.dqn_agent.linearly_decaying_epsilon"
            ],
        ),
        ("redo.tau = 'a\\nimport os'", ["redo_dopamine.redo.tau = 'a\\nimport os'"]),
    ],
)
def test_settings_of_known_names_are_read(text, bindings):
    assert stored.read(text, "a run") == bindings
    gin.parse_config(bindings)


def test_every_known_name_of_dopamine_is_there():
    known = {*stored._DOPAMINES, *stored._DOPAMINES_REFERENCES}
    assert known <= set(gin_files.registered_names())


def settings_now():
    """What gin has been given, whatever part of a name stands in references."""
    config = re.sub(r"@(?:\w+\.)+", "@", gin.config_str(max_line_length=10**6))
    return operative.parse_settings(config)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_kept_results_stay_readable(path):
    """As stored configurations, and as gin files to begin a run from."""
    found = {}  # One of each that differ in more than their numbers.
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("config.gin"):
                text = archive.read(name).decode()
                found[re.sub(r"\d", "", text)] = text
    of_runs = [x for x in found.values() if "redo_dopamine.config.registry" in x]
    for text in of_runs:
        bindings = stored.read(text, path)
        gin.clear_config()
        load.load_gin_configs([], bindings)
        as_stored = settings_now()
        gin.clear_config()
        gin.parse_config(io.StringIO(text))
        assert settings_now().items() <= as_stored.items()


# Modules of the user's own.


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "trusted_networks.py").write_text(
        "import gin\n\n@gin.configurable\ndef TrustedNetwork(width=1): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return (
        "import trusted_networks\n"
        "TrustedNetwork.width = 2\n"
        "JaxDQNAgent.network = @TrustedNetwork"
    )


def test_modules_that_the_user_trusts_are_imported(own_module):
    with pytest.raises(UserError, match=r"--trust_modules=trusted_networks\."):
        stored.read(own_module, "a run")
    assert "trusted_networks" not in sys.modules
    found = stored.read(own_module, "a run", ["trusted_networks"])
    assert found[0] == "trusted_networks.TrustedNetwork.width = 2"
    # Trust in one module is trust in no other.
    with pytest.raises(UserError, match=r"import os"):
        stored.read("import os", "a run", ["trusted_networks"])
    with pytest.raises(UserError, match=r"TrustedNetwork is no name"):
        stored.read("TrustedNetwork.width = 2", "a run")


def test_a_trusted_module_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"--trust_modules must .*no_such_module"):
        stored.read("", "a run", ["no_such_module"])
