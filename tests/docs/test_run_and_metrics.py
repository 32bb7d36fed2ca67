"""The run of getting_started.md, made small, and the metrics that a run can have.

docs/metrics.md must tell of every metric that the code can give, and of no other.
"""

import functools
import math
import operator
import os
import re
from pathlib import Path

import flax.linen as nn
import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import documents, networks, runs, shell
from helpers.trees import by_path, from_paths
from redo_dopamine.config import registry
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import leaves_by_path
from redo_dopamine.networks.actor_critic import ValueNetwork
from redo_dopamine.networks.injectable import InjectableMinatarNetwork
from redo_dopamine.networks.nature import NatureNetwork, QNetworkOutput
from redo_dopamine.plasticity.tracker import Subject, Tracking
from redo_dopamine.plasticity.watched import Recorded
from redo_dopamine.report import find_runs
from redo_dopamine.supervised import distillation, label_shuffle, regression_probe

DOCS = documents.ROOT / "docs"
STARTED = DOCS / "getting_started.md"
PAGE = (DOCS / "metrics.md").read_text()
RUN = "runs/short"
# What makes the run of getting_started.md a matter of seconds.
SMALL = (
    *runs.TINY_REDO,
    "create_runner.schedule = 'continuous_train_and_eval'",
    "Runner.evaluation_steps = 40",
)
PARTS = ("Definition", "Equation", "Range", "Reading")
STATES = np.random.default_rng(0).standard_normal((16, 4), np.float32)


class QMlp(networks.Mlp):
    """Two small layers, and Q-values."""

    @nn.compact
    def __call__(self, x):
        return QNetworkOutput(super().__call__(x))


NETWORK = QMlp()
GRAPH = NETWORK.graph()
LAYERS = [layer.name for layer in GRAPH.layers]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The run that getting_started.md trains, reports and inspects, made small."""
    directory, before = tmp_path_factory.mktemp("started"), Path.cwd()
    os.chdir(directory)
    try:
        for block in documents.blocks(STARTED.read_text(), "sh"):
            for words in shell.commands(block.text):
                if any(RUN in word for word in words):
                    # Of what it can measure, which takes long to compile, a little.
                    less = ["--metrics=srank"] * ("redo_dopamine.inspect" in words)
                    shell.execute([*words, *less], SMALL)
    finally:
        os.chdir(before)
        gin.clear_config()
    return directory / RUN


def test_what_getting_started_makes(executed):
    rows = runs.metrics(executed)
    assert {"dormant_fraction/0.1", "loss"} <= {row["name"] for row in rows}
    page = (executed / "report" / "index.html").read_text()
    assert "dormant" in page
    assert {x.suffix for x in (executed / "neurons").iterdir()} >= {".csv", ".png"}


def test_the_series_of_getting_started(executed):
    dormant = documents.run_python(STARTED, {"__name__": "started"})["dormant"]
    series = dormant(str(executed), 0.1)
    assert len(series) > 3
    assert series.between(0, 1).all()
    assert series.equals(
        find_runs(executed)[0]
        .metrics.query("name == 'dormant_fraction/0.1'")
        .set_index("gradient_step")["value"]
    )


def entries():
    """The text under each name of the page."""
    found = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        for name in re.findall(r"`([^`]+)`", heading):
            assert name not in found, f"{name} has two entries"
            found[name] = text.partition("\n## ")[0]
    return found


def plain(name):
    """A column's name as the page has it: `overlap/<tau>/<layer>`."""
    name = re.sub(r"(/[a-z]\w*)?/[A-Z]\w*_\d$", "/<layer>", name)
    return re.sub(r"/[0-9.]+(?=/|$)", "/<tau>", name)


@functools.cache
def draw(seed=0):
    return NETWORK.init(jax.random.PRNGKey(seed), STATES[0])


def loss(params, target_params, batch):
    outputs = jax.vmap(lambda x: NETWORK.apply(params, x).q_values)(batch["state"])
    return jnp.mean((outputs - batch["reward"][:, None]) ** 2)


