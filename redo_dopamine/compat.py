"""Repair third-party imports, all in one place. Import it before Dopamine.

It touches `sys.modules` and, while others are imported, standard error and the garbage
collector.
"""

import contextlib
import gc
import importlib
import importlib.util
import os
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator


def _stub_baselines() -> None:
    """Let `dopamine.discrete_domains.atari_lib` be imported.

    dopamine-rl 4.1.1 and 4.1.2 import `baselines.common.atari_wrappers`, which they
    do not require and which cannot be installed any more. Only
    `use_ppo_preprocessing=True` calls into it, so an empty module is enough.
    Upstream: google/dopamine issue 227.
    """
    if importlib.util.find_spec("baselines") is not None:
        return
    names = ("baselines", "baselines.common", "baselines.common.atari_wrappers")
    for name in names:
        sys.modules[name] = types.ModuleType(name, _stub_baselines.__doc__)
    sys.modules[names[1]].atari_wrappers = sys.modules[names[2]]  # type: ignore[attr-defined]


def _give_jax_its_names_back() -> None:
    """Let tensorflow-probability 0.25 be imported beside jax 0.7 and later.

    It adds a type of its own to two tables of jax that have lost their public names.
    Upstream: tensorflow/probability issues 1994 and 2009.
    """
    from jax._src import core

    for place in ("jax.core", "jax.interpreters.xla"):
        module = importlib.import_module(place)
        for name in ("pytype_aval_mappings", "canonicalize_dtype_handlers"):
            with warnings.catch_warnings(action="ignore"):
                missing = not hasattr(module, name)
            if missing and hasattr(core, name):
                setattr(module, name, getattr(core, name))


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep what is written to standard error, by C++ code too, off the terminal.

    If the block fails, what it wrote is shown after all.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            aside.seek(0)
            os.write(terminal, aside.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, at what is imported.

    Next to none of the 600,000 objects are garbage, and it takes a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _import_quietly() -> None:
    """Import Dopamine and what it needs without their notes.

    gym prints that it is unmaintained (Dopamine imports it beside gymnasium, which
    is what runs). TensorFlow 2.21 prints CPU and CUDA notes at import whatever
    TF_CPP_MIN_LOG_LEVEL says. tensorflow-probability 0.25 warns of its own use of
    deprecated modules. Dopamine's SAC warns of a choice that it makes for TensorFlow.
    None of it is for our users.
    """
    with silenced():
        importlib.import_module("dopamine.discrete_domains.run_experiment")
        importlib.import_module("dopamine.jax.agents.sac.sac_agent")


def _check_dopamine() -> None:
    """Say what is missing where only the core's dependencies are installed."""
    try:
        importlib.import_module("dopamine")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Agents need Dopamine, which is not installed. Run: pip install "
            "redo-dopamine",
            name=error.name,
        ) from error


def _check_opencv() -> None:
    """Say what is missing where opencv-python finds no OpenGL library.

    Dopamine requires opencv-python, whose wheel links to libGL; servers often lack
    it, and opencv-python-headless is the same module without it. Upstream:
    opencv/opencv-python issue 386.
    """
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            f"OpenCV could not be loaded: {error}. Install the library it names "
            "(Debian: apt-get install libgl1 libglib2.0-0), or run "
            "'pip install --force-reinstall --no-deps opencv-python-headless'."
        ) from error


if "baselines" not in sys.modules:
    with _uncollected():
        _check_dopamine()
        _stub_baselines()
        _give_jax_its_names_back()
        _check_opencv()
        _import_quietly()
