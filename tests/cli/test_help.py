"""`--help` of every command: status 0, and every flag that it takes."""

import argparse
import runpy
import sys

import pytest
from absl import app, flags

from helpers import shell
from redo_dopamine.cli import flags as command_line
from redo_dopamine.launch import local
from redo_dopamine.launch.slurm import submit
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.report import keep
from redo_dopamine.studies import __main__ as studies
from redo_dopamine.tools import catalogue, completion, play

PARSED = {
    "launch/local.py": (local.main, []),
    "launch/slurm.py": (submit.main, []),
    "completion": (completion.main, []),
    "catalogue": (catalogue.main, []),
    "offline": (offline.main, []),
    "offline record": (offline.main, ["record"]),
    "offline lesson": (offline.main, ["lesson"]),
    "play": (play.main, []),
    "report.keep": (keep.main, []),
    "studies": (studies.main, []),
    "studies show": (studies.main, ["show"]),
    **{name: (module.main, []) for name, module in shell.EXPERIMENTS.items()},
}


@pytest.mark.parametrize("name", PARSED)
def test_help_of_a_command_with_a_parser(name, capsys, monkeypatch):
    main, words = PARSED[name]
    asked = []
    show = argparse.ArgumentParser.print_help

    def noting(parser, file=None):
        asked.append(parser)
        show(parser, file)

    monkeypatch.setattr(argparse.ArgumentParser, "print_help", noting)
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    (parser,) = asked
    assert parser.description or words
    for action in parser._actions:
        for word in (*action.option_strings, *(action.choices or ())):
            assert str(word) in said


def _own_flags():
    """Of the commands that this process has imported."""
    modules = flags.FLAGS.flags_by_module_dict().items()
    return {x.name for name, own in modules for x in own if name.startswith("redo_")}


@pytest.mark.parametrize("name", shell._FLAGS_COMMANDS)
def test_help_of_a_command_with_absls_flags(name, capsys, monkeypatch):
    app.define_help_flags()
    required = [] if name.endswith("inspect") else ["--base_dir=anywhere"]
    before = {x for x in flags.FLAGS if x not in _own_flags()}
    with shell._parsed(name, required):
        # To absl the command is the module that executes it.
        monkeypatch.setattr(sys, "argv", [runpy.__name__, "--help"])
        own = [x for x in flags.FLAGS if x not in before]
        assert own
        with pytest.raises(SystemExit) as ended:
            command_line.parse(sys.argv)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for flag in own:
        assert f"--{flag}:" in said or f"--[no]{flag}:" in said


def test_a_flag_that_is_unknown_is_still_a_mistake(capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.parse(["x", "--no_such_flag=1"])
    assert ended.value.code == 2
    assert "no_such_flag" in capsys.readouterr().err