@functools.cache
def tracked():
    """Every metric that an agent may track, at two measurements."""
    params = draw()
    widths = {x: 6 for x in LAYERS}
    tracking = Tracking(
        Subject(
            Recorded(NETWORK.apply, GRAPH), operator.itemgetter("state"), loss, widths
        ),
        params,
        taus=(0.0, 0.5),
        metrics=[make() for make in registry.METRICS],
    )
    batch = {"state": STATES, "reward": np.arange(16.0, dtype=np.float32)}
    found = []
    for seed, count in ((3, 1), (5, 2)):
        # Some neurons of each layer are silent, in the second case others.
        silent = by_path(draw(seed))
        for layer in LAYERS:
            silent["params", layer, "bias"][:count] = -99.0
        params = from_paths(silent)
        found.append(jax.device_get(tracking.measure(params, params, batch)))
    return found


def of_interventions():
    optimizer = optax.adam(1e-3)
    key, step = jax.random.PRNGKey(0), jnp.int32(10**6)
    with_heads = InjectableMinatarNetwork(num_actions=3)
    subjects = {interventions.plasticity_injection: (with_heads, (10, 10, 4, 1))}
    for make in registry.INTERVENTIONS:
        network, shape = subjects.get(make, (NETWORK, STATES[0].shape))
        graph = network.graph(shape[:2]) if make in subjects else GRAPH
        params = network.init(key, jnp.zeros(shape))
        built = make()(graph, lambda key, params=params: params, optimizer)
        activations = {x.name: jnp.ones((4, 6)) for x in graph.layers}
        seen = params if make is interventions.dash else activations
        state, opt_state = built.init(params), optimizer.init(params)
        metrics = jax.eval_shape(
            built.apply, key, params, opt_state, state, seen, step
        )[3]
        yield from metrics


def of_experiments():
    probe = regression_probe.RegressionProbe(
        network=lambda: ValueNetwork(width=0.1),
        num_samples=20,
        batch_size=10,
        num_epochs=1,
    )
    yield from (row.name for row in probe.run_epoch())
    yield from label_shuffle.cross_entropy(jnp.zeros((2, 10)), jnp.zeros(2, int))
    q_values = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    output = NETWORK.apply(draw(), STATES[0])
    yield from distillation.squared_error(q_values)(output, q_values[0])


def test_every_metric_has_an_entry_and_no_other_has_one(executed):
    found = {name for row in tracked() for name in row}
    found |= set(of_interventions()) | set(of_experiments())
    found |= {row["name"] for row in runs.metrics(executed, wall_clock=True)}
    found = {plain(name) for name in found}
    assert found - entries().keys() == set(), "not on the page"
    assert entries().keys() - found == set(), "nowhere in the code"


@pytest.mark.parametrize("name", sorted(entries()))
def test_an_entry_has_all_its_parts(name):
    text = entries()[name]
    assert re.findall(r"^- (\w+): .", text, re.MULTILINE) == list(PARTS)


def bounds(text):
    """`(lowest, highest, NaN may be)` of an entry's range."""
    [line] = re.findall(r"^- Range: (.*)$", text, re.MULTILINE)
    low, high = re.match(r"[\[(]([^,]+), ([^\])]+)[\])]", line).groups()
    numbers = {"∞": math.inf, "-∞": -math.inf}
    low, high = (numbers.get(x) or float(x) for x in (low, high))
    return low, high, "NaN" in line


def test_what_is_measured_is_in_its_range():
    seen = set()
    for row in tracked():
        for name, value in row.items():
            low, high, may_be_nan = bounds(entries()[plain(name)])
            assert low <= value <= high or (may_be_nan and np.isnan(value)), name
            seen.add(plain(name))
    assert len(seen) > 20
    second = tracked()[1]
    assert 0 < second["dormant_fraction/0.0"] < 1  # Else this says little.
    assert any(second[f"overlap/0.5/{x}"] > 0 for x in LAYERS)


def by_shape(params):
    return {path: leaf.shape for path, leaf in leaves_by_path(params).items()}


def test_the_page_knows_the_size_of_the_nature_network():
    network = NatureNetwork(num_actions=3)
    state = jax.ShapeDtypeStruct((84, 84, 4), jnp.uint8)
    shapes = by_shape(jax.eval_shape(network.init, jax.random.PRNGKey(0), state))
    sizes = [shapes[layer.kernel][-1] for layer in network.graph().layers]
    assert f"{max(sizes)} of the Nature network's {sum(sizes)} neurons" in PAGE
