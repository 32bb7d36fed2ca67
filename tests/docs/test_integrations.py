"""Pages of other libraries' loops: few lines are added, and neurons are recycled."""

import functools
import re

import equinox as eqx
import flax
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx

from helpers import documents
from redo_dopamine import PurePlasticity, redo, trace_network

KEY = jax.random.PRNGKey(5)
NUM_DEAD = 3
NAMES = ("cleanrl", "purejaxrl", "equinox", "nnx", "haiku")
# Of those, the ones whose loop is in Python.
LOOPS = tuple(name for name in NAMES if name != "purejaxrl")
NUMBERS = {"Nine": 9, "Ten": 10}
OURS = re.compile(r"redo|plasticity|memory|traced|draw_params|recycling", re.IGNORECASE)


def text(name):
    return (documents.ROOT / "docs" / f"with_{name}.md").read_text()


def source(name, *replaced):
    """The code of a page, with some of it replaced."""
    [block] = documents.blocks(text(name), "python")
    code = block.text
    if tuple(map(int, flax.__version__.split(".")[:2])) >= (0, 11):  # As the page says.
        code = code.replace("optimizer.update(nnx.", "optimizer.update(model, nnx.")
    for old, new in replaced:
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    return code


@functools.cache
def at_tau_zero(name):
    """What a page defines before it trains, with other settings of ReDo."""
    settings = ("redo(tau=0.1, period=100)", "redo(tau=0.0, period=2)")
    code, loop, _ = source(name, settings).partition("\nfor step in")
    assert loop
    scope = {"__name__": name}
    exec(compile(code, name, "exec"), scope)
    return scope


@pytest.mark.parametrize("name", NAMES)
def test_at_most_ten_lines_are_added(name):
    lines = source(name).splitlines()
    marked = [line for line in lines if re.search(r"# ReDo(:|$)", line)]
    [said] = re.findall(r"^(\w+) lines, marked `# ReDo`", text(name), re.MULTILINE)
    assert NUMBERS[said] == len(marked) <= 10
    others = [line for line in lines if line not in marked and OURS.search(line)]
    assert others == []


def killed(params, bias):
    """Parameters with neurons that never fire."""

    def one(path, x):
        is_it = jax.tree_util.keystr(path) == bias
        return x.at[:NUM_DEAD].set(-99.0) if is_it else x

    return jax.tree_util.tree_map_with_path(one, params)


class Cleanrl:
    bias = "['params']['Dense_0']['bias']"

    def __init__(self, scope):
        self.scope = scope
        self.batch = {k: v[:64] for k, v in scope["replay"].items()}
        self.states = self.batch["obs"]
        self.apply = scope["network"].apply

    def start(self):
        state = self.scope["q_state"]
        return state.replace(params=killed(state.params, self.bias))

    def step(self, learner, memory):
        return self.scope["update"](learner, memory, self.batch)[1:]

    def params(self, learner):
        return learner.params


class Equinox:
    bias = ".layers[0].bias"

    def __init__(self, scope):
        self.scope = scope
        self.states = scope["x"]

    def start(self):
        scope = self.scope
        return killed(scope["model"], self.bias), scope["opt_state"]

    def step(self, learner, memory):
        data = self.scope["x"], self.scope["y"]
        return self.scope["update"](*learner, memory, *data)

    def params(self, learner):
        return eqx.filter(learner[0], eqx.is_inexact_array)

    def apply(self, params, x):
        return jax.vmap(eqx.combine(params, self.scope["static"]))(x)


class Haiku(Equinox):
    bias = "['mlp/~/linear_0']['b']"

    def start(self):
        scope = self.scope
        return killed(scope["params"], self.bias), scope["opt_state"]

    def params(self, learner):
        return learner[0]

    def apply(self, params, x):
        return self.scope["network"].apply(params, x)


class Nnx:
    def __init__(self, scope):
        self.scope = scope
        self.states = scope["states"]
        self.apply = scope["apply"]

    def start(self):
        model, optimizer = self.copy((self.scope["model"], self.scope["optimizer"]))
        bias = model.first.bias
        bias.value = bias.value.at[:NUM_DEAD].set(-99.0)
        return model, optimizer

    def copy(self, learner):
        graphdef, state = nnx.split(learner)
        return nnx.merge(graphdef, jax.tree.map(jnp.copy, state))

    def step(self, learner, memory):
        model, optimizer = self.copy(learner)  # They are changed in place.
        data = self.scope["states"], self.scope["targets"]
        memory, found = self.scope["update"](model, optimizer, memory, *data)
        return (model, optimizer), memory, found

    def params(self, learner):
        return nnx.state(learner[0])


DRIVERS = {"cleanrl": Cleanrl, "equinox": Equinox, "haiku": Haiku, "nnx": Nnx}


@pytest.mark.parametrize("name", LOOPS)
def test_dead_neurons_come_to_life_and_outputs_stay(name):
    scope = at_tau_zero(name)
    driver, traced = DRIVERS[name](scope), scope["traced"]
    first = traced.graph.layers[0].name
    memory = scope["memory"]
    learner, memory, nothing = driver.step(driver.start(), memory)
    later = memory._replace(step=memory.step + 1)
    (here, _, found), (spared, _, none) = (
        driver.step(learner, x) for x in (memory, later)
    )
    assert nothing.keys() == found.keys() == none.keys()
    recycled = f"recycled/{first}"
    assert int(nothing[recycled]) == int(none[recycled]) == 0
    assert int(found[recycled]) >= NUM_DEAD

    params, unchanged = (driver.params(x) for x in (here, spared))
    dead = traced.collect(unchanged, driver.states)[first][..., :NUM_DEAD]
    alive = traced.collect(params, driver.states)[first][..., :NUM_DEAD]
    assert np.all(dead == 0)
    assert np.all(np.any(alive > 0, axis=0))
    outputs = jax.jit(driver.apply)
    np.testing.assert_array_equal(
        outputs(params, driver.states), outputs(unchanged, driver.states)
    )


