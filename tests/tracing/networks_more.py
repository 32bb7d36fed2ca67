"""More networks that are in use: of reinforcement learning, and of vision."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from tracing.cases import Network, Table, key, linen, numbers
from tracing.networks_flax import Noisy, module

CASES = Table()


def dense(*names, size=12):
    """Hidden layers one after the other."""

    def call(x):
        for name in names:
            x = nn.relu(nn.Dense(size, name=name)(x))
        return x

    return call


def init(net, example):
    """A module of any inputs."""
    params = jax.eval_shape(lambda k: net.init(k, example), key())
    return Network(net.apply, params, example)


@CASES.add(
    "SimBa",
    {"up_0": 64, "up_1": 64},
    {"embed": "stream"},
)
def _():
    def call(self, x):
        x = nn.Dense(16, name="embed")(x)
        for i in range(2):
            h = nn.relu(nn.Dense(64, name=f"up_{i}")(nn.LayerNorm()(x)))
            x = x + nn.Dense(16, name=f"down_{i}")(h)
        return nn.Dense(3, name="head")(nn.LayerNorm()(x))

    return linen(module(call), (4, 5))


@CASES.add(
    "BRO",
    {"one_0": 16, "one_1": 16},
    {"embed": "stream", "two_0": "stream", "two_1": "stream"},
)
def _():
    def call(self, x):
        x = nn.relu(nn.LayerNorm()(nn.Dense(16, name="embed")(x)))
        for i in range(2):
            h = nn.relu(nn.LayerNorm()(nn.Dense(16, name=f"one_{i}")(x)))
            x = x + nn.LayerNorm()(nn.Dense(16, name=f"two_{i}")(h))
        return nn.Dense(3, name="head")(x)

    return linen(module(call), (4, 5))


class ResNet18(nn.Module):
    """He et al., 2016, with few channels."""

    train: bool = False

    @nn.compact
    def __call__(self, x):
        norm = functools.partial(nn.BatchNorm, use_running_average=not self.train)
        conv = functools.partial(nn.Conv, use_bias=False)
        x = nn.relu(norm()(conv(4, (3, 3), name="stem")(x)))
        for stage, channels in enumerate((4, 5, 6, 7)):
            for block in range(2):
                name, step = f"{stage}_{block}", 2 if stage and not block else 1
                y = conv(channels, (3, 3), (step, step), name=f"a_{name}")(x)
                y = norm()(conv(channels, (3, 3), name=f"b_{name}")(nn.relu(norm()(y))))
                if step > 1:
                    x = conv(channels, (1, 1), (2, 2), name=f"skip_{stage}")(x)
                    x = norm()(x)
                x = nn.relu(x + y)
        return nn.Dense(3, name="head")(x.mean((1, 2)))


INNER = {
    f"a_{stage}_{block}": channels
    for stage, channels in enumerate((4, 5, 6, 7))
    for block in range(2)
}
STREAMS = {
    name: "stream"
    for name in (
        *("stem", "b_0_0", "b_0_1", "skip_1", "b_1_1", "skip_2", "b_2_1"),
        *("skip_3", "b_3_1"),
    )
}


@CASES.add("ResNet-18, batch norm in eval mode", INNER, STREAMS)
def _():
    return linen(ResNet18(), (1, 16, 16, 3))


@CASES.add("ResNet-18, batch norm in train mode", INNER, STREAMS)
def _():
    net = ResNet18(train=True)
    network = linen(net, (2, 16, 16, 3))

    def apply(params, x):
        return net.apply(params, x, mutable=["batch_stats"])[0]

    return network._replace(apply=apply)


@CASES.add("batch norm whose statistics are put out", {}, {"a": "output"})
def _():
    def call(self, x):
        x = nn.relu(nn.BatchNorm(False)(nn.Dense(16, name="a")(x)))
        return nn.Dense(3)(x)

    net = module(call)
    network = linen(net, (4, 5))
    apply = functools.partial(net.apply, mutable=["batch_stats"])
    return network._replace(apply=apply)


@CASES.add(
    "ConvNeXt block",
    {"up": 16},
    {"depthwise": "linear", "stem": "stream"},
)
def _():
    def call(self, x):
        x = nn.Conv(4, (2, 2), (2, 2), name="stem")(x)
        h = nn.Conv(4, (3, 3), feature_group_count=4, name="depthwise")(x)
        h = nn.gelu(nn.Dense(16, name="up")(nn.LayerNorm()(h)))
        gamma = self.param("gamma", nn.initializers.constant(0.1), (4,))
        x = x + gamma * nn.Dense(4, name="down")(h)
        return nn.Dense(3, name="head")(nn.LayerNorm()(x.mean((1, 2))))

    return linen(module(call), (2, 8, 8, 2))


def iqn():
    def call(self, inputs):
        x, taus = inputs
        x = nn.relu(nn.Dense(16, name="features")(x))
        cosines = jnp.cos(jnp.pi * jnp.arange(1, 9) * taus[..., None])
        x = x[:, None] * nn.relu(nn.Dense(16, name="quantiles")(cosines))
        return nn.Dense(3, name="head")(nn.relu(nn.Dense(12, name="last")(x))).mean(1)

    return init(module(call), (numbers((4, 5)), numbers((4, 6))))


CASES.add("IQN", {"last": 12}, {"features": "gate"})(iqn)
CASES.add("IQN, joint", {"last": 12, "features": 16}, joint=True)(iqn)


@CASES.add("QR-DQN", {"a": 12, "b": 12})
def _():
    def call(self, x):
        return nn.Dense(4 * 5, name="head")(dense("a", "b")(x)).reshape(-1, 4, 5)

    return linen(module(call), (3, 5))


@CASES.add("noisy dueling C51", {"a": 12, "v": 8, "w": 8})
def _():
    noise = numbers((32,), 1)

    def call(self, x):
        x = dense("a")(x)
        value = Noisy(5, name="v1")(nn.relu(Noisy(8, name="v")(x, noise)), noise)
        advantage = nn.relu(Noisy(8, name="w")(x, noise))
        advantage = Noisy(15, name="w1")(advantage, noise).reshape(-1, 3, 5)
        logits = value[:, None] + advantage - advantage.mean(1, keepdims=True)
        return (nn.softmax(logits) * jnp.linspace(-1, 1, 5)).sum(-1)

    return linen(module(call), (4, 5))


@CASES.add(
    "twin critics of a state and an action", {"a": 12, "b": 12, "c": 12, "d": 12}
)
def _():
    def call(self, inputs):
        x = jnp.concatenate(inputs, -1)
        one = nn.Dense(1, name="q1")(dense("a", "b")(x))
        return jnp.minimum(one, nn.Dense(1, name="q2")(dense("c", "d")(x)))

    return init(module(call), (numbers((4, 5)), numbers((4, 2))))


@CASES.add("TD3's actor and critic at once", {"a": 12, "b": 12}, {"actor": "output"})
def _():
    def call(self, x):
        action = jnp.tanh(nn.Dense(2, name="actor")(dense("a")(x)))
        value = nn.Dense(1, name="q")(dense("b")(jnp.concatenate([x, action], -1)))
        return action, value

    return linen(module(call), (4, 5))


@CASES.add("SAC's squashed policy", {"a": 12, "b": 12})
def _():
    def call(self, x):
        x = dense("a", "b")(x)
        mean, log_std = nn.Dense(2, name="mean")(x), nn.Dense(2, name="std")(x)
        std = jnp.exp(jnp.clip(log_std, -5, 2))
        return jnp.tanh(mean + std * jax.random.normal(key(), mean.shape)), std

    return linen(module(call), (4, 5))


@CASES.add("mixed actions, several heads", {"a": 12})
def _():
    def call(self, x):
        x = dense("a")(x)
        return {f"head_{n}": nn.softmax(nn.Dense(n)(x)) for n in (2, 3, 4)}

    return linen(module(call), (4, 5))


@CASES.add("Impala's LSTM core", {"conv": 4, "d": 12}, {"lstm/cell/hi": "gate"})
def _():
    def call(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        x = nn.relu(nn.Dense(12, name="d")(x.reshape(*x.shape[:2], -1)))
        x = nn.RNN(nn.OptimizedLSTMCell(8, parent=None), name="lstm")(x)
        return nn.Dense(3, name="policy")(x), nn.Dense(1, name="value")(x)

    return linen(module(call), (2, 3, 6, 6, 2))


@CASES.add(
    "world model: GRU, prior, decoder, reward",
    {"encoder": 12, "prior": 8, "decoder": 12, "reward": 6},
    {"gru/cell/ir": "gate"},
)
def _():
    def call(self, inputs):
        x, action = inputs
        x = nn.relu(nn.Dense(12, name="encoder")(x))
        x = jnp.concatenate([x, action], -1)
        h = nn.RNN(nn.GRUCell(10, parent=None), name="gru")(x)
        prior = nn.Dense(4, name="logits")(nn.silu(nn.Dense(8, name="prior")(h)))
        out = nn.Dense(5, name="image")(nn.silu(nn.Dense(12, name="decoder")(h)))
        reward = nn.Dense(1, name="r")(nn.silu(nn.Dense(6, name="reward")(h)))
        return prior, out, reward

    return init(module(call), (numbers((2, 4, 5)), numbers((2, 4, 2))))


@CASES.add(
    "U-Net",
    {"down_0": 4, "down_1": 5, "middle": 6, "up_1": 5, "up_0": 4},
    {"widen_1": "linear", "widen_0": "linear"},
)
def _():
    def call(self, x):
        conv = functools.partial(nn.Conv, kernel_size=(3, 3))
        a = nn.relu(conv(4, name="down_0")(x))
        b = nn.relu(conv(5, name="down_1")(nn.max_pool(a, (2, 2), (2, 2))))
        m = nn.relu(conv(6, name="middle")(nn.max_pool(b, (2, 2), (2, 2))))
        u = nn.ConvTranspose(5, (2, 2), (2, 2), name="widen_1")(m)
        u = nn.relu(conv(5, name="up_1")(jnp.concatenate([u, b], -1)))
        u = nn.ConvTranspose(4, (2, 2), (2, 2), name="widen_0")(u)
        u = nn.relu(conv(4, name="up_0")(jnp.concatenate([u, a], -1)))
        return conv(2, name="head")(u)

    return linen(module(call), (1, 8, 8, 2))


@CASES.add("DeepSets", {"a": 12, "b": 12, "c": 12})
def _():
    def call(self, x):
        x = dense("a", "b")(x).sum(1)
        return nn.Dense(1, name="head")(dense("c")(x))

    return linen(module(call), (4, 6, 5))


@CASES.add("PointNet", {"a": 12, "b": 12, "c": 12})
def _():
    def call(self, x):
        x = dense("a", "b")(x).max(1)
        return nn.Dense(1, name="head")(dense("c")(x))

    return linen(module(call), (4, 6, 5))


@CASES.add("graph network of fixed edges", {"a": 12, "b": 12})
def _():
    senders, receivers = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 0])

    def call(self, x):
        x = dense("a")(x)
        edges = jnp.concatenate([x[:, senders], x[:, receivers]], -1)
        return nn.Dense(1, name="head")(dense("b")(edges).sum(1))

    return linen(module(call), (2, 4, 5))


@CASES.add(
    "mixture of experts, all of them",
    {"trunk": 12, "experts": 24},
    {"gates": "product", "down": "product"},
)
def _():
    def call(self, x):
        x = dense("trunk")(x)
        gates = nn.softmax(nn.Dense(3, name="gates")(x))
        up = self.param("experts", nn.initializers.lecun_normal(), (3, 12, 8))
        down = self.param("down", nn.initializers.lecun_normal(), (3, 8, 2))
        h = nn.relu(jnp.einsum("bi,eio->ebo", x, up))
        return jnp.einsum("ebo,eoc,be->bc", h, down, gates)

    return linen(module(call), (4, 5))


@CASES.add(
    "mixture of experts, the best",
    {},
    {"trunk": "product", "gates": "argmax", "up": "product", "down": "product"},
)
def _():
    def call(self, x):
        x = dense("trunk")(x)
        best = jnp.argmax(nn.Dense(3, name="gates")(x), -1)
        up = self.param("up", nn.initializers.lecun_normal(), (3, 12, 8))
        down = self.param("down", nn.initializers.lecun_normal(), (3, 8, 2))
        h = nn.relu(jnp.einsum("bi,bio->bo", x, up[best]))
        return jnp.einsum("bo,boc->bc", h, down[best])

    return linen(module(call), (4, 5))


@CASES.add("universal value function, goal by a product")
def _():
    def call(self, inputs):
        state, goal = inputs
        one, other = dense("a")(state), dense("b")(goal)
        return (one * other).sum(-1)

    return init(module(call), (numbers((4, 5)), numbers((4, 3))))


@CASES.add("successor features", {"a": 12, "psi": 12}, {})
def _():
    def call(self, inputs):
        x, w = inputs
        psi = nn.Dense(6, name="features")(dense("psi")(dense("a")(x)))
        return jnp.einsum("bf,bf->b", psi, w), psi

    return init(module(call), (numbers((4, 5)), numbers((4, 6))))


@CASES.add("FiLM by the input", {"b": 12}, {"film": "gate"})
def _():
    def call(self, inputs):
        x, goal = inputs
        scale, shift = jnp.split(nn.Dense(24, name="film")(goal), 2, -1)
        x = nn.Dense(12, name="a")(x)
        return nn.Dense(2, name="head")(dense("b")(nn.relu(x * scale + shift)))

    return init(module(call), (numbers((4, 5)), numbers((4, 3))))


@CASES.add("VAE", {"a": 12, "b": 12}, {"mean": "output"})
def _():
    def call(self, x):
        h = dense("a")(x)
        mean, log_var = nn.Dense(3, name="mean")(h), nn.Dense(3, name="log_var")(h)
        z = mean + jnp.exp(log_var / 2) * jax.random.normal(key(), mean.shape)
        return nn.Dense(5, name="out")(dense("b")(z)), mean, log_var

    return linen(module(call), (4, 5))


@CASES.add("random Fourier features of the input", {"a": 12})
def _():
    frequencies = numbers((5, 8), 2)

    def call(self, x):
        x = jnp.concatenate([jnp.sin(x @ frequencies), jnp.cos(x @ frequencies)], -1)
        return nn.Dense(2, name="head")(dense("a")(x))

    return linen(module(call), (4, 5))


@CASES.add("spatial softmax", {"conv": 4, "d": 12}, {})
def _():
    grid = np.linspace(-1, 1, 6, dtype=np.float32)

    def call(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        weights = jax.nn.softmax(x.reshape(x.shape[0], -1, 4), axis=1)
        weights = weights.reshape(x.shape)
        points = [(weights * grid[:, None, None]).sum((1, 2))]
        points += [(weights * grid[:, None]).sum((1, 2))]
        return nn.Dense(2, name="head")(dense("d")(jnp.concatenate(points, -1)))

    return linen(module(call), (2, 6, 6, 2))


@CASES.add("a stack of frames by a 3-D convolution", {"conv": 4, "d": 12})
def _():
    def call(self, x):
        x = nn.relu(nn.Conv(4, (2, 3, 3), padding="VALID", name="conv")(x))
        return nn.Dense(2, name="head")(dense("d")(x.reshape(x.shape[0], -1)))

    return linen(module(call), (2, 4, 6, 6, 2))


@CASES.add("causal convolutions over time (TCN)", {"a": 4, "b": 5})
def _():
    def call(self, x):
        for name, size, step in (("a", 4, 1), ("b", 5, 2)):
            conv = nn.Conv(
                size, (2,), kernel_dilation=step, padding="CAUSAL", name=name
            )
            x = nn.relu(conv(x))
        return nn.Dense(2, name="head")(x[:, -1])

    return linen(module(call), (2, 8, 3))


@CASES.add("a locally connected layer", {"local": 24, "d": 12})
def _():
    def call(self, x):
        x = nn.relu(nn.ConvLocal(4, (3,), padding="VALID", name="local")(x))
        return nn.Dense(2, name="head")(dense("d")(x.reshape(x.shape[0], -1)))

    return linen(module(call), (2, 8, 3))


@CASES.add("highway", {}, {"h": "stream", "embed": "stream"})
def _():
    def call(self, x):
        x = nn.relu(nn.Dense(8, name="embed")(x))
        gate = nn.sigmoid(nn.Dense(8, name="t")(x))
        x = gate * nn.relu(nn.Dense(8, name="h")(x)) + (1 - gate) * x
        return nn.Dense(2, name="head")(x)

    return linen(module(call), (4, 5))


@CASES.add("DenseNet", {"a": 6, "b": 6, "c": 6})
def _():
    def call(self, x):
        for name in ("a", "b", "c"):
            x = jnp.concatenate([x, nn.relu(nn.Conv(6, (3, 3), name=name)(x))], -1)
        return nn.Dense(2, name="head")(x.mean((1, 2)))

    return linen(module(call), (2, 6, 6, 2))


@CASES.add("late fusion of two inputs by a sum", {"left": 12, "d": 12})
def _():
    def call(self, inputs):
        one, other = inputs
        h = nn.Dense(12, name="left")(one) + nn.Dense(12, name="right")(other)
        return nn.Dense(2, name="head")(dense("d")(nn.relu(h)))

    return init(module(call), (numbers((4, 5)), numbers((4, 3))))


@CASES.add("hypernetwork", {"h": 8}, {"weights": "product"})
def _():
    def call(self, inputs):
        x, goal = inputs
        weights = nn.Dense(5 * 2, name="weights")(dense("h", size=8)(goal))
        return jnp.einsum("bi,bio->bo", x, weights.reshape(-1, 5, 2))

    return init(module(call), (numbers((4, 5)), numbers((4, 3))))


@CASES.add("text by embedding and mean", {"d": 12}, {"table": "linear"})
def _():
    def call(self, tokens):
        x = nn.Embed(11, 8, name="table")(tokens).mean(1)
        return nn.Dense(2, name="head")(dense("d")(x))

    tokens = (numbers((3, 6)) * 11).astype(jnp.int32)
    return init(module(call), tokens)


@CASES.add("Q of the action taken", {"a": 12}, {"head": "index"})
def _():
    def call(self, inputs):
        x, action = inputs
        q = nn.Dense(4, name="head")(dense("a")(x))
        return jnp.take_along_axis(q, action[:, None], 1)[:, 0]

    return init(module(call), (numbers((4, 5)), np.array([0, 3, 1, 2])))


@CASES.add("half precision inside", {"a": 12, "b": 12})
def _():
    def call(self, x):
        layer = functools.partial(nn.Dense, dtype=jnp.bfloat16)
        x = nn.relu(layer(12, name="a")(x))
        return nn.Dense(2, name="head")(nn.relu(layer(12, name="b")(x)))

    return linen(module(call), (4, 5))


@CASES.add("remat blocks", {"Remat_0": 12, "Remat_1": 12})
def _():
    def call(self, x):
        block = nn.remat(nn.Dense)
        for i in range(2):
            x = nn.relu(block(12, name=f"Remat_{i}")(x))
        return nn.Dense(2, name="head")(x)

    return linen(module(call), (4, 5))
