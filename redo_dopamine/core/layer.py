"""A layer of neurons: the weights that feed them and the weights that read them."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from redo_dopamine.core.neuron_index import Along, NeuronIndex, along

Path = tuple[str, ...]


class Weights(NamedTuple):
    """Entries of one parameter that belong to neurons of one layer.

    Attributes:
        path: of the parameter.
        neurons: the neuron of each entry; `along` writes the usual ones.
        is_kernel: whether the entries multiply inputs. False for a bias, and for a
            scale or an offset after it, which metrics of weights leave out.
    """

    path: Path
    neurons: NeuronIndex | Along
    is_kernel: bool = True


class Indexed(NamedTuple):
    """`Weights` whose index is written out."""

    path: Path
    neurons: NeuronIndex
    is_kernel: bool


class Edge(NamedTuple):
    """A kernel [..., in, out] that reads a layer: `Weights` in a short form.

    Attributes:
        kernel: path of the kernel in the parameter tree; its axis -2 is the input.
        copies: how many times the layer's neurons stand side by side on that
            axis. It is 1 between layers of a kind, and H * W where a convolution
            [H, W, N] is flattened, channel last, into a dense layer.
    """

    kernel: Path
    copies: int = 1

    @property
    def path(self) -> Path:
        """Path of the kernel."""
        return self.kernel

    @property
    def neurons(self) -> Along:
        """The neuron of each entry."""
        return along(-2, self.copies)

    @property
    def is_kernel(self) -> bool:
        """Always True."""
        return True


class _Layer(NamedTuple):
    name: str
    num_neurons: int | None
    incoming: tuple[Weights, ...]
    outgoing: tuple[Weights | Edge, ...]
    recyclable: bool = True


class Layer(_Layer):
    """A row of N neurons.

    It is written in one of two ways: `Layer(name, kernel, bias, outgoing)` for a
    kernel [..., in, N] and a bias [N], and in general
    `Layer(name, num_neurons, incoming, outgoing)`.

    Attributes:
        name: the layer's name, and the key of its activations.
        num_neurons: N; None in the short form, where it is the kernel's last axis.
        incoming: the weights that feed the neurons, and each neuron's own bias,
            scale and offset.
        outgoing: the weights that read the layer, `Weights` or `Edge`s; two kernels
            for a dueling head.
        recyclable: False where several layers write the same channels (a
            residual stream), so that no single kernel feeds a neuron.
    """

    __slots__ = ()

    def __new__(
        cls,
        name: str,
        kernel: Any = None,
        bias: Any = None,
        outgoing: Any = (),
        recyclable: bool = True,
        *,
        num_neurons: int | None = None,
        incoming: Any = None,
    ) -> "Layer":
        """Take either form."""
        if isinstance(kernel, Integral):
            num_neurons, incoming = int(kernel), bias
        elif _are_weights(bias):  # A copy of the short form.
            incoming = bias
        elif num_neurons is None and incoming is None:
            incoming = (Weights(kernel, along(-1)),)
            if bias is not None:
                incoming = (*incoming, Weights(bias, along(-1), is_kernel=False))
        return super().__new__(cls, name, num_neurons, incoming, outgoing, recyclable)

    @property
    def kernel(self) -> Path:
        """Path of the first kernel that feeds the layer."""
        kernels = (x.path for x in self.incoming if x.is_kernel)
        return next(kernels, self.incoming[0].path)

    @property
    def bias(self) -> Path | None:
        """Path of the first bias, scale or offset of the neurons, or None."""
        return next((x.path for x in self.incoming if not x.is_kernel), None)

    def _replace(self, **changes: Any) -> "Layer":
        """A layer with other values, `kernel` and `bias` of the short form too."""
        if not changes.keys() & {"kernel", "bias"}:
            return super()._replace(**changes)
        short = {
            "name": self.name,
            "kernel": self.kernel,
            "bias": self.bias,
            "outgoing": self.outgoing,
            "recyclable": self.recyclable,
        }
        return Layer(**(short | changes))

    def width(self, shapes: Mapping[Path, tuple[int, ...]]) -> int:
        """Its number of neurons, from the shapes of the parameters."""
        if self.num_neurons is not None:
            return self.num_neurons
        return shapes[self.incoming[0].path][-1]

    def resolve(self, shapes: Mapping[Path, tuple[int, ...]]) -> "Layer":
        """The same layer with its number of neurons, and every index written out."""
        return Layer(
            self.name,
            num_neurons=self.width(shapes),
            incoming=tuple(Weights(*x) for x in self.fed_by(shapes)),
            outgoing=tuple(Weights(*x) for x in self.read_by(shapes)),
            recyclable=self.recyclable,
        )

    def fed_by(self, shapes: Mapping[Path, tuple[int, ...]]) -> tuple[Indexed, ...]:
        """Its incoming weights, with every index written out."""
        return self._indexed(self.incoming, shapes)

    def read_by(self, shapes: Mapping[Path, tuple[int, ...]]) -> tuple[Indexed, ...]:
        """Its outgoing weights, with every index written out."""
        return self._indexed(self.outgoing, shapes)

    def _indexed(
        self, weights: Sequence[Weights | Edge], shapes: Mapping[Path, tuple[int, ...]]
    ) -> tuple[Indexed, ...]:
        width = self.width(shapes)
        return tuple(
            Indexed(x.path, x.neurons.resolve(shapes[x.path], width), x.is_kernel)
            for x in weights
        )


def _are_weights(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(x, Weights) for x in value)
