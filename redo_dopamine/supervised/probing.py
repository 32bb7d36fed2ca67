"""Value networks that are taught a regression task: how well do they still learn?

What comes in: a network to begin with, tasks and an intervention. What leaves: metrics,
epoch by epoch, and a state to go on from.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory, none
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.metrics import gradients
from redo_dopamine.core.metrics.dormancy import named_fractions
from redo_dopamine.networks.capture import collect
from redo_dopamine.networks.ppo import ValueNetwork
from redo_dopamine.rundir import checkpoint
from redo_dopamine.supervised.experiment import SAMPLES, EpochExperiment, Row, stream
from redo_dopamine.supervised.optimizers import MakeSearch, adam
from redo_dopamine.supervised.perturbations import (
    Moment,
    Perturbation,
    Start,
    fresh_network,
    undisturbed,
)
from redo_dopamine.supervised.problem import Problem, State
from redo_dopamine.supervised.settings import check, whole

NUM_INPUTS = 17
NOISE = 0.1  # Standard deviation, where the targets' own is 1.


class Sample(NamedTuple):
    """Inputs [N, 17], standard normal, and the targets [N] of two tasks.

    Attributes:
        inputs: what the network sees.
        first: targets of the task, of mean 0 and standard deviation 1, without noise.
        other: of one that has nothing to do with it, likewise.
        noise: that is on both, standard deviation 1.
    """

    inputs: np.ndarray
    first: np.ndarray
    other: np.ndarray
    noise: np.ndarray

    def targets(self, distance: float) -> np.ndarray:
        r"""Targets [N] of a task that is so far away from the first.

        .. math:: y = (1 - d) f + \sqrt{1 - (1 - d)^2} \, g + \text{noise}

        whose correlation with f is 1 - d: 0 is the task itself, 1 one that has
        nothing to do with it, 2 its opposite.

        Args:
            distance: d in [0, 2].

        Raises:
            ValueError: it is not.
        """
        if not (is_number(distance) and 0 <= distance <= 2):
            raise ValueError(
                f"distance must be in [0, 2], but is {distance}. It is 1 minus the "
                "correlation of two tasks' targets: 0 is the same task, 1 an unrelated "
                "one."
            )
        near = 1 - distance
        far = np.sqrt(1 - near**2)
        mixed = near * self.first + far * self.other + NOISE * self.noise
        return mixed.astype(np.float32)


def function(x: np.ndarray) -> np.ndarray:
    """The f of this module: values [N] of inputs [N, 17]."""
    x = x.T
    return (
        (x[0] - 0.5 * x[1])
        + (0.5 * x[2] ** 2 - 0.25 * x[3] ** 2)
        + (0.2 * x[4] ** 3 - 0.1 * x[5] ** 3)
        + (np.sin(2 * x[6]) + np.cos(2 * x[7]))
        + (0.5 * np.exp(x[8] / 2) + np.tanh(2 * x[9]))
        + (0.5 * x[10] * x[11] - 0.5 * x[12] * x[13])
        + (0.5 * np.abs(x[14]) - 0.5 * np.abs(x[15]))
        + 0.5 * x[16]
    )


def draw_sample(number: int, rng: np.random.Generator) -> Sample:
    """A sample of both tasks.

    The other task is f of the inputs in another order and of other signs, less what
    it has in common with f on these inputs.

    Args:
        number: of inputs.
        rng: where they, the order, the signs and the noise come from.
    """
    inputs = rng.standard_normal((number, NUM_INPUTS))
    order = rng.permutation(NUM_INPUTS)
    signs = rng.choice([-1.0, 1.0], NUM_INPUTS)
    first = _standardized(function(inputs))
    other = _standardized(function(inputs[:, order] * signs))
    other = _standardized(other - np.mean(first * other) * first)
    noise = rng.standard_normal(number)
    return Sample(inputs.astype(np.float32), first, other, noise)


def _standardized(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


_PERTURBATION, _SEARCH = 5, 6  # Random streams, apart from those of `epochs`.


def squared_error(outputs: jax.Array, targets: jax.Array) -> Mapping[str, jax.Array]:
    """Mean squared error [] of values [B]; the targets' variance is about 1."""
    return {"loss": jnp.mean((outputs - targets) ** 2)}