# purejaxrl's, where all of training is one function.


def trained(tau, period, num_iterations=3):
    """What seeds end with, and what each of them found, if some neurons begin dead."""
    code = source(
        "purejaxrl",
        ("redo(tau=0.1, period=3)", f"redo(tau={tau}, period={period})"),
        ("NUM_ITERATIONS = 4, 8, 6", f"NUM_ITERATIONS = 4, 8, {num_iterations}"),
        ("network.init(init_rng, obs)", "kill(network.init(init_rng, obs))"),
        ('metrics = {"reward"', 'metrics = {"obs": path.obs, "reward"'),
    )
    bias = "['params']['Dense_0']['bias']"
    scope = {"__name__": "purejaxrl", "kill": lambda params: killed(params, bias)}
    exec(compile(code, "purejaxrl", "exec"), scope)
    return scope


def test_in_purejaxrls_loop_dead_neurons_come_to_life_and_outputs_stay():
    recycling, sparing = (trained(0.0, period) for period in (3, 4))
    found, nothing = recycling["metrics"], sparing["metrics"]
    assert found.keys() == nothing.keys()
    assert {x.shape for k, x in found.items() if k != "obs"} == {(3, 3)}
    first = next(k for k in found if k.startswith("recycled/"))
    assert np.all(found[first][:, :2] == 0)
    assert np.all(found[first][:, 2] >= NUM_DEAD)
    assert np.all(nothing[first] == 0)
    np.testing.assert_array_equal(found["obs"], nothing["obs"])

    network = recycling["ActorCritic"]()
    params, unchanged = (x["train_state"].params for x in (recycling, sparing))
    biases, dead = (
        x["params"]["Dense_0"]["bias"][:, :NUM_DEAD] for x in (params, unchanged)
    )
    assert np.all(dead == -99)
    assert np.all(biases == 0)
    outputs = jax.jit(jax.vmap(network.apply))
    last = found["obs"][:, -1]
    jax.tree.map(
        np.testing.assert_array_equal, outputs(params, last), outputs(unchanged, last)
    )


def test_in_purejaxrls_loop_seeds_share_the_branch():
    code = source("purejaxrl").partition("\nseeds =")[0]
    scope = {"__name__": "purejaxrl"}
    exec(compile(code, "purejaxrl", "exec"), scope)
    keys = jax.random.split(KEY, 2)
    program = str(jax.make_jaxpr(jax.vmap(scope["train"]))(keys))
    assert program.count("cond[") == 1


# What the pages say besides.


def recycles(apply, draw_params, example, **options):
    """Whether a network can be traced, and one recycle runs; its layers."""
    params = draw_params(KEY)
    traced = trace_network(apply, params, example, **options)
    optimizer = optax.adam(1e-3)
    plasticity = PurePlasticity(traced, redo(period=1), draw_params, optimizer)
    learner = params, optimizer.init(params)
    memory = plasticity.init(learner, KEY)
    step = jax.jit(plasticity.after_update)
    (params, _), memory, found = step(learner, memory, example)
    assert int(memory.step) == 1
    assert all(f"recycled/{x.name}" in found for x in traced.graph.recyclable_layers)
    return [x.name for x in traced.graph.recyclable_layers]


def test_pixels_may_be_transposed_first():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = jnp.transpose(x, (0, 2, 3, 1)) / 255.0
            x = nn.relu(nn.Conv(6, (4, 4), (2, 2), padding="VALID")(x))
            x = nn.relu(nn.Dense(8)(x.reshape((x.shape[0], -1))))
            return nn.Dense(3)(x)

    states = jnp.ones((2, 4, 12, 12), jnp.uint8)
    network = Network()
    draw_params = lambda key: network.init(key, states)  # noqa: E731
    assert recycles(network.apply, draw_params, states) == ["Conv_0", "Dense_0"]


def test_a_haiku_network_with_a_state_is_traced_without_it():
    def network(x, is_training):
        x = hk.BatchNorm(True, True, 0.9)(hk.Linear(8)(x), is_training)
        return hk.Linear(2)(jax.nn.relu(x))

    network = hk.without_apply_rng(hk.transform_with_state(network))
    states = jnp.ones((4, 3))
    _, state = network.init(KEY, states, True)
    assert recycles(
        lambda params, x: network.apply(params, state, x, False)[0],
        lambda key: network.init(key, states, True)[0],
        states,
    ) == ["linear"]


def test_an_nnx_network_with_other_variables_is_traced_beside_them():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.hidden = nnx.Linear(3, 8, rngs=rngs)
            self.norm = nnx.BatchNorm(8, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.head = nnx.Linear(8, 2, rngs=rngs)

        def __call__(self, x):
            return self.head(self.dropout(nnx.relu(self.norm(self.hidden(x)))))

    model = Network(nnx.Rngs(0))
    model.eval()
    graphdef, _, rest = nnx.split(model, nnx.Param, ...)
    assert recycles(
        lambda params, x: nnx.merge(graphdef, params, rest)(x),
        lambda key: nnx.state(Network(nnx.Rngs(key)), nnx.Param),
        jnp.ones((4, 3)),
    ) == ["hidden"]
