"""What an optimizer keeps of each weight, rewritten where the weight is another one."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.graph import Params, Path, leaf_path, leaves_by_path

# By the class of its state, what cannot be told weight by weight, and why.
_REFUSED = {
    "ScaleByLBFGSState": (
        "optax.lbfgs",
        "keeps differences of whole steps, which no longer lead to these weights",
    ),
    "ScaleByZoomLinesearchState": (
        "optax.scale_by_zoom_linesearch",
        "keeps the loss and gradient of the weights from before",
    ),
    "ScaleByBacktrackingLinesearchState": (
        "optax.scale_by_backtracking_linesearch",
        "keeps the loss and gradient of the weights from before",
    ),
    "ScaleBySM3State": (
        "optax.sm3",
        "keeps one number for each row and column of a kernel, and none per weight",
    ),
    "FactoredState": (
        "optax.adafactor",
        "keeps one number for each row and column of a kernel, and none per weight",
    ),
    "ScaleByNovogradState": (
        "optax.novograd",
        "keeps one second moment for each kernel, and none per weight",
    ),
    "MonitorState": (
        "optax.monitor",
        "begins with a state of another form than it goes on with",
    ),
    "GaLoreState": (
        "optax.contrib.galore",
        "keeps its moments in another basis, and none per weight",
    ),
    "LookaheadState": (
        "optax.lookahead",
        "has two sets of weights, of which a network's graph knows one",
    ),
}
_REMEDY = "Use one such as Adam, RMSProp or SGD."


def map_moments(
    change: Callable[[Path, jax.Array, jax.Array], jax.Array],
    params: Params,
    opt_state: optax.OptState,
    optimizer: optax.GradientTransformation,
) -> optax.OptState:
    """Rewrite what an optimizer keeps per weight, weight by weight.

    That is its moments, and for some their initial step sizes or copies of the
    weights. What it keeps that is none of these, such as a step count or the initial
    weights of `optimizers.l2_to_init`, is returned bit for bit.

    Args:
        change: from a weight's path, a moment of it, and what that moment is where
            the optimizer begins with `params`, to the new moment. At the start most
            moments are zero, and a copy of the weights is `params`.
        params: the parameters from now on.
        opt_state: state of `optimizer`.
        optimizer: the transformation that made `opt_state`.

    Returns:
        The new optimizer state.

    Raises:
        ValueError: an optimizer that does not keep moments weight by weight.
    """
    _refuse(opt_state)
    shapes = {path: jnp.shape(x) for path, x in leaves_by_path(params).items()}

    def change_leaf(
        key_path: tuple[Any, ...], moment: jax.Array, initial: jax.Array
    ) -> jax.Array:
        path = leaf_path(key_path)
        if moment.dtype == bool:  # A flag of the whole leaf, as optax.zero_nans has.
            return moment
        if moment.shape != shapes[path]:
            raise ValueError(
                "Recycling needs an optimizer whose moments are shaped like the "
                f"parameters, but {'/'.join(path)} has shape {shapes[path]} and its "
                f"moment {moment.shape}. {_REMEDY} Others have no entry per weight to "
                "set to zero."
            )
        return change(path, moment, initial.astype(moment.dtype))

    starts = iter(_per_weight(optimizer, optimizer.init(params)))

    def change_tree(moments: Any) -> Any:
        start = next(starts)
        if len({jax.tree.structure(x) for x in (moments, start)}) > 1:
            raise ValueError(
                "The optimizer's state must be of the parameters that are recycled, "
                "but it is of another tree. Make it by optimizer.init(params)."
            )
        return jax.tree_util.tree_map_with_path(change_leaf, moments, start)

    return _map_per_weight(change_tree, optimizer, opt_state)


def require_optimizer(optimizer: Any) -> None:
    """Refuse what is no optax transformation.

    Raises:
        TypeError: it is something else.
    """
    if not all(callable(getattr(optimizer, x, None)) for x in ("init", "update")):
        raise TypeError(
            "An optimizer must be an optax transformation such as optax.adam(1e-3), "
            f"but is a {type(optimizer).__name__}."
        )


def validate_optimizer(optimizer: optax.GradientTransformation, params: Params) -> None:
    """Check that what an optimizer keeps can be rewritten weight by weight.

    Args:
        optimizer: an optax transformation.
        params: the parameters that it is for.

    Raises:
        TypeError: it is no optax transformation.
        ValueError: one that `map_moments` does not take.
    """
    require_optimizer(optimizer)
    jax.eval_shape(
        lambda x: map_moments(
            lambda path, old, new: new, x, optimizer.init(x), optimizer
        ),
        params,
    )


def refuse_copies(optimizer: optax.GradientTransformation, params: Params) -> None:
    """Check that an optimizer keeps no copy of the weights.

    For what changes all weights and leaves the optimizer as it is: a copy would pull
    them back.

    Args:
        optimizer: an optax transformation.
        params: parameters, for shapes only.

    Raises:
        ValueError: one that begins otherwise with other parameters.
    """

    def begun_with(value: float) -> optax.OptState:
        return optimizer.init(jax.tree.map(lambda x: jnp.full_like(x, value), params))

    _refuse(begun_with(0.0))
    zeros, ones = (_per_weight(optimizer, begun_with(x)) for x in (0.0, 1.0))
    for first, second in zip(
        jax.tree.leaves(zeros), jax.tree.leaves(ones), strict=True
    ):
        if jnp.any(first != second):
            raise ValueError(
                "An intervention that changes all weights needs an optimizer that "
                "keeps no copy of them, but this one does, as "
                f"optax.contrib.schedule_free does, and would pull them back. {_REMEDY}"
            )


def _per_weight(
    optimizer: optax.GradientTransformation, opt_state: optax.OptState
) -> list[Any]:
    """Every tree of moments in a state, in its order."""
    found: list[Any] = []

    def keep(moments: Any) -> Any:
        found.append(moments)
        return moments

    _map_per_weight(keep, optimizer, opt_state)
    return found


def _map_per_weight(
    change: Callable[[Any], Any],
    optimizer: optax.GradientTransformation,
    opt_state: optax.OptState,
) -> optax.OptState:
    # optax tells moments from all else by a start with a mark in the place of the
    # parameters, which not all start with.
    try:
        optax.tree_map_params(optimizer, lambda x: x, opt_state)
    except Exception as error:
        raise ValueError(
            "Recycling needs an optimizer that keeps its moments in trees like the "
            "parameters, and its own state, but this one does not start as such "
            f"({type(error).__name__}: {error}), as with optax.flatten, or the state "
            f"is of another optimizer. {_REMEDY}"
        ) from error
    return optax.tree_map_params(
        optimizer,
        change,
        opt_state,
        is_leaf=lambda _: True,  # Hand over a moment's whole tree, with its paths.
    )


def _refuse(opt_state: optax.OptState) -> None:
    for name, reason in _refusals(opt_state):
        raise ValueError(
            "Recycling needs an optimizer that keeps its moments weight by weight, but "
            f"{name} {reason}. {_REMEDY}"
        )


def _refusals(opt_state: optax.OptState) -> Iterator[tuple[str, str]]:
    def is_refused(node: Any) -> bool:
        return type(node).__name__ in _REFUSED

    for node in jax.tree.leaves(opt_state, is_leaf=is_refused):
        if is_refused(node):
            yield _REFUSED[type(node).__name__]
