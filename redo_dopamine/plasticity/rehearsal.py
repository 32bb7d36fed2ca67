"""What an agent will do, traced for its shapes before the first step.

Nothing is computed and no random number is drawn. `jax.jit` keeps what it traced, so
that the first real call of the same shapes need not trace it again. A function of the
wrong kind, such as an activation where a choice of neurons belongs, is found here and
not hours later, when it would first act.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import SettingError, call, first_line, shown
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import Intervention

OTHERWISE = "Bind another one."
MEMORY_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
# A network, its target network, a gradient, and two moments of the optimizer.
_COPIES = 5


@contextlib.contextmanager
def of(setting: str, rule: str, remedy: str = OTHERWISE) -> Iterator[None]:
    """Say of whatever fails that a setting is the reason.

    Raises:
        SettingError: in the place of any other exception.
    """
    try:
        yield
    except SettingError:
        raise
    except Exception as error:
        raise SettingError(
            f"{setting} must {rule}, but: {first_line(error)}. {remedy}"
        ) from error


def shapes(tree: Any) -> Any:
    """The shapes and types of a tree of arrays."""
    return jax.tree.map(lambda x: (tuple(x.shape), str(x.dtype)), tree)


def check_same(setting: str, what: str, before: Any, after: Any) -> None:
    """Check that something is of the shapes and types that it was of.

    Raises:
        SettingError: it is not.
    """
    old, new = (jax.tree.leaves_with_path(shapes(x)) for x in (before, after))
    if old == new:
        return
    changed = next((x for x, y in zip(new, old, strict=False) if x != y), None)
    where = f": {changed[1]} at {jax.tree_util.keystr(changed[0])}" if changed else ""
    raise SettingError(
        f"{setting} must leave {what} of the shapes and types that they are of, but "
        f"changes them{where}. {OTHERWISE}"
    )


def check_scalars(setting: str, found: dict[str, Any]) -> None:
    """Check that metrics are single numbers.

    Raises:
        SettingError: one is not.
    """
    for name, value in found.items():
        if getattr(value, "shape", None) != ():
            raise SettingError(
                f"{setting} must give single numbers, but {name!r} is of shape "
                f"{getattr(value, 'shape', None)}. {OTHERWISE}"
            )


def links(setting: str, chain: Sequence[Any], params: Params) -> None:
    """Have each optax transformation of a setting change a gradient on its own.

    Raises:
        SettingError: one fails, or gives another gradient than one of the parameters.
    """

    def step(link: optax.GradientTransformation, params: Params) -> Params:
        return link.update(params, link.init(params), params)[0]

    for number, link in enumerate(chain):
        rule = (
            f"hold transformations of a gradient of this network, but number {number}"
        )
        with of(setting, rule, "Bind others."):
            after = jax.eval_shape(lambda p, link=link: step(link, p), params)
        check_same(f"{setting} (number {number})", "gradients", params, after)


def intervening(
    intervention: Intervention,
    learner: Any,
    state: Any,
    observer: Any,
) -> None:
    """Have an intervention act.

    Args:
        intervention: of the agent; `apply` and `constrain` may be compiled.
        learner: parameters and optimizer state.
        state: the intervention's.
        observer: gives shapes of batches.

    Raises:
        SettingError: it fails, or changes the shape of what it acts on.
    """
    rule = "be able to act on this agent"
    with of("intervention", rule):
        key = jax.eval_shape(lambda: jax.random.PRNGKey(0))
        step = jax.ShapeDtypeStruct((), "int32")
        observed = intervention.observe(observer)
        *after, found = jax.eval_shape(
            intervention.apply, key, *learner, state, observed, step
        )
        check_same("intervention", "what it acts on", (*learner, state), tuple(after))
        if intervention.constrain is not None:
            held = jax.eval_shape(intervention.constrain, *learner, state)
            check_same("intervention", "what it holds", tuple(learner), tuple(held))
    check_scalars("intervention", found)


def updating(
    update: Any,
    learner: Any,
    others: Sequence[Any],
    before_optimizer: Sequence[Any],
    after_optimizer: Sequence[Any],
) -> None:
    """Have an agent learn from a batch.

    Args:
        update: `(learner, *others) -> (learner, ...)`.
        learner: parameters and optimizer state.
        others: what else it takes.
        before_optimizer: the setting of this name.
        after_optimizer: the setting of this name.

    Raises:
        SettingError: it cannot.
    """
    try:
        with of("network", "be able to learn from this agent's batches"):
            after = jax.eval_shape(update, learner, *others)
        check_same("network", "parameters", learner, after[0])
    except SettingError:
        links("before_optimizer", before_optimizer, learner.params)
        links("after_optimizer", after_optimizer, learner.params)
        raise


def ordering(
    order: Callable[..., Any], num_transitions: int, batch_size: int, num_epochs: int
) -> None:
    """Trace an order of minibatches; one that NumPy makes is called.

    Raises:
        SettingError: it gives no numbers of transitions.
    """
    of = f"(key, num_transitions, batch_size, num_epochs) that gives [_, {batch_size}]"
    key = jax.random.PRNGKey(0)

    def give(key: jax.Array) -> jax.Array:
        return jnp.asarray(order(key, num_transitions, batch_size, num_epochs))

    def shaped(key: jax.Array) -> Any:
        try:
            return jax.eval_shape(give, key)
        except jax.errors.JAXTypeError:
            return give(key)

    found = call("order", shaped, key, of=of, named=order)
    two = len(found.shape) == 2 and found.shape[1] == batch_size
    if not two or not jnp.issubdtype(found.dtype, jnp.integer):
        raise SettingError(
            f"order must be a function of {of}, but {shown(order)} gives "
            f"{found.dtype} of shape {found.shape}. Use @contiguous_minibatches."
        )


def check_memory(draw_params: Callable[[jax.Array], Any]) -> None:
    """Refuse a network that cannot be trained in this memory, before it is drawn.

    Args:
        draw_params: new parameters from a key; it is only asked for their shapes.

    Raises:
        SettingError: the network cannot be drawn.
        ValueError: it is too large.
    """
    with of("network", "draw parameters from one state of this environment"):
        try:
            drawn = jax.eval_shape(draw_params, jax.random.PRNGKey(0))
        except ValueError as error:  # It has a rule of its own, as for its width.
            raise SettingError(str(error)) from error
    shapes = jax.tree.leaves(drawn)
    needed = _COPIES * sum(math.prod(x.shape) * x.dtype.itemsize for x in shapes)
    if needed > MEMORY_BYTES:
        raise ValueError(
            "width must leave room for the network, its gradient and the optimizer, "
            f"but they need {needed / 2**30:,.0f} GiB and this machine has "
            f"{MEMORY_BYTES / 2**30:,.0f}. Make the network narrower."
        )
