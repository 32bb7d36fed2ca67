"""A command's process: no failing output ends it, and a signal does by one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redo_dopamine.cli import process

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}

# Everything that a run writes with, many times over every buffer's size.
WRITE = """
import logging, os, sys
from redo_dopamine.cli import process
process.begin()
import tqdm, warnings
from absl import logging as absl_logging
from rich.console import Console

def main():
    for _ in range(3):
        print("x" * 20_000)
        print("x" * 20_000, file=sys.stderr, flush=True)
        sys.stdout.writelines(["a", "b"])
        Console().print("x" * 50)
        logging.getLogger("x").error("x" * 9_000)
        absl_logging.error("x" * 9_000)
        warnings.warn("x" * 9_000)
        for _ in tqdm.tqdm(range(3), mininterval=0, dynamic_ncols=True):
            pass
    sys.stdout.isatty(), sys.stderr.isatty()
    os.write(done, b"done")
    return 7

done = int(sys.argv[1])
process.run(main)
"""


def full(stack):
    return os.open("/dev/full", os.O_WRONLY)


def closed_pipe(stack):
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def lost_terminal(stack):
    terminal, lost = os.openpty()
    os.close(terminal)
    return lost


def read_only(stack):
    return os.open(os.devnull, os.O_RDONLY)


def closed(stack):
    return None


@pytest.mark.parametrize("outputs", [(1,), (2,), (1, 2)], ids=str)
@pytest.mark.parametrize(
    "broken", [full, closed_pipe, lost_terminal, read_only, closed]
)
def test_no_output_that_fails_ends_a_command(broken, outputs, tmp_path):
    reader, writer = os.pipe()

    def redirect():
        for number in outputs:
            descriptor = broken(None)
            if descriptor is None:
                os.close(number)
            else:
                os.dup2(descriptor, number)

    # Beyond 2, so that a closed one's number is not taken by it.
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(writer)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=redirect,
        pass_fds=[writer],
        env=ENVIRONMENT,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert (child.wait(), file.read()) == (7, b"done")


def test_a_closed_standard_error_is_not_the_next_file(tmp_path):
    script = (
        "from redo_dopamine.cli import process\n"
        "process.begin()\n"
        "import sys\n"
        f"file = open({str(tmp_path / 'mine')!r}, 'w')\n"
        "assert file.fileno() > 2\n"
        "sys.stderr.write('lost'); sys.stderr.flush()\n"
    )
    command = [sys.executable, "-c", script]
    closing = ["sh", "-c", '"$@" 2>&- 1>&- 0<&-', "sh", *command]
    assert subprocess.run(closing, check=False, env=ENVIRONMENT).returncode == 0
    assert (tmp_path / "mine").read_text() == ""


def test_names_that_are_no_text_are_printed(tmp_path):
    script = (
        "from redo_dopamine.cli import process\n"
        "process.begin()\n"
        "import sys\n"
        "print(sys.argv[1]); print(sys.argv[1], file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, b"a\xff\xc3\xbc"],
        capture_output=True,
        env=ENVIRONMENT | {"PYTHONUTF8": "1"},
        check=True,
    )
    assert result.stdout == result.stderr == "a\\udcffü\n".encode()


def test_a_stream_is_otherwise_what_it_was(tmp_path):
    with (tmp_path / "file").open("w+") as file:
        stream = process.LastingStream(file)
        assert stream.write("abc") == 3
        stream.writelines(["d", "e"])
        stream.flush()
        assert (stream.name, stream.isatty()) == (file.name, False)
        assert (tmp_path / "file").read_text() == "abcde"


def test_a_library_that_is_imported_changes_nothing():
    script = (
        "import signal, sys\n"
        "before = sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT)\n"
        "import redo_dopamine.core\n"
        "assert before == (sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT))\n"
        "assert 'redo_dopamine.cli.process' not in sys.modules\n"
    )
    command = [sys.executable, "-c", script]
    subprocess.run(command, check=True, env=ENVIRONMENT)


# Once a command has begun it waits, where `sitecustomize` would have it import.
SLOW_IMPORT = """
import sys, time

class Slow:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("tensorflow", "jax", "pandas", "rich"):
            open("importing", "w").close()
            try:
                time.sleep(60)
            except BaseException:
                time.sleep(60)  # As of a library that takes any error for its own.

