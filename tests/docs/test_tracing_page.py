"""docs/tracing.md: every reason has an example, and activations are as it says."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from helpers import documents
from redo_dopamine import trace_network
from redo_dopamine.tracing import reasons

PAGE = (documents.ROOT / "docs" / "tracing.md").read_text()
ROWS = [row for row in documents.tables(PAGE) if row[1] == "-" or row[1][0] == "`"]
# Those that are made when a primitive is met, by `reasons.unknown`, are not among them.
KNOWN = {
    x for x in vars(reasons).values() if isinstance(x, str) and x in reasons.REMEDIES
}
NO_EXAMPLE = {reasons.LOOP_OPEN}

SHAPES = {
    **{"a": (5, 8), "b": (8, 3), "c": (5, 8), "d": (8, 8), "e": (4, 3), "f": (5, 4)},
    **{"g": (64, 3), "j": (10, 3), "l": (8, 3), "q": (1, 1, 3), "r": (1, 3)},
    **{"s": (5, 5), "t": (4, 4)},
}


@jax.custom_vjp
def layer(x, a, b):
    return nn.relu(x @ a) @ b


layer.defvjp(lambda *given: (layer(*given), given), lambda given, _: given)
TOOLS = {"jnp": jnp, "lax": jax.lax, "nn": nn, "relu": nn.relu, "layer": layer}


def traced(example, **options):
    """The network of an example."""
    reads_hidden = re.search(r"\bh\b", example)
    used = {k for k in SHAPES if re.search(rf"\b{k}\b", example)}
    used |= {"a"} if reads_hidden else set()

    def apply(params, x):
        hidden = {"h": nn.relu(x @ params["a"])} if reads_hidden else {}
        return eval(example, {**TOOLS, **params, **hidden, "x": x})

    params = {k: jax.ShapeDtypeStruct(SHAPES[k], jnp.float32) for k in sorted(used)}
    return trace_network(apply, params, jax.ShapeDtypeStruct((4, 5), jnp.float32))


def test_every_reason_has_a_row():
    shown = [row[0] for row in ROWS]
    assert len(set(shown)) == len(shown)
    assert set(shown) - KNOWN == {"it passes through 'fft', which is not understood"}
    assert set(shown) >= KNOWN
    assert {row[0] for row in ROWS if row[1] == "-"} == NO_EXAMPLE


@pytest.mark.parametrize(
    ("reason", "example", "remedy"), ROWS, ids=[row[0] for row in ROWS]
)
def test_an_example_is_declined_for_this_reason(reason, example, remedy):
    if reason in NO_EXAMPLE:
        found = {reason: reasons.REMEDIES[reason]}
    else:
        found = {
            why: what
            for x in traced(example.strip("`")).declined
            for why, what in zip(x.reasons, x.remedies, strict=True)
        }
    leave = "Leave it; the rest of the network is recycled without it."
    assert found[reason] == (leave if remedy == "Leave it." else remedy)


# Which activation counts.

STATES = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)


def between(*parts):
    """A network with these between two kernels, its parameters, and its trace."""
    network = nn.Sequential([nn.Dense(8), *parts, nn.Dense(2)])
    params = network.init(jax.random.PRNGKey(0), STATES)

    def noisy(x):
        return 0.3 + 0.1 * jnp.arange(x.size, dtype=x.dtype).reshape(x.shape)

    params = jax.tree.map(lambda x: noisy(x) if x.ndim == 1 else x, params)
    return network, params, trace_network(network.apply, params, STATES)


def value_of(params, *parts):
    """What comes out of these, behind the first kernel."""
    bound = nn.Sequential([nn.Dense(8), *parts])
    inner = {
        room: {k: x for k, x in tree.items() if k != f"layers_{len(parts) + 1}"}
        for room, tree in params.items()
    }
    return bound.apply(inner, STATES)


def norm():
    return nn.BatchNorm(use_running_average=True)


def keep_some(x):
    kept = jax.random.bernoulli(jax.random.PRNGKey(4), 0.5, x.shape)
    return jnp.where(kept, x / 0.5, 0)


@pytest.mark.parametrize(
    ("parts", "read", "norm_at"),
    [
        ([nn.relu], 1, None),
        ([norm(), nn.relu], 2, "layers_1"),
        ([nn.LayerNorm(), nn.relu], 2, "layers_1"),
        ([nn.relu, norm()], 2, "layers_2"),
        ([nn.relu, nn.LayerNorm()], 2, "layers_2"),
        ([nn.relu, keep_some], 2, None),
    ],
    ids=["relu", "batch, relu", "layer, relu", "relu, batch", "relu, layer", "dropout"],
)
def test_the_activation_is_what_the_next_kernel_reads(parts, read, norm_at):
    _, params, found = between(*parts)
    [only] = found.graph.recyclable_layers
    seen = found.collect(params, STATES)[only.name]
    np.testing.assert_allclose(
        seen, value_of(params, *parts[:read]), rtol=1e-4, atol=1e-5
    )
    paths = {weights.path[-2:] for weights in only.incoming}
    own = {("layers_0", "kernel"), ("layers_0", "bias")}
    if norm_at:
        own |= {(norm_at, "scale"), (norm_at, "bias")}
        own |= {x for x in paths if x[-1] in ("mean", "var")}
    assert paths == own
    coupled = any(isinstance(x, nn.LayerNorm) for x in parts)
    assert ("coupled" in str(found)) == coupled


@pytest.mark.parametrize(
    ("pool", "counts"), [(nn.max_pool, "relu"), (nn.avg_pool, "pooled")]
)
def test_a_max_pool_is_behind_the_activation_and_an_average_before_it(pool, counts):
    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(4, (2, 2), padding="VALID")(x))
            self.sow("intermediates", "relu", x)
            x = pool(x, (2, 2), (2, 2))
            self.sow("intermediates", "pooled", x)
            return nn.Dense(2)(x.reshape(x.shape[0], -1))

    states = np.random.default_rng(0).normal(size=(3, 5, 5, 1)).astype(np.float32)
    network = Pooled()
    params = {"params": network.init(jax.random.PRNGKey(0), states)["params"]}
    found = trace_network(network.apply, params, states)
    _, kept = network.apply(params, states, mutable=["intermediates"])
    seen = found.collect(params, states)["Conv_0"]
    [expected] = kept["intermediates"][counts]
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)
