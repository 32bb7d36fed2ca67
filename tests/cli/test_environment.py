"""What the shell has set changes no run and ends no command."""

import os
import subprocess
import sys

import pytest

from redo_dopamine.core import jit

_OTHERS = {
    "jax_enable_x64": "1",
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": "0",
    "jax_random_seed_offset": "7",
    "jax_legacy_prng_key": "error",
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_debug_nans": "1",
    "jax_debug_infs": "1",
}
_CODE = """
import jax
from redo_dopamine.core import jit
before = {name: getattr(jax.config, name) for name in jit._SETTINGS}
jit.ignore_environment()
after = {name: getattr(jax.config, name) for name in jit._SETTINGS}
print(sum(before[x] != after[x] for x in before), after == jit._SETTINGS)
"""


def test_no_variable_of_jax_changes_a_run():
    assert _OTHERS.keys() == jit._SETTINGS.keys()
    shell = os.environ | {name.upper(): value for name, value in _OTHERS.items()}
    said = subprocess.check_output([sys.executable, "-c", _CODE], env=shell, text=True)
    assert said.split() == [str(len(_OTHERS)), "True"]


def test_compiled_programs_are_shared_by_number_of_cores(tmp_path):
    code = (
        "import os, jax; from redo_dopamine.core import jit\n"
        "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        "jit.ignore_environment(); jit.ignore_environment()\n"
        "print(jax.config.jax_compilation_cache_dir)"
    )
    for given, own in ((str(tmp_path), f"{tmp_path}/1_cores"), ("", "")):
        shell = os.environ | {"JAX_COMPILATION_CACHE_DIR": given}
        command = [sys.executable, "-c", code]
        said = subprocess.check_output(command, env=shell, text=True)
        assert said.strip().removeprefix("None") == own


@pytest.mark.parametrize("columns", ["0", "1", "4", "7", "-1", "x", "9" * 30])
@pytest.mark.parametrize("command", ["train", "report"])
def test_help_fits_any_terminal(command, columns):
    shell = os.environ | {"COLUMNS": columns}
    done = subprocess.run(
        [sys.executable, "-m", "redo_dopamine", command, "--help"],
        env=shell,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--base_dir" in done.stdout
