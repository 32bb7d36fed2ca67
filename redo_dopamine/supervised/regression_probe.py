"""Fit a value network, fresh or aged, to a regression task: how well does it learn?

`python -m redo_dopamine.supervised.regression_probe --base_dir=DIR`; for an aged
network, where the runs of a study of PPO lie.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.cli import process
from redo_dopamine.core.checks import (
    check_positive,
    check_setting,
    is_number,
    whole_setting,
)
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.metrics import gradients
from redo_dopamine.core.metrics.dormancy import named_fractions
from redo_dopamine.core.optimizers import begin_again
from redo_dopamine.networks.actor_critic import ValueNetwork
from redo_dopamine.networks.capture import collect
from redo_dopamine.plasticity.learner import Learner
from redo_dopamine.rundir import checkpoint
from redo_dopamine.supervised import probe_settings
from redo_dopamine.supervised.command import Command
from redo_dopamine.supervised.experiment import (
    SAMPLES,
    EpochExperiment,
    Row,
    make_draw,
    stream,
)
from redo_dopamine.supervised.probe_settings import TaskSwitch

NUM_INPUTS = 17
NOISE = 0.1  # Standard deviation, where the targets' own is 1.


class Sample(NamedTuple):
    """Inputs and the targets of two tasks. All but the inputs have mean 0, std 1."""

    inputs: np.ndarray  # Standard normal [N, 17].
    first: np.ndarray  # Targets [N] of a task, without noise.
    other: np.ndarray  # Of an unrelated one, likewise.
    noise: np.ndarray  # That is on both [N].

    def targets(self, distance: float) -> np.ndarray:
        r"""Mix targets [N] of a task at a distance from the first.

        .. math:: y = (1 - d) f + \sqrt{1 - (1 - d)^2} \, g + \text{noise}

        whose correlation with f is 1 - d: 0 is the task itself, 1 an unrelated one, 2
        its opposite.

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
        near, far = 1 - distance, np.sqrt(1 - (1 - distance) ** 2)
        mixed = near * self.first + far * self.other + NOISE * self.noise
        return mixed.astype(np.float32)


def function(x: np.ndarray) -> np.ndarray:
    """Return f, values [N] of inputs [N, 17]."""
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
    """Draw a sample of both tasks.

    The other task is f of the inputs in another order and of other signs, less what
    it has in common with f on these inputs.
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


_PERTURBATION, _SEARCH = 5, 6  # Random streams, apart from those of `experiment`.


def squared_error(outputs: jax.Array, targets: jax.Array) -> Mapping[str, jax.Array]:
    """Mean squared error [] of values [B]; the targets' variance is about 1."""
    return {"loss": jnp.mean((outputs - targets) ** 2)}


