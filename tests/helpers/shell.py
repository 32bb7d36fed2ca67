"""Shell commands of documents, by the commands' own parsers.

`check` has a command's own parser read what is written, gin settings included, but
starts no training. `execute` runs it, in this process.
"""

import contextlib
import re
import runpy
import shlex
import tomllib
import warnings

import gin
from absl import flags

from helpers.documents import ROOT
from redo_dopamine.__main__ import COMMANDS
from redo_dopamine.config import load
from redo_dopamine.launch import local
from redo_dopamine.launch.slurm import submit
from redo_dopamine.offline.__main__ import _parser as offline_parser
from redo_dopamine.report.keep import _parser as keep_parser
from redo_dopamine.studies import __main__ as studies
from redo_dopamine.supervised import distillation, label_shuffle, regression_probe
from redo_dopamine.tools import catalogue
from redo_dopamine.tools.completion import _parser as completion_parser
from redo_dopamine.tools.play import _parser as play_parser

PACKAGE = "redo_dopamine"
EXPERIMENTS = {
    f"{PACKAGE}.supervised.{module.__name__.rpartition('.')[2]}": module
    for module in (label_shuffle, distillation, regression_probe)
}
_PARSERS = {
    f"{PACKAGE}.offline": offline_parser,
    f"{PACKAGE}.report.keep": keep_parser,
    f"{PACKAGE}.tools.play": play_parser,
    f"{PACKAGE}.tools.completion": completion_parser,
}
_RUN_NAME = "redo_dopamine_in_a_shell"
_FLAGS_COMMANDS = {
    f"{PACKAGE}.{name}": f"{PACKAGE}.{module}"
    for name, module in {
        "train": "train",
        "demo": "demo",
        "report": "report.__main__",
        "inspect": "inspect.__main__",
    }.items()
}


def commands(text):
    """The words of each command; what is written to a file is left out."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        assert not {"|", "&&", "||", ";", "&"} & set(words), f"not supported: {line}"
        if ">" in words:
            words = words[: words.index(">")]
        if words:
            found.append(words)
    return found


def check(words):
    """Have the command's own parser read it; raises where it would not."""
    program, *rest = words
    if program == "make":
        _check_make(rest)
    elif program == "pip":
        _check_pip(rest)
    elif program == "redo-train":
        _check_train(rest)
    elif program in ("python", ".venv/bin/python"):
        _check_python(rest)
    elif program in ("redo-dopamine", ".venv/bin/redo-dopamine"):
        _check_command(rest)
    elif program == "source":
        assert rest == [".venv/bin/activate"]
    else:
        raise AssertionError(f"unknown program {program!r} in {words}")


def execute(words, bindings=()):
    """Run a command that has absl's flags, with further gin bindings where it trains.

    Raises:
        AssertionError: its exit status is not 0.
    """
    module, rest = _module(words)
    if module == f"{PACKAGE}.train":
        gin.clear_config()
        rest = [*rest, *(f"--gin_bindings={x}" for x in bindings)]
    with _parsed(module, rest) as scope:
        status = scope["main"]([module])
    assert status in (0, None), f"{words} ended with {status}"


def _module(words):
    program, *rest = words
    if program == "redo-train":
        return f"{PACKAGE}.train", rest
    if program == "redo-dopamine":
        return COMMANDS[rest[0]][0], rest[1:]
    assert (program, rest[0]) == ("python", "-m"), words
    return rest[1], rest[2:]


@contextlib.contextmanager
def _parsed(module, rest):
    """The globals of a module that has read these flags, and has its own alone.

    Every command defines its flags in absl's one list, some by the same name.
    """
    known = [
        (name, flag)
        for name, defined in flags.FLAGS.flags_by_module_dict().items()
        for flag in defined
        if name.startswith(PACKAGE)
    ]
    for _, flag in known:
        delattr(flags.FLAGS, flag.name)
    foreign = set(flags.FLAGS)
    try:
        with warnings.catch_warnings():
            # That a module has been imported already, which does no harm here.
            warnings.simplefilter("ignore", RuntimeWarning)
            scope = runpy.run_module(
                _FLAGS_COMMANDS.get(module, module), run_name=_RUN_NAME
            )
        words = flags.FLAGS([module, *rest])
        if module != f"{PACKAGE}.report":  # Whose words are directories.
            assert words == [module], f"no flags of {module}: {words[1:]}"
        yield scope
    finally:
        for name in set(flags.FLAGS) - foreign:
            delattr(flags.FLAGS, name)
        for name, flag in known:
            flags.FLAGS[flag.name] = flag
            flags.FLAGS.register_flag_by_module(name, flag)
        flags.FLAGS.unparse_flags()


def _check_train(rest):
    with _parsed(f"{PACKAGE}.train", rest) as scope:
        assert scope["_BASE_DIR"].value, "redo-train needs --base_dir"
        gin.clear_config()
        load.load_gin_configs(scope["_GIN_FILES"].value, scope["_GIN_BINDINGS"].value)


def _check_python(rest):
    if rest[0] != "-m":
        _check_launcher(*rest)
        return
    module, *rest = rest[1:]
    if module == f"{PACKAGE}.train":
        _check_train(rest)
    elif module in _FLAGS_COMMANDS:
        with _parsed(module, rest):
            pass
    elif module == f"{PACKAGE}.studies":
        assert studies.main(rest) == 0
    elif module in _PARSERS:
        _PARSERS[module]().parse_args(rest)
    elif module in EXPERIMENTS:
        _check_experiment(EXPERIMENTS[module], rest)
    elif module in (f"{PACKAGE}.catalogue", f"{PACKAGE}.tools.catalogue"):
        assert not rest
        assert catalogue.table()
    else:
        raise AssertionError(f"unknown module {module!r}")


def _check_command(rest):
    used = 2 if rest[0] == "launch" else 1
    module, _ = COMMANDS[" ".join(rest[:used])]
    if rest[0] == "launch":
        _check_launcher(f"launch/{rest[1]}.py", *rest[2:])
    else:
        _check_python(["-m", module, *rest[used:]])


def _check_launcher(script, *rest):
    """What it would run is printed; what it would submit is parsed."""
    main = {"launch/local.py": local.main, "launch/slurm.py": submit.main}[script]
    harmless = {"--status", "--print_commands"} & set(rest)
    assert main([*rest, *([] if harmless else ["--print_commands"])]) == 0


def _check_experiment(module, rest):
    gin.clear_config()
    module.COMMAND.configure(rest)


def _check_make(rest):
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    assert set(rest) <= targets, f"no targets: {set(rest) - targets}"


def _check_pip(rest):
    assert rest[0] == "install", rest
    options, wanted = rest[1:], []
    while options:
        word, *options = options
        if word == "-c":
            assert (ROOT / options[0]).is_file(), options[0]
            options = options[1:]
        elif word != "-e":
            wanted.append(word)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    for word in wanted:
        match = re.fullmatch(r"(?:\.|redo-dopamine)(?:\[([\w,]+)\])?", word)
        assert match, f"not this package: {word}"
        asked = set((match[1] or "").split(",")) - {""}
        assert asked <= extras, f"no extras: {asked - extras}"
