"""Functions made to mislead: what is found must be true, the rest declined."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tracing.cases import Table, plain

CASES = Table()
relu = functools.partial(jnp.maximum, 0)
AB = {"a": (5, 8), "b": (8, 3)}


def add(name, shapes, recyclable=(), declined=(), unexplained=(), **options):
    """A case of a function of a dictionary of arrays."""

    def register(apply):
        CASES.add(name, recyclable, declined, unexplained, **options)(
            lambda: plain(apply, shapes)
        )
        return apply

    return register


@add("argmax, one-hot, kernel", AB, declined={"a": "argmax"})
def _(p, x):
    return jax.nn.one_hot(jnp.argmax(relu(x @ p["a"]), -1), 8) @ p["b"]


@add("used as an index", {**AB, "t": (4, 3)}, declined={"a": "index"})
def _(p, x):
    h = relu(x @ p["a"])
    return h @ p["b"] + p["t"][jnp.abs(h[:, 0]).astype(int) % 4]


@add("added to itself rolled", AB, declined={"a": "combined"})
def _(p, x):
    h = relu(x @ p["a"])
    return (h + jnp.roll(h, 1, -1)) @ p["b"]


@add("its sum is put out", AB, declined={"a": "output"})
def _(p, x):
    h = relu(x @ p["a"])
    return h @ p["b"] + h.sum(-1, keepdims=True)


@add("maxout of pairs", {"a": (5, 8), "b": (4, 3)}, declined={"a": "several"})
def _(p, x):
    return (x @ p["a"]).reshape(-1, 4, 2).max(-1) @ p["b"]


def maxout(p, x):
    return jnp.maximum(*jnp.split(x @ p["a"], 2, -1)) @ p["b"]


HALVES = {"a": (5, 8), "b": (4, 3)}
add("maxout of halves", HALVES, declined={"a": "gate"})(maxout)
add("maxout of halves, joint", HALVES, {"a": 4}, joint=True)(maxout)


@add("GLU, joint", HALVES, {"a": 4}, joint=True)
def _(p, x):
    return jax.nn.glu(x @ p["a"]) @ p["b"]


@add("permuted", AB, {"a": 8})
def _(p, x):
    return relu(x @ p["a"])[:, jnp.array([3, 1, 0, 2, 7, 6, 5, 4])] @ p["b"]


@add("every other one", {"a": (5, 8), "b": (4, 3), "c": (4, 3)}, {"a": 8})
def _(p, x):
    h = relu(x @ p["a"])
    return h[:, ::2] @ p["b"] + h[:, 1::2] @ p["c"]


@add("half read, half put out", HALVES, declined={"a": "output"})
def _(p, x):
    h = relu(x @ p["a"])
    return h[:, :4] @ p["b"], h[:, 4:]


@add("three axes", {"a": (5, 2, 4), "b": (2, 4, 3)}, {"a": 8})
def _(p, x):
    h = relu(jnp.einsum("bi,iho->bho", x, p["a"]))
    return jnp.einsum("bho,hoc->bc", h, p["b"])


@add(
    "one kernel twice in a row",
    {"i": (5, 8), "a": (8, 8), "b": (8, 3)},
    declined={"i": "shared", "a": "shared"},
)
def _(p, x):
    h = relu(x @ p["i"])
    return relu(relu(h @ p["a"]) @ p["a"]) @ p["b"]


@add(
    "w, then w.T",
    {"a": (5, 8), "b": (5, 3)},
    declined={"a": "tied", "a#2": "tied"},
)
def _(p, x):
    return relu(relu(x @ p["a"]) @ p["a"].T) @ p["b"]


@add("fft", AB, declined={"a": "fft"})
def _(p, x):
    return jnp.abs(jnp.fft.fft(x @ p["a"])) @ p["b"]


@add("sorted", AB, declined={"a": "several"})
def _(p, x):
    return jnp.sort(relu(x @ p["a"]), -1) @ p["b"]


@add("cumsum", AB, declined={"a": "several"})
def _(p, x):
    return jnp.cumsum(relu(x @ p["a"]), -1) @ p["b"]


@add("fori_loop of known length", AB, {"a": 8})
def _(p, x):
    h = relu(x @ p["a"])
    return jax.lax.fori_loop(0, 3, lambda i, h: h * 0.9, h) @ p["b"]


@add("while_loop", AB, declined={"a": "while_loop"})
def _(p, x):
    h = relu(x @ p["a"])
    h = jax.lax.while_loop(lambda h: h.sum() > 5, lambda h: h * 0.9, h)
    return h @ p["b"]


@add("cond", AB, declined={"a": "cond"})
def _(p, x):
    return jax.lax.cond(x.sum() > 0, jnp.tanh, jnp.sin, x @ p["a"]) @ p["b"]


@add(
    "outer product",
    {"a": (5, 4), "c": (5, 4), "b": (16, 3)},
    declined={"a": "several", "c": "several"},
)
def _(p, x):
    one, other = jnp.tanh(x @ p["a"]), jnp.tanh(x @ p["c"])
    return (one[:, :, None] * other[:, None]).reshape(x.shape[0], -1) @ p["b"]


@add("its own gradient", AB, declined={"a": "tied", "b": "tied"})
def _(p, x):
    return jax.vmap(jax.grad(lambda x: (jnp.tanh(x @ p["a"]) @ p["b"]).sum()))(x)


@add("added to the input", {"a": (5, 5), "b": (5, 3)}, declined={"a": "stream"})
def _(p, x):
    return relu(x + x @ p["a"]) @ p["b"]


@add("dropout", AB, {"a": 8})
def _(p, x):
    h = relu(x @ p["a"])
    keep = jax.random.bernoulli(jax.random.PRNGKey(4), 0.5, h.shape)
    return jnp.where(keep, h / 0.5, 0) @ p["b"]


@add("two activations", {"a": (5, 8), "b": (8, 3), "c": (8, 3)}, {"a": 8})
def _(p, x):
    h = x @ p["a"]
    return jnp.tanh(h) @ p["b"] + relu(h) @ p["c"]


@add("PReLU", {**AB, "v": (8,), "s": (1,)}, {"a": 8}, unexplained={"s"})
def _(p, x):
    h = x @ p["a"]
    return jnp.where(h > 0, h, p["s"] * p["v"] * h) @ p["b"]


@add(
    "LoRA",
    {"a": (5, 8), "u": (5, 2), "v": (2, 8), "b": (8, 3)},
    declined={"a": "computed"},
    unexplained={"u", "v"},
)
def _(p, x):
    return relu(x @ (p["a"] + p["u"] @ p["v"])) @ p["b"]


@add("read by exp of a parameter", AB, declined={"a": "not 0"})
def _(p, x):
    return relu(x @ p["a"]) @ jnp.exp(p["b"])


@add("read by a parameter plus 1", AB, declined={"a": "not 0"})
def _(p, x):
    return relu(x @ p["a"]) @ (p["b"] + 1)


@add("read by a constant", {"a": (5, 8)}, declined={"a": "constant"})
def _(p, x):
    return relu(x @ p["a"]) @ np.ones((8, 3), np.float32)


@add("padded with ones", {"a": (5, 8), "b": (10, 3)}, declined={"a": "not 0"})
def _(p, x):
    h = relu(x @ p["a"])
    return jnp.pad(h, ((0, 0), (1, 1)), constant_values=1) @ p["b"]


@add("padded with zeros", {"a": (5, 8), "b": (10, 3)}, {"a": 8})
def _(p, x):
    return jnp.pad(relu(x @ p["a"]), ((0, 0), (1, 1))) @ p["b"]


@add(
    "weights that are put out too",
    AB,
    declined={"a": "computed"},
)
def _(p, x):
    return relu(x @ p["a"]) @ p["b"], (p["b"] ** 2).sum()


@add("kernels that are added up", {**AB, "c": (5, 8)}, {"a": 8})
def _(p, x):
    return relu(x @ (p["a"] + p["c"])) @ p["b"]


@add("an ensemble by vmap", {"a": (3, 5, 8), "b": (3, 8, 2)}, {"a": 24})
def _(p, x):
    return jax.vmap(lambda a, b: relu(x @ a) @ b)(p["a"], p["b"])


@add("reversed", AB, {"a": 8})
def _(p, x):
    return relu(x @ p["a"])[:, ::-1] @ p["b"]


@add("tiled and repeated", {"a": (5, 4), "b": (8, 3), "c": (8, 3)}, {"a": 4})
def _(p, x):
    h = relu(x @ p["a"])
    return jnp.tile(h, (1, 2)) @ p["b"] + jnp.repeat(h, 2, -1) @ p["c"]


@jax.custom_vjp
def straight_through(x):
    return jnp.sign(x)


straight_through.defvjp(lambda x: (jnp.sign(x), None), lambda _, g: (g,))


@add("an activation with its own derivative", AB, {"a": 8})
def _(p, x):
    return straight_through(x @ p["a"]) @ p["b"]


@add("a layer with its own derivative", AB, declined={"a": "derivative"})
def _(p, x):
    @jax.custom_vjp
    def layer(x, a, b):
        return relu(x @ a) @ b

    def forward(x, a, b):
        return layer(x, a, b), (x, a, b)

    layer.defvjp(forward, lambda kept, g: (kept[0] * 0, kept[1] * 0, kept[2] * 0))
    return layer(x, p["a"], p["b"])


@add("softmax of a layer", AB, {"a": 8})
def _(p, x):
    return jax.nn.softmax(x @ p["a"]) @ p["b"]


@add("the largest of a layer scales it", AB, {"a": 8})
def _(p, x):
    h = relu(x @ p["a"])
    return (h / (h.max(-1, keepdims=True) + 1)) @ p["b"]


@add(
    "a carry that starts with the input", {"a": (5, 5), "b": (5, 3)}, declined={"a": ""}
)
def _(p, x):
    h, _ = jax.lax.scan(lambda h, _: (jnp.tanh(h @ p["a"]), None), x, None, 3)
    return h @ p["b"]


@add("scattered", AB, declined={"a": "scatter"})
def _(p, x):
    return jnp.zeros((4, 8)).at[:, jnp.arange(8)].set(relu(x @ p["a"])) @ p["b"]


@add("top_k", {"a": (5, 8), "b": (3, 3)}, declined={"a": "top_k"})
def _(p, x):
    return jax.lax.top_k(relu(x @ p["a"]), 3)[0] @ p["b"]


@add(
    "a kernel whose first row is also a bias",
    {"a": (5, 8), "b": (8, 8), "c": (8, 3)},
    declined={"a": "tied", "b": "tied"},
)
def _(p, x):
    h = relu(x @ p["a"])
    return relu(h @ p["b"] + p["b"][0]) @ p["c"]
