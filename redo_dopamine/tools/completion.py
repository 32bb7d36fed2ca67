"""`redo-dopamine completion bash`: what a shell reads to complete commands.

Of a word in the place of a command, and of gin files and studies after their flags.
"""

import argparse
from collections.abc import Sequence

from redo_dopamine.cli import flags, process
from redo_dopamine.cli.commands import COMMANDS
from redo_dopamine.studies import STUDIES
from redo_dopamine.studies.scaling import SHIPPED

# bash makes three words of `--gin_files=dqn`, zsh one.
_FLAG = """\
    "$before --{flag}="*) words="{words}" prefix=--{flag}= word=${{word#*=}} ;;
    *"--{flag} =") words="{words}" word= ;;
    *"--{flag} = $word" | *"--{flag} $word") words="{words}" ;;
"""
_BASH = """\
_redo_dopamine() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[*]:0:COMP_CWORD}}
  local words= prefix=
  case "$before $word" in
{flags}\
    "${{COMP_WORDS[0]}} $word") words="{commands}" ;;
    "${{COMP_WORDS[0]}} launch $word") words="{launchers}" ;;
    "${{COMP_WORDS[0]}} studies $word") words="{studies}" ;;
  esac
  COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$word"))
}}
complete -o default -F _redo_dopamine redo-dopamine
"""
_ZSH = "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n"
_SHELLS = {"bash": "", "zsh": _ZSH}


def script(shell: str) -> str:
    """The script of a shell, `bash` or `zsh`."""
    values = {
        "gin_files": " ".join(sorted(path.name for path in SHIPPED.glob("*.gin"))),
        "study": " ".join(STUDIES),
    }
    after = [_FLAG.format(flag=x, words=words) for x, words in values.items()]
    return _SHELLS[shell] + _BASH.format(
        flags="".join(after),
        studies=values["study"],
        commands=" ".join(dict.fromkeys(name.split()[0] for name in COMMANDS)),
        launchers=" ".join(x.split()[1] for x in COMMANDS if " " in x),
    )


def _parser() -> argparse.ArgumentParser:
    parser = flags.Parser(
        prog="redo-dopamine completion",
        description="Print a script that completes commands, gin files and studies.",
        epilog='example: eval "$(redo-dopamine completion bash)"',
    )
    parser.add_argument("shell", choices=_SHELLS)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    print(script(_parser().parse_args(arguments).shell), end="")


if __name__ == "__main__":
    process.run(main)
