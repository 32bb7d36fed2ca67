"""Random networks: layers, and whatever stands between them in use or in spite."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tracing.cases import Network, numbers


class Weights:
    """Gives parameters by name; notes the shapes of those that it was asked for."""

    def __init__(self, params=None):
        self.params, self.shapes = params, {}

    def __call__(self, name, *shape):
        name = f"{name}:{'x'.join(map(str, shape))}"
        self.shapes[name] = jax.ShapeDtypeStruct(shape, jnp.float32)
        return jnp.zeros(shape) if self.params is None else self.params[name]


def dense(weights, rng, x, name, size=None):
    size = size or int(rng.integers(2, 8))
    form = rng.integers(4)
    if form == 0:  # [out, in].
        y = x @ weights(f"{name}.w", size, x.shape[-1]).T
    elif form == 1:
        y = jnp.einsum("...i,oi->...o", x, weights(f"{name}.w", size, x.shape[-1]))
    else:
        y = x @ weights(f"{name}.w", x.shape[-1], size)
    return y + weights(f"{name}.b", size) if rng.random() < 0.7 else y


def conv(weights, rng, x, name):
    size, step = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    groups = x.shape[-1] if rng.random() < 0.2 else 1
    size = size * groups if groups > 1 else size
    kernel = weights(f"{name}.w", 3, 3, x.shape[-1] // groups, size)
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        (step, step),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    return y + weights(f"{name}.b", size)


def norm(weights, rng, x, name):
    axes = (0,) if rng.random() < 0.3 else (-1,)
    y = (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-2)
    return y * weights(f"{name}.scale", x.shape[-1]) + weights(f"{name}.b", x.shape[-1])


def crelu(x):
    return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)


ACTIVATIONS = (
    *(jax.nn.relu, jnp.tanh, jax.nn.gelu, jax.nn.silu, jnp.abs, crelu),
    *(jax.nn.softplus, functools.partial(jax.nn.softmax, axis=-1)),
)


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def like(rng, values, x):
    """An earlier value of this shape, or the same."""
    return pick(rng, [v for v in values if v.shape == x.shape] or [x])


def odd(weights, rng, x, values, name):
    """Something that makes, or unmakes, a neuron."""
    n, kind = x.shape[-1], int(rng.integers(18))
    if kind == 0:
        return x + like(rng, values, x)
    if kind == 1:
        return x * jax.nn.sigmoid(like(rng, values, x))
    if kind == 2:
        return x[..., rng.permutation(n)]
    if kind == 3:
        return x[..., ::-1]
    if kind == 4 and n % 2 == 0:
        a, b = jnp.split(x, 2, -1)
        return pick(rng, [a * b, jnp.concatenate([b, a], -1), jnp.maximum(a, b), a])
    if kind == 5:
        return x * weights(f"{name}.s", 1)
    if kind == 6:
        return x + jnp.roll(x, 1, -1)
    if kind == 7:
        return x - x.mean(-1, keepdims=True)
    if kind == 8:
        return jnp.concatenate([x, x.max(-1, keepdims=True)], -1)
    if kind == 9:
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 2)])
    if kind == 10:
        return pick(rng, [jnp.tile, functools.partial(jnp.repeat, axis=-1)])(
            x, 2 if rng.random() < 2 else 1
        )[..., : 2 * n]
    if kind == 11:
        return x * (numbers(x.shape[-1:], 5) > 0.3) / 0.7
    if kind == 12:
        return jax.lax.stop_gradient(x)
    if kind == 13:
        return jnp.where(x > 0, x, weights(f"{name}.p", n) * x)
    if kind == 14:
        return x + weights(f"{name}.c", n) * x.mean(0, keepdims=True)
    if kind == 15:
        return jnp.cumsum(x, int(rng.integers(x.ndim)))
    if kind == 16:
        w = weights(f"{name}.u", n, n)
        h, _ = jax.lax.scan(
            lambda h, _: (jnp.tanh(x + h @ w), None), jnp.zeros_like(x), None, 2
        )
        return h
    return x[..., : max(1, n - 1)]


def random_network(seed):
    """A network, the same for the same seed."""

    def run(weights, x):
        rng = np.random.default_rng(seed)
        values, used = [x], []
        for step in range(int(rng.integers(3, 9))):
            name = f"layer{step}"
            if used and rng.random() < 0.1:
                name = pick(rng, used)  # Perhaps weights are shared.
            draw = rng.random()
            if x.ndim == 4 and draw < 0.25:
                x = conv(weights, rng, x, f"{name}.conv{x.shape[-1]}")
            elif draw < 0.45:
                x = dense(weights, rng, x, f"{name}.{x.shape[-1]}")
                used.append(name)
            elif draw < 0.65:
                x = pick(rng, ACTIVATIONS)(x)
            elif draw < 0.72:
                x = norm(weights, rng, x, f"{name}.norm{x.shape[-1]}")
            elif draw < 0.78 and x.ndim == 4:
                x = pick(rng, [_max_pool, _average_pool])(x)
            elif draw < 0.84:
                same = [v for v in values if v.shape[:-1] == x.shape[:-1]]
                x = jnp.concatenate([x, pick(rng, same or [x])], -1)
            elif draw < 0.9 and x.ndim == 4:
                order = pick(rng, [(0, 1, 2, 3), (0, 3, 1, 2), (0, 3, 2, 1)])
                x = x.transpose(order).reshape(x.shape[0], -1)
            else:
                x = odd(weights, rng, x, values, f"{name}.odd{x.shape[-1]}")
            values.append(x)
        if x.ndim == 4:
            x = x.mean((1, 2)) if rng.random() < 0.5 else x.reshape(x.shape[0], -1)
        out = dense(weights, rng, x, "head", 3)
        more = pick(rng, values) if rng.random() < 0.1 else out
        return out, more

    images = np.random.default_rng(seed + 1).random() < 0.5
    x = numbers((3, 5, 4, 2) if images else (4, 5), seed) - 0.4
    asked = Weights()
    jax.eval_shape(lambda x: run(asked, x), x)
    return Network(lambda p, x: run(Weights(p), x), asked.shapes, x)


def _max_pool(x):
    window, steps = (1, 2, 2, 1), (1, 1, 1, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, steps, "SAME")


def _average_pool(x):
    window, steps = (1, 2, 2, 1), (1, 2, 2, 1)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, steps, "SAME") / 4