class RegressionProbe(EpochExperiment):
    """Fits a network to a regression task, perhaps after another one.

    He, 2026 (arXiv 2603.21173): the value network after PPO, and a fresh one, on
    inputs as many as HalfCheetah's observations have. The task is of this project
    (`regression`), and so are the optimizer (Adam, whose moments begin at zero for
    every network and at every change of the task), batch and number of epochs. An
    epoch is as many evaluations of the network as there are samples: a search that
    evaluates P candidates an update sees one sample in P.

    Experiments of a seed have the same samples and order of the data.

    Args:
        environment_id: that an aged network has learned in.
        network: makes the network.
        start: what it begins with: `fresh_network` or `aged_network`.
        perturb: what is done to it when the new task begins: `undisturbed`,
            `redrawn`, `disturb_zero_gradient` or `disturb_at_random`.
        intervention: what to do against lost plasticity, such as `weight_clipping()`.
        search: how better weights are looked for: `adam`, `adam_on_trapped_layer` or
            `evolution_on_trapped_layer`, which judge the network that is begun with.
        seed: of all random streams.
        num_epochs: passes over the sample, those of the first task included.
        first_epochs: passes over the first task, before the new one; 0 for none.
        distance: of the new task from the first (`Sample.targets`), in [0, 2].
        num_samples: of the training sample, and of the test sample too.
        batch_size: inputs an update.
        learning_rate: of the search.
        before_optimizer: what is done to the gradient, such as `l2_to_init()`.
        taus: thresholds to measure dormancy at, at the end of every epoch.
        threshold: a neuron is zero-gradient where its MAGI is at most this.

    Raises:
        UserError: no such aged network.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        environment_id: str = "HalfCheetah-v4",
        network: Callable[[], Any] = ValueNetwork,
        start: Start = fresh_network,
        perturb: Perturbation = undisturbed,
        intervention: InterventionFactory | None = None,
        search: MakeSearch = adam,
        *,
        seed: int = 0,
        num_epochs: int = 100,
        first_epochs: int = 0,
        distance: float = 0.0,
        num_samples: int = 1_000,
        batch_size: int = 50,
        learning_rate: float = 1e-3,
        before_optimizer: Sequence[optax.GradientTransformation] = (),
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        threshold: float = 0.0,
    ):
        seed = whole("seed", seed, low=0)
        num_samples = whole("num_samples", num_samples, low=2)
        check("learning_rate", learning_rate, lambda x: x > 0, "a finite number > 0")
        check("threshold", threshold, lambda x: x >= 0, "a finite number >= 0")
        self._first_epochs = whole("first_epochs", first_epochs, low=0, high=num_epochs)
        self._perturb = perturb
        # Of one sample, so that both parts have the same tasks.
        sample = draw_sample(2 * num_samples, stream(seed, SAMPLES))
        self._first = sample.targets(0.0)[:num_samples]
        targets = sample.targets(distance)
        self._targets = targets[:num_samples]
        held_out = jnp.asarray(sample.inputs[num_samples:])
        wanted = jnp.asarray(targets[num_samples:])
        inputs = sample.inputs[:num_samples]
        made = network()
        self._graph = made.graph()

        def find_zero_gradient(params: Params) -> dict[str, jax.Array]:
            def observe(params: Params) -> Mapping[str, jax.Array]:
                return collect(made.apply, params, jnp.asarray(inputs))

            found = gradients.magi(self._graph, observe, params)
            return {layer: x <= threshold for layer, x in found.items()}

        def test_loss(params: Params) -> jax.Array:
            outputs = jax.vmap(lambda x: made.apply(params, x))(held_out)
            return squared_error(outputs, wanted)["loss"]

        self._find_zero_gradient = compiled(find_zero_gradient)
        self._test_loss = compiled(test_loss)
        draw = compiled(lambda key: made.init(key, inputs[0]))
        key = jax.random.PRNGKey(seed)
        drawn = draw(key)
        params = start(drawn, environment_id, seed)
        zero = self._find_zero_gradient(params)
        key = jax.random.fold_in(key, _SEARCH)
        found = search(Moment(params, zero, self._graph, drawn, key), learning_rate)
        problem = Problem(
            made,
            inputs,
            squared_error,
            optax.chain(*before_optimizer, found.optimizer),
            intervention or none(),
            taus,
        )
        super().__init__(
            problem,
            problem.init(params),
            checksum=checkpoint.checksum(
                {"inputs": inputs, **checkpoint.flatten(params, "start")}
            ),
            num_inputs=num_samples,
            seed=seed,
            num_epochs=num_epochs,
            batch_size=batch_size,
            tracking_batch_size=num_samples,
            evaluations=found.evaluations,
        )

    def targets_at(self, epoch: int) -> np.ndarray:
        """The targets [N] of the first task, and later of the new one."""
        return self._first if epoch < self._first_epochs else self._targets

    def run_epoch(self, between_steps: Callable[[], None] = lambda: None) -> list[Row]:
        """Train for one epoch, and measure at its end.

        Args:
            between_steps: is called before every update.

        Returns:
            As every experiment's, and `test_loss`, on inputs that are not trained on,
            of the new task; `zero_gradient_fraction`, of all neurons and by layer.
        """
        if self.epoch == self._first_epochs:
            self._state = self._at_a_new_task(self._state)
        rows = super().run_epoch(between_steps)
        zero = self._find_zero_gradient(self._state.params)
        found = named_fractions("zero_gradient_fraction", zero)
        found["test_loss"] = self._test_loss(self._state.params)
        epoch, step = self.epoch - 1, self.gradient_step
        values = jax.device_get(found)
        return [*rows, *(Row(epoch, step, k, v) for k, v in values.items())]

    def _at_a_new_task(self, state: State) -> State:
        """Noise on some neurons, and an optimizer without moments."""
        key = jax.random.fold_in(jax.random.PRNGKey(self.seed), _PERTURBATION)
        zero = self._find_zero_gradient(state.params)
        drawn = self._problem.draw_params(jax.random.fold_in(key, 0))
        params = self._perturb(Moment(state.params, zero, self._graph, drawn, key))
        return self._problem.begin_again(state, params)
