"""Networks of nnx, equinox, haiku, and of plain JAX."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
from flax import nnx

from tracing.cases import Network, Table, key, numbers, plain

CASES = Table()


@CASES.add("nnx convolutions", {"c1": 6, "c2": 5, "d1": 12})
def _():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.c1 = nnx.Conv(2, 6, (3, 3), rngs=rngs)
            self.norm = nnx.BatchNorm(6, use_running_average=True, rngs=rngs)
            self.c2 = nnx.Conv(6, 5, (3, 3), rngs=rngs)
            self.d1 = nnx.Linear(5 * 16, 12, rngs=rngs)
            self.d2 = nnx.Linear(12, 3, rngs=rngs)

        def __call__(self, x):
            x = nnx.relu(self.norm(self.c1(x)))
            x = nnx.avg_pool(nnx.relu(self.c2(x)), (2, 2), (2, 2))
            return self.d2(nnx.relu(self.d1(x.reshape(x.shape[0], -1))))

    graphdef, state = nnx.split(nnx.eval_shape(lambda: Net(nnx.Rngs(0))))
    apply = lambda p, x: nnx.merge(graphdef, p)(x)  # noqa: E731
    return Network(apply, state, numbers((2, 8, 8, 2)))


def equinox(make, shape, call=lambda model, x: model(x)):
    """An equinox model, vmapped over a batch."""
    model = eqx.filter_eval_shape(make, key())
    is_shape = lambda x: isinstance(x, jax.ShapeDtypeStruct)  # noqa: E731
    params, static = eqx.partition(model, is_shape)

    def apply(params, x):
        return jax.vmap(lambda x: call(eqx.combine(params, static), x))(x)

    return Network(apply, params, numbers((4, *shape)))


@CASES.add("equinox MLP", {"layers/0": 16, "layers/1": 16})
def _():
    return equinox(lambda k: eqx.nn.MLP(5, 3, 16, 2, key=k), (5,))


@CASES.add("equinox, channel first", {"layers/0": 6, "layers/3": 5, "layers/6": 12})
def _():
    def make(k):
        a, b, c, d = jax.random.split(k, 4)
        act = eqx.nn.Lambda(jax.nn.relu)
        return eqx.nn.Sequential(
            [
                *(eqx.nn.Conv2d(2, 6, 3, key=a), act, eqx.nn.MaxPool2d(2, 2)),
                *(eqx.nn.Conv2d(6, 5, 3, key=b), act, eqx.nn.Lambda(jnp.ravel)),
                *(eqx.nn.Linear(5 * 16, 12, key=c), act, eqx.nn.Linear(12, 3, key=d)),
            ]
        )

    return equinox(make, (2, 14, 14))


def equinox_gru():
    def make(k):
        a, b = jax.random.split(k)
        return eqx.nn.GRUCell(5, 12, key=a), eqx.nn.Linear(12, 3, key=b)

    def call(model, x):
        cell, head = model
        start = jnp.zeros(12)
        h, _ = jax.lax.scan(lambda h, x: (cell(x, h), None), start, x)
        return head(h)

    return equinox(make, (6, 5), call)


CASES.add("equinox GRU", {}, {"0": "gate"})(equinox_gru)
CASES.add("equinox GRU, joint", {"0": 12}, joint=True)(equinox_gru)


def haiku(f, shape):
    """A haiku function without random keys."""
    transformed = hk.without_apply_rng(hk.transform(f))
    x = numbers(shape)
    params = jax.eval_shape(transformed.init, key(), x)
    return Network(transformed.apply, params, x)


@CASES.add(
    "haiku's Nature DQN",
    {"conv2_d": 8, "conv2_d_1": 12, "conv2_d_2": 12, "linear": 20},
)
def _():
    def f(x):
        conv = lambda *a: hk.Conv2D(*a, padding="VALID")  # noqa: E731
        layers = [
            *(lambda x: x / 255.0, conv(8, 8, 4), jax.nn.relu, conv(12, 4, 2)),
            *(jax.nn.relu, conv(12, 3, 1), jax.nn.relu, hk.Flatten(), hk.Linear(20)),
            *(jax.nn.relu, hk.Linear(4)),
        ]
        return hk.Sequential(layers)(x)

    return haiku(f, (2, 52, 52, 4))


@CASES.add("haiku's DMPO torso", {"linear": 16, "linear_2": 12})
def _():
    def f(x):
        x = jnp.tanh(hk.LayerNorm(-1, True, True)(hk.Linear(16)(x)))
        return hk.Linear(3)(jax.nn.elu(hk.Linear(12)(x)))

    return haiku(f, (4, 5))


def haiku_lstm():
    def f(x):
        core = hk.LSTM(12)
        h, _ = hk.dynamic_unroll(core, x, core.initial_state(4))
        return hk.Linear(3)(h[-1])

    return haiku(f, (6, 4, 5))


CASES.add("haiku LSTM", {}, {"lstm/linear": "gate"})(haiku_lstm)
CASES.add("haiku LSTM, joint", {"lstm/linear": 12}, joint=True)(haiku_lstm)


@CASES.add("lists, x @ w.T", {"0": 16, "1": 12})
def _():
    def apply(params, x):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w.T + b)
        w, b = params[-1]
        return x @ w.T + b

    sizes = [(16, 5), (12, 16), (3, 12)]
    shape = lambda s: jax.ShapeDtypeStruct(s, jnp.float32)  # noqa: E731
    params = [(shape(s), shape(s[:1])) for s in sizes]
    return Network(apply, params, numbers((4, 5)))


@CASES.add("a product by hand", {}, {}, {"w"})
def _():
    def apply(p, x):
        return jnp.maximum((x[:, :, None] * p["w"]).sum(1), 0) @ p["v"]

    return plain(apply, {"w": (5, 16), "v": (16, 3)})