sys.meta_path.insert(0, Slow())
"""
COMMANDS = {
    "train": ["-m", "redo_dopamine.train"],
    "redo-train": ["-c", "from redo_dopamine.__main__ import train; train()"],
    "report": ["-m", "redo_dopamine.report"],
    "inspect": ["-m", "redo_dopamine.inspect"],
    "offline": ["-m", "redo_dopamine.offline"],
    "label_shuffle": ["-m", "redo_dopamine.supervised.label_shuffle"],
    "demo": ["-m", "redo_dopamine.demo"],
    "catalogue": ["-m", "redo_dopamine.catalogue"],
    "local": [str(ROOT / "launch" / "local.py")],
}


ARGUMENTS = {
    "inspect": ["--checkpoint=x"],
    "offline": ["record", "--output=x", "--num_steps=1"],
    "catalogue": [],
}


def stopped(command, number, tmp_path):
    """Status and standard error of a command that gets a signal in its imports."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_IMPORT)
    child = subprocess.Popen(
        [sys.executable, *COMMANDS[command], *ARGUMENTS.get(command, ["--base_dir=x"])],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "importing").exists():
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.02)
    child.send_signal(number)
    return child.wait(timeout=30), child.stderr.read()


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_in_the_first_seconds(command, tmp_path):
    status, said = stopped(command, signal.SIGINT, tmp_path)
    assert status == 75
    assert (
        said == "Stopped by SIGINT. The same command again goes on, or begins again.\n"
    )
    assert not (tmp_path / "x").exists()


def test_another_signal_in_the_first_seconds(tmp_path):
    status, said = stopped("train", signal.SIGTERM, tmp_path)
    assert (status, said.partition(".")[0]) == (75, "Stopped by SIGTERM")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
)
def test_a_signal_while_a_command_works(number, tmp_path):
    script = (
        "import time\n"
        "from redo_dopamine.cli import process\n"
        "def main():\n"
        "    print('works', flush=True)\n"
        "    time.sleep(60)\n"
        "process.run(main)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout.readline() == "works\n"
    time.sleep(0.1)
    child.send_signal(number)
    said = child.stderr.read()
    assert (child.wait(), said.count("\n")) == (75, 1)
    assert said.startswith(f"Stopped by {signal.Signals(number).name}.")


# In a callback of the garbage collector nothing but a message comes of an exception;
# C++ code makes another one of it; and whoever typed Ctrl-C may type it again.
SWALLOWS = {
    "a callback": """
def swallow(*_):
    global swallowed
    if not swallowed:
        swallowed = True
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

def main():
    gc.callbacks.append(swallow)
    gc.collect()
    gc.callbacks.clear()
    time.sleep(60)
""",
    "another error": """
def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except KeyboardInterrupt:
        raise ValueError("Invalid affine transformation matrix") from None
""",
    "a second signal": """
def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.1)
""",
    "an alarm that is still to come": """
def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.01)

import atexit
atexit.register(time.sleep, 0.1)
""",
    "a third at the end": """
import atexit
def main():
    atexit.register(lambda: os.kill(os.getpid(), signal.SIGHUP))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
""",
}


def test_a_second_ctrl_c_after_a_run_has_stopped_changes_nothing():
    script = (
        "import atexit, os, signal, sys\nfrom redo_dopamine.cli import process\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "process.run(lambda: sys.exit(75))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=ENVIRONMENT
    )
    assert (ended.returncode, ended.stderr) == (75, b"")


@pytest.mark.parametrize("how", SWALLOWS)
def test_a_signal_is_not_lost(how):
    script = (
        "import gc, os, signal, sys, time\nfrom redo_dopamine.cli import process\n"
        f"swallowed = False\n{SWALLOWS[how]}\nprocess.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert done.returncode == 75
    assert done.stderr == (
        "Stopped by SIGTERM. The same command again goes on, or begins again.\n"
    )


def test_an_error_without_a_signal_is_one():
    script = "from redo_dopamine.cli import process\nprocess.run(lambda: 1 / 0)\n"
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_signal_that_is_ignored_stays_so():
    script = (
        "import os, signal\n"
        "from redo_dopamine.cli import process\n"
        "def main():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return 5\n"
        "process.run(main)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    )
    assert result.returncode == 5
