"""Plasticity injection: go on with a new head, and let the outputs stay."""

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import whole
from redo_dopamine.core.graph import NetworkGraph, Params, Path, leaves_by_path
from redo_dopamine.core.interventions.base import (
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    State,
    observe_nothing,
    require_bound,
)
from redo_dopamine.core.moments import map_moments, validate_optimizer
from redo_dopamine.core.schedules import Periodic, Step

# Where a network has the two heads that do not learn, each like the modules beside it.
KEPT, TAKEN = "kept", "taken"


def plasticity_injection(gradient_step: int = 2_500_000) -> InterventionFactory:
    r"""At one gradient step, freeze the head and learn a new one's change beside it.

    .. math:: h_{\theta}(\phi) \rightarrow h_{\theta}(\phi)
              + h_{\theta'_1}(\phi) - h_{\theta'_2}(\phi),
              \qquad \theta'_1 = \theta'_2 \sim \text{the network's initializers}

    of which only theta'_1 and the encoder phi learn from then on, so that no output
    changes at that step. Nikishin et al., "Deep Reinforcement Learning with Plasticity
    Injection", NeurIPS 2023. The encoder's gradient comes through all three heads, as
    in their figure. The default is ten million agent steps at an update each four, as
    in a reproduction (timoklein/plasticity-injection-torch); theirs could not be read.

    The network must have room for both frozen heads from the start, as
    `InjectableNatureNetwork` and `InjectableMinatarNetwork` have; these are zero until
    then. The head that learns stays where it is, so that it is the one that is
    tracked; what it has learned moves to the head that is kept. Its moments begin
    again, and the target network follows at its next update. It is done once: a second
    injection needs two heads more.

    Args:
        gradient_step: when, >= 1.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its `constrain`
        must be called after every gradient update, since weight decay would move the
        frozen heads. Its metric is `injected`: 1.

    Raises:
        ValueError: no whole number of steps.
    """
    at = whole(
        gradient_step,
        1,
        "gradient_step must be a whole number",
        "It is the one at which plasticity is injected; to inject none use none().",
    )
    schedule = Periodic(at, stop=at + 1)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)

        def init(params: Params) -> tuple[jax.Array, ...]:
            validate_optimizer(optimizer, params)
            _require_heads(params)
            return tuple(map(jnp.copy, _frozen(params)))

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del state, activations
            due = schedule(step)
            now, fresh = leaves_by_path(params), leaves_by_path(draw_params(key))
            head = {_learned(path) for path in now if _is_frozen(path)}

            def injected(path: Path) -> jax.Array:
                if path[1] == KEPT:
                    return now[_learned(path)]
                return fresh[_learned(path) if path[1] == TAKEN else path]

            def choose(path: Path, old: jax.Array, new: jax.Array) -> jax.Array:
                changes = path in head or _is_frozen(path)
                return jnp.where(due, new.astype(old.dtype), old) if changes else old

            leaves = [choose(path, x, injected(path)) for path, x in now.items()]
            params = jax.tree.unflatten(jax.tree.structure(params), leaves)
            opt_state = map_moments(choose, params, opt_state, optimizer)
            held = tuple(_frozen(params))
            return params, opt_state, held, {"injected": due * 1}

        def hold(
            params: Params, opt_state: optax.OptState, state: State
        ) -> tuple[Params, optax.OptState]:
            held = iter(state)
            leaves = [
                next(held) if _is_frozen(path) else x
                for path, x in leaves_by_path(params).items()
            ]
            params = jax.tree.unflatten(jax.tree.structure(params), leaves)

            def forget(path: Path, moment: jax.Array, initial: jax.Array) -> jax.Array:
                return initial if _is_frozen(path) else moment

            return params, map_moments(forget, params, opt_state, optimizer)

        return Intervention(init, apply, schedule, observe_nothing, constrain=hold)

    return build


def _is_frozen(path: Path) -> bool:
    return len(path) > 2 and path[1] in (KEPT, TAKEN)


def _learned(path: Path) -> Path:
    """Of a weight of a frozen head, that which learns in its place."""
    return path[0], *path[2:]


def _frozen(params: Params) -> list[jax.Array]:
    return [x for path, x in leaves_by_path(params).items() if _is_frozen(path)]


def _require_heads(params: Params) -> None:
    paths = leaves_by_path(params)
    heads = [
        {_learned(x) for x in paths if len(x) > 2 and x[1] == name}
        for name in (KEPT, TAKEN)
    ]
    if not heads[0] or heads[0] != heads[1] or not heads[0] <= paths.keys():
        found = sorted({"/".join(path[:2]) for path in paths})
        raise ValueError(
            f"plasticity_injection needs a network with two more heads, {KEPT!r} and "
            f"{TAKEN!r}, each with the modules of the one that learns, but this one "
            f"has {found}. Use @InjectableNatureNetwork or @InjectableMinatarNetwork."
        )
