"""How the package's functions are compiled, where the compiler's default is slow."""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib

# XLA has two ways to run a program on a CPU. The newer, its default since jaxlib
# 0.4.32, does not vectorise Adam's step and is slower at convolutions; from 0.7 on,
# which the pinned tensorflow-probability does not allow, it is the only one.
HAS_OLD_RUNTIME = jaxlib.version.__version_info__ < (0, 7)


def in_old_runtime() -> bool:
    """Whether `compiled` programs run in the older one."""
    return HAS_OLD_RUNTIME and jax.default_backend() == "cpu"


def compiled(function: Callable[..., Any], **settings: Any) -> Any:
    """`jax.jit`, on a CPU for the faster of XLA's runtimes.

    Args:
        function: a pure function.
        **settings: what `jax.jit` takes.
    """
    if in_old_runtime():
        settings["compiler_options"] = {"xla_cpu_use_thunk_runtime": False}
    return jax.jit(function, **settings)