class RegressionProbe(EpochExperiment):
    """Fit a network to a regression task, perhaps after another one.

    He, 2026 (arXiv 2603.21173): the value network after PPO, and a fresh one, on
    inputs as many as HalfCheetah's observations have. The task is of this project
    (`function`), and so are the optimizer (Adam, whose moments begin at zero for
    every network and at every change of the task), batch and number of epochs. An
    epoch is as many evaluations of the network as there are samples: an optimizer that
    evaluates P candidates an update sees one sample in P.

    Experiments of a seed have the same samples and order of the data.

    Args:
        environment_id: that an aged network has learned in.
        network: makes the network.
        start: what it begins with: `fresh_network` or `aged_network`.
        perturb: what is done to it when the new task begins: `undisturbed`,
            `redrawn`, `disturb_zero_gradient` or `disturb_at_random`.
        search: makes the optimizer: `adam`, `adam_on_trapped_layer` or
            `evolution_on_trapped_layer`, which look at the initial network.
        num_epochs: passes over the sample, those of the first task included.
        first_epochs: passes over the first task, before the new one; 0 for none.
        distance: of the new task from the first (`Sample.targets`), in [0, 2].
        num_samples: of the training sample, and of the test sample too.
        learning_rate: of the optimizer.
        before_optimizer: what is done to the gradient, such as `l2_to_init()`.
        threshold: a neuron is zero-gradient where its MAGI is at most this.
        The others are those of `EpochExperiment`.

    Raises:
        UserError: no such aged network.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        environment_id: str = "HalfCheetah-v4",
        network: Callable[[], Any] = ValueNetwork,
        start: probe_settings.InitFn = probe_settings.fresh_network,
        perturb: probe_settings.Perturbation = probe_settings.undisturbed,
        intervention: InterventionFactory | None = None,
        search: probe_settings.MakeOptimizer = probe_settings.adam,
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
        seed = whole_setting("seed", seed, low=0)
        num_samples = whole_setting("num_samples", num_samples, low=2)
        check_positive(learning_rate=learning_rate)
        check_setting("threshold", threshold, lambda x: x >= 0, "a finite number >= 0")
        self._first_epochs = whole_setting("first_epochs", first_epochs, 0, num_epochs)
        self._perturb = perturb
        # Of one sample, so that both parts have the same tasks.
        sample = draw_sample(2 * num_samples, stream(seed, SAMPLES))
        self._first = sample.targets(0.0)[:num_samples]
        targets = sample.targets(distance)
        self._targets = targets[:num_samples]
        inputs = sample.inputs[:num_samples]
        made = network()
        self._graph = made.graph()
        self._find_zero_gradient = _make_find_zero_gradient(made, inputs, threshold)
        self._test_loss = _make_test_loss(
            made, sample.inputs[num_samples:], targets[num_samples:]
        )
        draw_params = make_draw(made, inputs)
        key = jax.random.PRNGKey(seed)
        drawn = draw_params(key)
        params = start(drawn, environment_id, seed)
        zero = self._find_zero_gradient(params)
        key = jax.random.fold_in(key, _SEARCH)
        found = search(TaskSwitch(params, zero, self._graph, drawn, key), learning_rate)
        started = checkpoint.flatten(params, "start")
        super().__init__(
            *(made, inputs, squared_error),
            optax.chain(*before_optimizer, found.transformation),
            params,
            draw_params=draw_params,
            intervention=intervention,
            taus=taus,
            checksum=checkpoint.checksum({"inputs": inputs, **started}),
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
        """Train for one epoch, and measure; see `EpochExperiment`.

        Returns as well `test_loss`, on inputs of the new task that are not trained on,
        and `zero_gradient_fraction`, of all neurons and by layer.
        """
        if self.epoch == self._first_epochs:
            self.learner = self._at_a_new_task(self.learner)
        rows = super().run_epoch(between_steps)
        zero = self._find_zero_gradient(self.learner.params)
        found = named_fractions("zero_gradient_fraction", zero)
        found["test_loss"] = self._test_loss(self.learner.params)
        epoch, step = self.epoch - 1, self.gradient_step
        values = jax.device_get(found).items()
        return [*rows, *(Row(epoch, step, k, v) for k, v in values)]

    def _at_a_new_task(self, learner: Learner) -> Learner:
        """Perturb the parameters, and begin with an optimizer without moments."""
        key = jax.random.fold_in(jax.random.PRNGKey(self.seed), _PERTURBATION)
        zero = self._find_zero_gradient(learner.params)
        drawn = self._draw_params(jax.random.fold_in(key, 0))
        switch = TaskSwitch(learner.params, zero, self._graph, drawn, key)
        params = self._perturb(switch)
        return Learner(params, begin_again(self._optimizer, learner.opt_state, params))


def _make_find_zero_gradient(
    network: Any, inputs: np.ndarray, threshold: float
) -> Callable[[Params], dict[str, jax.Array]]:
    """Compile `params -> zero-gradient neurons [N] per layer`, by their MAGI."""

    def find(params: Params) -> dict[str, jax.Array]:
        found = gradients.magi(
            network.graph(),
            lambda x: collect(network.apply, x, jnp.asarray(inputs)),
            params,
        )
        return {layer: x <= threshold for layer, x in found.items()}

    return compiled(find)


def _make_test_loss(
    network: Any, inputs: np.ndarray, targets: np.ndarray
) -> Callable[[Params], jax.Array]:
    """Compile `params -> loss` on inputs that are not trained on."""
    held_out, wanted = jnp.asarray(inputs), jnp.asarray(targets)

    def loss(params: Params) -> jax.Array:
        outputs = jax.vmap(lambda x: network.apply(params, x))(held_out)
        return squared_error(outputs, wanted)["loss"]

    return compiled(loss)


COMMAND = Command(
    module="regression_probe",
    kind=RegressionProbe,
    description="Fit a fresh or an aged value network to a regression task.",
    names={"ValueNetwork": ValueNetwork, **probe_settings.GIN_NAMES},
    defaults="""
RegressionProbe.environment_id = 'HalfCheetah-v4'
RegressionProbe.network = @ValueNetwork
RegressionProbe.start = @fresh_network
RegressionProbe.perturb = @undisturbed
RegressionProbe.intervention = @none()
RegressionProbe.search = @adam
""",
    dataset=lambda: str(gin.query_parameter("RegressionProbe.environment_id")),
)
main = COMMAND.main


if __name__ == "__main__":
    process.run(main)
