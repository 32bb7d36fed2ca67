import ast
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from benchmarks import overhead, seeds

HERE = Path(seeds.__file__).parent
NARROW = seeds.make_problem(width=0.0625, side=8)


def test_seeds_at_once_are_seeds_one_by_one():
    assert seeds.largest_difference(NARROW, num_seeds=2) < 1e-4


def test_seeds_that_differ_are_found():
    def init(key):
        return seeds.Learner({"w": jax.random.normal(key, (3,))}, {}, ())

    def update(learner, batch, of_all=lambda x: x):
        moved = {"w": of_all(learner.params["w"] + batch)}
        return learner._replace(params=moved), jnp.sum(batch)

    problem = seeds.Problem(init, lambda key: jax.random.normal(key, (3,)), update)
    assert seeds.largest_difference(problem, 2) < 1e-6
    mixed = functools.partial(update, of_all=in_first_only)
    with pytest.raises(AssertionError, match="differ by"):
        seeds.largest_difference(problem._replace(update=mixed), 2)


@jax.custom_batching.custom_vmap
def in_first_only(x):
    return x


@in_first_only.def_vmap
def _(axis_size, in_batched, x):
    """A fault such as only `vmap` could have: every seed gets the first one's."""
    return jnp.broadcast_to(x[:1], x.shape), True


def test_seeds_needs_jax_alone():
    imported = set()
    for node in ast.walk(ast.parse((HERE / "seeds.py").read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    ours = {name for name in imported if name.startswith(("redo", "benchmarks"))}
    assert ours == {"redo_dopamine.networks.nature"}
    assert not {name for name in imported if name.startswith(("dopamine", "tensor"))}


def test_what_a_short_period_adds_is_scaled_to_the_real_one():
    assert overhead.scaled(busy=1.5, plain=1.0) == pytest.approx(1.005)
