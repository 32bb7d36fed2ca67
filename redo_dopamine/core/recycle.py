"""A mask of dormant neurons in, new parameters and optimizer state out."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    Path,
    leaf_path,
    leaves_by_path,
    shapes_by_path,
    validate,
    widths,
)
from redo_dopamine.core.layer import Indexed
from redo_dopamine.core.moments import map_moments
from redo_dopamine.core.neuron_index import spread


def recycle(
    graph: NetworkGraph,
    dormant: Mapping[str, jax.Array],
    params: Params,
    fresh_params: Params,
    opt_state: optax.OptState,
    optimizer: optax.GradientTransformation,
) -> tuple[Params, optax.OptState]:
    r"""Give dormant neurons new incoming weights and silence their outgoing ones.

    For every dormant neuron i of a recyclable layer,

    .. math:: W^{in}_{\cdot i}, b_i \leftarrow \text{fresh}, \qquad
              W^{out}_{i \cdot} \leftarrow 0, \qquad m, v \leftarrow 0

    where m and v stand for every optimizer moment of an entry that changed. Moments
    that an optimizer does not begin with at zero become what it begins with, and a
    copy of the weights, as `optax.contrib.schedule_free` keeps one, follows them.
    Where a weight is both incoming and outgoing, zero wins. All other entries,
    and counters such as Adam's step, are returned bit for bit.

    Sokar et al., ICML 2023, Algorithm 1. Zeroed moments are those of the authors'
    code, where biases keep theirs; here biases are treated like the weights.

    Args:
        graph: the network's layers.
        dormant: booleans [N] per layer name. Layers that are left out, or are not
            recyclable, stay as they are.
        params: current parameters.
        fresh_params: a tree like `params`, newly drawn by `network.init`, so that
            every layer keeps its own initializer.
        opt_state: state of `optimizer` for `params`.
        optimizer: the transformation that made `opt_state`.

    Returns:
        `(params, opt_state)`, of the same structure, shapes and dtypes.

    Raises:
        TypeError: masks that are no mapping, or a graph of the wrong types.
        ValueError: a graph that does not describe the parameters, a mask that does
            not fit a layer of it, new parameters that are not like the current ones,
            or an optimizer that does not keep moments weight by weight (`moments`).
    """
    validate(graph, params)
    _validate_masks(graph, dormant, params)
    _validate_fresh(params, fresh_params)
    layers = [x for x in graph.recyclable_layers if x.name in dormant]
    shapes = shapes_by_path(params)
    incoming = _masks(((x.name, w) for x in layers for w in x.fed_by(shapes)), dormant)
    outgoing = _masks(((x.name, w) for x in layers for w in x.read_by(shapes)), dormant)

    def renew(key_path: Any, current: jax.Array, fresh: jax.Array) -> jax.Array:
        path = leaf_path(key_path)
        renewed = _select(incoming.get(path, ()), fresh, current)
        return _select(outgoing.get(path, ()), jnp.zeros_like(current), renewed)

    def forget(path: Path, moment: jax.Array, initial: jax.Array) -> jax.Array:
        touched = _select(incoming.get(path, ()), initial, moment)
        return _select(outgoing.get(path, ()), initial, touched)

    new_params = jax.tree_util.tree_map_with_path(renew, params, fresh_params)
    return new_params, map_moments(forget, new_params, opt_state, optimizer)


def _validate_masks(
    graph: NetworkGraph, dormant: Mapping[str, jax.Array], params: Params
) -> None:
    if not isinstance(dormant, Mapping):
        raise TypeError(
            "Masks must be a mapping from layer names to booleans [N], but are a "
            f"{type(dormant).__name__}. Write {{layer.name: mask}}."
        )
    expected = widths(graph, params)
    for name, mask in dormant.items():
        if name not in expected:
            raise ValueError(
                f"A mask must belong to a layer of the graph, but {name!r} is none. "
                f"Use names among {list(expected)}."
            )
        shape, dtype = getattr(mask, "shape", None), getattr(mask, "dtype", None)
        if shape != (expected[name],) or dtype != jnp.bool_:
            found = type(mask).__name__ if shape is None else f"{dtype} {list(shape)}"
            raise ValueError(
                f"Layer {name!r}: the mask must be booleans [{expected[name]}], but is "
                f"{found}. Make it with masks.dormant(score)."
            )


def _validate_fresh(params: Params, fresh_params: Params) -> None:
    """Or a value of another shape would be spread, one of another dtype convert all."""
    rule = "New parameters must be a tree like the current ones"
    remedy = "Draw them by the same network.init."
    if len({jax.tree.structure(x) for x in (params, fresh_params)}) > 1:
        current, fresh = leaves_by_path(params), leaves_by_path(fresh_params)
        other = sorted("/".join(x) for x in current.keys() ^ fresh.keys())
        what = f"{other} are in only one of them" if other else "containers differ"
        raise ValueError(
            f"{rule}, but {what} ({type(params).__name__} and "
            f"{type(fresh_params).__name__}). {remedy}"
        )
    fresh = leaves_by_path(fresh_params)
    for path, leaf in leaves_by_path(params).items():
        kinds = [(jnp.result_type(x), jnp.shape(x)) for x in (leaf, fresh[path])]
        if kinds[0] != kinds[1]:
            (dtype, shape), (other_dtype, other_shape) = kinds
            raise ValueError(
                f"{rule}, but {'/'.join(path)} is {dtype} {list(shape)} and its new "
                f"value {other_dtype} {list(other_shape)}. {remedy}"
            )


def _masks(
    weights: Iterable[tuple[str, Indexed]], dormant: Mapping[str, jax.Array]
) -> dict[Path, list[jax.Array]]:
    """By path, a mask for each set of weights of a layer; each broadcasts to the leaf.

    They are not joined: two masks over different axes would make one of full size.
    """
    masks: dict[Path, list[jax.Array]] = {}
    for name, (path, index, _) in weights:
        masks.setdefault(path, []).append(spread(dormant[name], index))
    return masks


def _select(
    masks: Iterable[jax.Array], chosen: jax.Array, other: jax.Array
) -> jax.Array:
    """`chosen` where a mask holds, `other` elsewhere."""
    for mask in masks:
        other = jnp.where(mask, chosen, other)
    return other
