r"""A regression task of 17 inputs, and others at a given distance from it.

What comes in: a seed. What leaves: inputs and targets. He, 2026 (arXiv 2603.21173),
fits the value network of an agent on HalfCheetah, which has 17 inputs, to a sum of
linear, quadratic, cubic, sine, cosine, exponential, tanh, product and absolute-value
terms with Gaussian noise. The paper's coefficients are not known; these are ours:

.. math:: f(x) = x_0 - \tfrac12 x_1 + \tfrac12 x_2^2 - \tfrac14 x_3^2
          + \tfrac15 x_4^3 - \tfrac1{10} x_5^3 + \sin 2 x_6 + \cos 2 x_7
          + \tfrac12 e^{x_8 / 2} + \tanh 2 x_9 + \tfrac12 x_{10} x_{11}
          - \tfrac12 x_{12} x_{13} + \tfrac12 |x_{14}| - \tfrac12 |x_{15}|
          + \tfrac12 x_{16}
"""

from typing import NamedTuple

import numpy as np

from redo_dopamine.core.numbers import is_number

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


def draw(number: int, rng: np.random.Generator) -> Sample:
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
