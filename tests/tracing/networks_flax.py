"""Networks that others write with flax.linen."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from tracing.cases import Network, Table, linen, numbers

CASES = Table()
CONSTANT = jax.nn.initializers.constant


def module(call):
    """A module of one compact method."""

    class Module(nn.Module):
        @nn.compact
        def __call__(self, x):
            return call(self, x)

    return Module()


@CASES.add("sequential", {"layers_0": 16, "layers_2": 12})
def _():
    layers = [nn.Dense(16), nn.relu, nn.Dense(12), nn.tanh, nn.Dense(3)]
    return linen(nn.Sequential(layers), (4, 5))


@CASES.add("jit, remat and vmap", {"layers_0": 16, "layers_2": 12})
def _():
    layers = [nn.Dense(16), nn.relu, nn.Dense(12), nn.gelu, nn.Dense(3)]
    network = linen(nn.Sequential(layers), (4, 5))
    one = jax.checkpoint(jax.jit(network.apply))
    return network._replace(apply=jax.vmap(one, (None, 0)))


@CASES.add("CleanRL's DQN", {"Conv_0": 8, "Conv_1": 12, "Dense_0": 20})
def _():
    def call(self, x):
        x = jnp.transpose(x, (0, 2, 3, 1)) / 255.0
        x = nn.relu(nn.Conv(8, (8, 8), (4, 4), padding="VALID")(x))
        x = nn.relu(nn.Conv(12, (4, 4), (2, 2), padding="VALID")(x))
        x = nn.relu(nn.Dense(20)(x.reshape((x.shape[0], -1))))
        return nn.Dense(4)(x)

    return linen(module(call), (2, 4, 36, 36))


@CASES.add(
    "purejaxrl's actor-critic",
    {"Dense_0": 16, "Dense_1": 16, "Dense_3": 16, "Dense_4": 16},
    unexplained={"params/log_std"},
)
def _():
    def call(self, x):
        actor = nn.tanh(nn.Dense(16)(x))
        actor = nn.tanh(nn.Dense(16)(actor))
        actor = nn.Dense(3)(actor)
        log_std = self.param("log_std", nn.initializers.zeros, (3,))
        critic = nn.tanh(nn.Dense(16)(x))
        critic = nn.tanh(nn.Dense(16)(critic))
        critic = nn.Dense(1)(critic)
        return actor, jnp.exp(log_std), jnp.squeeze(critic, -1)

    return linen(module(call), (4, 5))


@CASES.add("dueling, two hidden streams", {"a": 16, "b": 8, "c": 10})
def _():
    def call(self, x):
        x = nn.relu(nn.Dense(16, name="a")(x))
        value = nn.Dense(1)(nn.relu(nn.Dense(8, name="b")(x)))
        advantage = nn.Dense(4)(nn.relu(nn.Dense(10, name="c")(x)))
        return value + advantage - advantage.mean(-1, keepdims=True)

    return linen(module(call), (4, 5))


@CASES.add("several heads, one behind a stop_gradient", {"Dense_0": 16})
def _():
    def call(self, x):
        x = nn.relu(nn.Dense(16)(x))
        heads = nn.Dense(3)(x), nn.softplus(nn.Dense(3)(x))
        return *heads, nn.Dense(1)(jax.lax.stop_gradient(x))

    return linen(module(call), (4, 5))


@CASES.add("dense skip concatenations (D2RL)", {"Dense_0": 16, "Dense_1": 12})
def _():
    def call(self, x):
        a = jnp.concatenate([nn.relu(nn.Dense(16)(x)), x], -1)
        b = nn.relu(nn.Dense(12)(a))
        return nn.Dense(3)(jnp.concatenate([x, b, a], -1))

    return linen(module(call), (4, 5))


@CASES.add("concatenated channels, flattened", {"Conv_0": 6, "Conv_1": 5, "Dense_0": 9})
def _():
    def call(self, x):
        a = nn.relu(nn.Conv(6, (3, 3))(x))
        b = nn.relu(nn.Conv(5, (3, 3))(a))
        h = nn.max_pool(jnp.concatenate([a, b], -1), (2, 2), (2, 2))
        h = nn.relu(nn.Dense(9, name="Dense_0")(h.reshape(h.shape[0], -1)))
        return nn.Dense(3, name="head")(h)

    return linen(module(call), (2, 8, 8, 2))


@CASES.add("global average pool", {"Conv_0": 6, "Conv_1": 7})
def _():
    def call(self, x):
        x = nn.avg_pool(nn.relu(nn.Conv(6, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(3)(nn.relu(nn.Conv(7, (3, 3))(x)).mean((1, 2)))

    return linen(module(call), (2, 8, 8, 2))


@CASES.add(
    "depthwise and grouped convolutions",
    {"Conv_0": 6, "Conv_1": 6, "Conv_2": 8, "Conv_3": 8},
)
def _():
    def call(self, x):
        x = nn.relu(nn.Conv(6, (3, 3))(x))
        x = nn.relu(nn.Conv(6, (3, 3), feature_group_count=6)(x))
        x = nn.relu(nn.Conv(8, (1, 1))(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=2)(x))
        return nn.Dense(3)(x.mean((1, 2)))

    return linen(module(call), (2, 8, 8, 2))


@CASES.add("batch norm, eval", {"Dense_0": 16, "Dense_1": 12})
def _():
    def call(self, x):
        x = nn.relu(nn.BatchNorm(True)(nn.Dense(16)(x)))
        x = nn.relu(nn.BatchNorm(True)(nn.Dense(12)(x)))
        return nn.Dense(3)(x)

    return linen(module(call), (4, 5))


@CASES.add("layer norm before and after", {"Dense_0": 16, "Dense_1": 12})
def _():
    def call(self, x):
        x = nn.relu(nn.LayerNorm()(nn.Dense(16)(x)))
        x = nn.LayerNorm()(nn.relu(nn.Dense(12)(x)))
        return nn.Dense(3)(x)

    return linen(module(call), (4, 5))


@CASES.add("group norm", {"Conv_0": 8})
def _():
    def call(self, x):
        x = nn.relu(nn.GroupNorm(2)(nn.Conv(8, (3, 3))(x)))
        return nn.Dense(3)(x.mean((1, 2)))

    return linen(module(call), (2, 6, 6, 2))


@CASES.add("RMS norm", {"a": 16})
def _():
    def call(self, x):
        return nn.Dense(3)(nn.silu(nn.RMSNorm()(nn.Dense(16, name="a")(x))))

    return linen(module(call), (4, 5))


def transformer(call_mask=None):
    def call(self, tokens):
        x = nn.Embed(11, 16)(tokens)
        x = x + self.param("position", nn.initializers.normal(), (6, 16))
        for i in range(2):
            attend = nn.MultiHeadDotProductAttention(
                4, deterministic=True, name=f"attention_{i}"
            )
            x = x + attend(nn.LayerNorm()(x))
            h = nn.gelu(nn.Dense(32, name=f"up_{i}")(nn.LayerNorm()(x)))
            x = x + nn.Dense(16, name=f"down_{i}")(h)
        return nn.Dense(3, name="head")(nn.LayerNorm()(x)[:, 0])

    tokens = (numbers((2, 6)) * 11).astype(jnp.int32)
    net = module(call)
    params = jax.eval_shape(lambda k: net.init(k, tokens), jax.random.PRNGKey(0))
    return Network(net.apply, params, tokens)


CASES.add(
    "transformer",
    {"up_0": 32, "up_1": 32},
    {
        "Embed_0": "residual stream",
        "attention_0/query": "product of two activations",
        "attention_0/key": "product of two activations",
        "attention_0/value": "linear",
        "attention_1/query": "product of two activations",
        "attention_1/key": "product of two activations",
        "attention_1/value": "linear",
    },
)(transformer)
CASES.add(
    "transformer, values recycled",
    {"up_0": 32, "up_1": 32, "attention_0/value": 16, "attention_1/value": 16},
    {
        "Embed_0": "residual stream",
        "attention_0/query": "product of two activations",
        "attention_0/key": "product of two activations",
        "attention_1/query": "product of two activations",
        "attention_1/key": "product of two activations",
    },
    linear=True,
)(transformer)


def swiglu():
    def call(self, x):
        x = nn.relu(nn.Dense(8, name="first")(x))
        up = nn.Dense(16, use_bias=False, name="up")(x)
        return nn.Dense(3)(nn.silu(nn.Dense(16, use_bias=False, name="gate")(x)) * up)

    return linen(module(call), (4, 5))


CASES.add("SwiGLU", {"first": 8}, {"up": "gate"})(swiglu)
CASES.add("SwiGLU, joint", {"first": 8, "up": 16}, joint=True)(swiglu)


def recurrent(cell):
    def call(self, x):
        x = nn.relu(nn.Dense(9)(x))
        x = nn.RNN(cell(12, parent=None))(x)
        return nn.Dense(3, name="head")(nn.relu(nn.Dense(7, name="last")(x)))

    return linen(module(call), (2, 6, 5))


RECURRENT = {"Dense_0": 9, "last": 7}
CASES.add("simple recurrent cell", {**RECURRENT, "RNN_0/cell/i": 12})(
    lambda: recurrent(nn.SimpleCell)
)
CASES.add("GRU", RECURRENT, {"RNN_0/cell/ir": "gate"})(lambda: recurrent(nn.GRUCell))
CASES.add("GRU, joint", {**RECURRENT, "RNN_0/cell/ir": 12}, joint=True)(
    lambda: recurrent(nn.GRUCell)
)
CASES.add("LSTM, joint", {**RECURRENT, "RNN_0/cell/ii": 12}, joint=True)(
    lambda: recurrent(nn.LSTMCell)
)
CASES.add("optimized LSTM", RECURRENT, {"RNN_0/cell/hi": "gate"})(
    lambda: recurrent(nn.OptimizedLSTMCell)
)


@CASES.add(
    "nn.scan over layers",
    {f"ScanBlock_0/up[{i}]": 12 for i in range(3)},
    {"Dense_0": "residual stream"},
)
def _():
    class Block(nn.Module):
        @nn.compact
        def __call__(self, carry, _):
            up = nn.relu(nn.Dense(12, name="up")(carry))
            return carry + nn.Dense(8, name="down")(up), None

    def call(self, x):
        blocks = nn.scan(
            Block,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=3,
        )
        x, _ = blocks()(nn.Dense(8)(x), None)
        return nn.Dense(3, name="head")(x)

    return linen(module(call), (4, 5))


def ensemble(critic, shape):
    """Two members in one tree of parameters."""
    vmapped = nn.vmap(
        critic,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=None,
        out_axes=0,
        axis_size=2,
    )
    return linen(vmapped(), shape)


@CASES.add("twin critics by nn.vmap", {"a": 32, "b": 24})
def _():
    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Dense(16, name="a")(x))
            return nn.Dense(1)(nn.relu(nn.Dense(12, name="b")(x)))

    return ensemble(Critic, (4, 5))


@CASES.add("convolutional ensemble by nn.vmap", {"a": 12, "b": 10, "c": 14})
def _():
    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(6, (3, 3), name="a")(x))
            x = nn.relu(nn.Conv(5, (3, 3), name="b")(x))
            x = nn.relu(nn.Dense(7, name="c")(x.reshape(x.shape[0], -1)))
            return nn.Dense(1)(x)

    return ensemble(Critic, (2, 6, 6, 2))


@CASES.add("tied autoencoder", {}, {"w": "tied"})
def _():
    def call(self, x):
        w = self.param("w", nn.initializers.lecun_normal(), (5, 16))
        return nn.relu(x @ w) @ w.T

    return linen(module(call), (4, 5))


@CASES.add("siamese encoder", {"a": 16, "b": 8})
def _():
    def call(self, x):
        a, b = nn.Dense(16, name="a"), nn.Dense(8, name="b")
        twins = [nn.relu(b(nn.relu(a(k * x)))) for k in (1, 2)]
        return nn.Dense(3)(jnp.concatenate(twins, -1))

    return linen(module(call), (4, 5))


@CASES.add("shared decoder", {}, {"Dense_0": "shared", "Dense_1": "shared"})
def _():
    def call(self, x):
        decode = nn.Dense(3, name="decoder")
        first, second = nn.Dense(16), nn.Dense(16)
        return decode(nn.relu(first(x))), decode(nn.relu(second(x)))

    return linen(module(call), (4, 5))


@CASES.add("a decoder that reads the input too", {}, {"Dense_0": "shared"})
def _():
    def call(self, x):
        decode = nn.Dense(3, name="decoder")
        return decode(nn.relu(nn.Dense(5)(x))), decode(x)

    return linen(module(call), (4, 5))


class Noisy(nn.Module):
    """A noisy layer (Fortunato et al., 2018)."""

    units: int

    @nn.compact
    def __call__(self, x, noise):
        size, draw = x.shape[-1], nn.initializers.lecun_normal()
        mu = self.param("mu", draw, (size, self.units))
        sigma = self.param("sigma", CONSTANT(0.1), (size, self.units))
        bias = self.param("bias", nn.initializers.zeros, (self.units,))
        bias_sigma = self.param("bias_sigma", CONSTANT(0.1), (self.units,))
        one, other = noise[:size], noise[: self.units]
        weights = mu + sigma * (one[:, None] * other)
        return x @ weights + bias + bias_sigma * other


@CASES.add("noisy net, noise by a constant", {"a": 16, "b": 12})
def _():
    noise = numbers((16,), 3)

    def call(self, x):
        x = nn.relu(Noisy(16, name="a")(x, noise))
        return Noisy(3)(nn.relu(Noisy(12, name="b")(x, noise)), noise)

    return linen(module(call), (4, 5))


@CASES.add("noisy net, noise by an input", {"a": 16, "b": 12})
def _():
    def call(self, inputs):
        x, noise = inputs
        x = nn.relu(Noisy(16, name="a")(x, noise))
        return Noisy(3)(nn.relu(Noisy(12, name="b")(x, noise)), noise)

    net, example = module(call), (numbers((4, 5)), numbers((16,), 3))
    params = jax.eval_shape(lambda k: net.init(k, example), jax.random.PRNGKey(0))
    return Network(net.apply, params, example)


@CASES.add("weight norm", {}, {"Dense_0": "computed", "Dense_1": "computed"})
def _():
    def call(self, x):
        x = nn.relu(nn.WeightNorm(nn.Dense(16))(x))
        x = nn.relu(nn.WeightNorm(nn.Dense(12))(x))
        return nn.Dense(3)(x)

    return linen(module(call), (4, 5))


@CASES.add("returns its features too", {"Dense_0": 16}, {"Dense_1": "output"})
def _():
    def call(self, x):
        a = nn.relu(nn.Dense(16)(x))
        b = nn.relu(nn.Dense(12)(a))
        return nn.Dense(3)(b), b

    return linen(module(call), (4, 5))


@CASES.add(
    "squeeze and excite",
    {"squeeze": 4, "last": 6},
    {"first": "stream", "excite": "stream"},
)
def _():
    def call(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), name="first")(x))
        s = nn.relu(nn.Dense(4, name="squeeze")(x.mean((1, 2))))
        x = x * nn.sigmoid(nn.Dense(8, name="excite")(s))[:, None, None]
        x = nn.relu(nn.Conv(6, (3, 3), name="last")(x))
        return nn.Dense(3, name="head")(x.mean((1, 2)))

    return linen(module(call), (2, 8, 8, 2))


@CASES.add(
    "MLP-Mixer",
    {"tokens_up": 10, "channels_up": 16},
    {"embed": "another axis", "tokens_down": "", "channels_down": ""},
)
def _():
    def call(self, x):
        x = nn.Dense(8, name="embed")(x)
        y = nn.gelu(nn.Dense(10, name="tokens_up")(jnp.swapaxes(x, 1, 2)))
        x = x + jnp.swapaxes(nn.Dense(6, name="tokens_down")(y), 1, 2)
        y = nn.gelu(nn.Dense(16, name="channels_up")(x))
        x = x + nn.Dense(8, name="channels_down")(y)
        return nn.Dense(3, name="head")(x.mean(1))

    return linen(module(call), (2, 6, 5))


@CASES.add(
    "ResNet with batch norm",
    {"inner_0": 8, "inner_1": 12, "outer_1": 12},
    {"stem": "residual stream", "outer_0": "residual stream"},
)
def _():
    def call(self, x):
        conv = functools.partial(nn.Conv, kernel_size=(3, 3), use_bias=False)
        x = nn.relu(nn.BatchNorm(True)(conv(8, name="stem")(x)))
        for i, (channels, s) in enumerate(((8, 1), (12, 2))):
            y = conv(channels, strides=(s, s), name=f"inner_{i}")(x)
            y = nn.relu(nn.BatchNorm(True)(y))
            y = nn.BatchNorm(True)(conv(channels, name=f"outer_{i}")(y))
            if s > 1:
                x = nn.Conv(channels, (1, 1), (s, s), use_bias=False, name="skip")(x)
                x = nn.BatchNorm(True)(x)
            x = nn.relu(y + x)
        return nn.Dense(3, name="head")(x.mean((1, 2)))

    return linen(module(call), (2, 8, 8, 3))
