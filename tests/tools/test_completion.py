"""What bash and zsh complete."""

import shutil
import subprocess

import pytest

from redo_dopamine.tools import completion

_ASK = (
    'COMP_WORDS=({words}); COMP_CWORD={last}; _redo_dopamine; echo "${{COMPREPLY[*]}}"'
)
LAPTOP = ["laptop_replay_ratio", "laptop_redo_gain"]


def completed(shell, *words):
    """What the script offers for the last of these words."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = _ASK.format(words=quoted, last=len(words) - 1)
    done = subprocess.run(
        [shell, "-c", f"{completion.script(shell)}\n{ask}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["in"], ["inspect"]),
        (["launch", ""], ["local", "slurm"]),
        (["train", "--gin_files", "=", "minatar"], None),
        (["train", "--gin_files=minatar"], None),
        (["train", "--gin_files", "minatar"], None),
        (["launch", "local", "--study", "=", "laptop_r"], LAPTOP),
        (["launch", "slurm", "--study", "laptop_r"], LAPTOP),
        (["launch", "local", "--study=wid"], ["--study=width"]),
        (["studies", "laptop_r"], LAPTOP),
        (["train", "--base_dir", "=", "x"], []),
    ],
)
def test_bash_offers_commands_gin_files_and_studies(words, offered):
    found = completed("bash", "redo-dopamine", *words)
    if offered is None:
        prefix = "--gin_files=" if words[-1].startswith("--") else ""
        names = ("minatar_dqn.gin", "minatar_dqn_redo.gin")
        offered = [prefix + name for name in names]
    assert found == offered


def test_bash_offers_every_file_after_the_sign():
    found = completed("bash", "redo-dopamine", "train", "--gin_files", "=")
    assert {"dqn.gin", "sac_redo.gin"} <= {*found}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_it():
    script = completion.script("zsh")
    done = subprocess.run(["zsh", "-c", f"{script}\nwhich _redo_dopamine"], check=True)
    assert done.returncode == 0
