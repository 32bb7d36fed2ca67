"""Draw the last layers again, or move all weights towards a fresh draw."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import is_number, whole
from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    Path,
    head_kernels,
    leaf_path,
    leaves_by_path,
)
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
from redo_dopamine.core.moments import map_moments, refuse_copies, validate_optimizer
from redo_dopamine.core.schedules import Periodic, Step


def layer_reset(
    num_layers: int = 2,
    period: int = 100_000,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, reinitialize the last layers.

    .. math:: W_l, b_l \leftarrow \text{fresh}, \qquad m_l, v_l \leftarrow 0
              \qquad \text{for the last } k \text{ layers } l

    Layers are counted from the output backwards and the output heads are the first:
    1 resets the heads, 2 the penultimate layer as well. The two heads of a dueling
    network count as one. With branches, a layer counts by its longest way to the
    output, so that nothing behind a reset layer is kept. Heads are those that the
    graph names; where it names none, the kernels that read its last layer and feed no
    layer of it. In a residual network every convolution counts as a layer, so that the
    last three of `ImpalaNetwork` are the head, the dense layer and the convolution that
    wrote last on the stream. What earlier ones wrote on it is kept: they are further
    back, and what reads them would be kept behind them.

    Nikishin et al., "The Primacy Bias in Deep Reinforcement Learning", ICML 2022.
    Defaults are those of the baseline in Sokar et al., ICML 2023, every 1e5 gradient
    steps: the penultimate layer, and the head with it, as in the released code. The
    authors' summary names the penultimate layer alone. The target network and the
    optimizer's step count are left alone, and so is a normalization that stands beside
    a reset layer as a module of its own.

    Args:
        num_layers: k >= 1, heads included.
        period: gradient steps between two resets.
        start: first gradient step at which layers may be reset.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `reset_layers`: how many layers were reset, 0 or k. Its `init` raises a
        ValueError if the network has fewer layers than k.

    Raises:
        ValueError: a setting out of its range.
    """
    depth = whole(
        num_layers,
        1,
        "num_layers must be a whole number",
        "1 is the output head, 2 the penultimate layer as well; to reset none use "
        "none().",
    )
    schedule = Periodic(period, start, stop)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)
        modules = _last_modules(graph, depth)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del activations
            due = schedule(step)

            def choose(path: Path, chosen: jax.Array, other: jax.Array) -> jax.Array:
                # Also under jit `where` hands over every bit of what it chooses.
                own = module_of(path) in modules
                return jnp.where(due, chosen, other) if own else other

            def forget(path: Path, moment: jax.Array, initial: jax.Array) -> jax.Array:
                return choose(path, initial, moment)

            new_params = jax.tree_util.tree_map_with_path(
                lambda key_path, current, fresh: choose(
                    leaf_path(key_path), fresh, current
                ),
                params,
                draw_params(key),
            )
            opt_state = map_moments(forget, new_params, opt_state, optimizer)
            return new_params, opt_state, state, {"reset_layers": due * depth}

        def init(params: Params) -> tuple[()]:
            validate_optimizer(optimizer, params)
            return _no_state(modules, params)

        return Intervention(init, apply, schedule, observe_nothing)

    return build


def _no_state(modules: frozenset[Path], params: Params) -> tuple[()]:
    found = {module_of(path) for path in leaves_by_path(params)}
    if not modules <= found:
        missing = sorted("/".join(path) for path in modules - found)
        raise ValueError(
            f"The layers to reset must be in the parameter tree, but {missing} are "
            "not. Correct the paths of the graph (graph.validate says which)."
        )
    return ()


def _last_modules(graph: NetworkGraph, num_layers: int) -> frozenset[Path]:
    """Paths of the modules at most `num_layers` from the output."""
    fed = {x: {w.path for w in x.incoming if w.is_kernel} for x in graph.layers}
    readers: dict[Path, set[Path]] = {k: set() for own in fed.values() for k in own}
    modules: dict[Path, set[Path]] = {}
    for layer, own in fed.items():
        parts = {module_of(w.path) for w in layer.incoming}
        for kernel in own:
            # A recurrent kernel reads the layer that it feeds.
            readers[kernel] |= {edge.path for edge in layer.outgoing} - own
            modules.setdefault(kernel, set()).update(parts)

    heads = head_kernels(graph)
    known: dict[Path, float] = {}

    def distance(kernel: Path) -> float:
        """1 for a head; infinite where the way to the output is not declared."""
        if kernel in heads:
            return 1
        if kernel not in known:
            known[kernel] = -math.inf  # So long as it is sought: the way may be a loop.
            behind = map(distance, readers.get(kernel, ()))
            known[kernel] = 1 + max(behind, default=math.inf)
        return known[kernel]

    kernels = set(readers).union(*readers.values())
    depth = max((d for d in map(distance, kernels) if d < math.inf), default=0)
    if num_layers > depth:
        raise ValueError(
            f"num_layers must be at most the number of layers that the graph "
            f"describes, {depth:.0f} with the output head, but is {num_layers}. "
            "Reset fewer layers."
        )
    return frozenset(
        module
        for kernel in kernels
        if distance(kernel) <= num_layers
        for module in modules.get(kernel, {module_of(kernel)})
    )


def module_of(path: Path) -> Path:
    """Where a weight's module is; the weight itself, where it is in none."""
    inner = path[:-1] if path[-1] == "value" and len(path) > 1 else path  # As in nnx.
    return inner[:-1] or path


def shrink_and_perturb(
    shrink: float = 0.8,
    perturb: float = 0.2,
    period: int = 40_000,
    start: int = 0,
    stop: int | None = None,
    num_reset_layers: int = 0,
    moments: float = 1.0,
) -> InterventionFactory:
    r"""Every `period` gradient steps, move all parameters towards a fresh draw.

    .. math:: \theta \leftarrow \lambda \theta + \beta \theta',
              \qquad \theta' \sim \text{the network's initializers}

    Ash and Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020, Section
    4, who add Gaussian noise. To add a share of newly drawn weights, and the
    defaults (0.8 and 0.2, every 40,000 gradient steps), follow SR-SPR (D'Oro et al.,
    ICLR 2023), where the encoder is treated so and the last layers are reset; that is
    `num_reset_layers` = 2, and by default the whole network is moved. BBF (Schwarzer
    et al., ICML 2023) takes 0.5 and 0.5.

    By default the optimizer state is kept: most of each weight is too. In the released
    code of BBF, which runs SR-SPR as well, all of it begins again at a reset:
    `moments` = 0. Adam's count of steps is left alone here, which
    `own_bias_correction` makes up for. There the target network is reset too, towards
    a draw of its own, as `target_intervention` of the full Rainbow agent does.

    Args:
        shrink: lambda, the share in [0, 1] of the weights that stays.
        perturb: beta, the share in [0, 1] of the new weights that is added.
        period: gradient steps between two perturbations.
        start: first gradient step at which weights may be perturbed.
        stop: gradient step from which on none are; None for never.
        num_reset_layers: last layers, the heads first, that are drawn again wholly and
            whose moments begin again; counted as in `layer_reset`, 0 for none.
        moments: the share in [0, 1] of the optimizer's moments of the other layers
            that stays.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `perturbation_norm`: the Euclidean norm of what changed.

    Raises:
        ValueError: a setting out of its range.
    """
    for name, value in (("shrink", shrink), ("perturb", perturb)):
        if not (is_number(value) and 0 <= value <= 1):
            raise ValueError(
                f"{name} must be in [0, 1], but is {value}. SR-SPR has shrink = 0.8 "
                "and perturb = 0.2; to leave the weights alone use none()."
            )
    if not (is_number(moments) and 0 <= moments <= 1):
        raise ValueError(
            f"moments must be in [0, 1], but is {moments}. 1 keeps the optimizer's "
            "moments, and 0 begins them again, as BBF does."
        )
    depth = whole(
        num_reset_layers,
        0,
        "num_reset_layers must be a whole number",
        "0 resets none, 1 the output head, 2 the penultimate layer as well.",
    )
    schedule = Periodic(period, start, stop)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        reset = _last_modules(graph, depth) if depth else frozenset()
        changes_moments = depth > 0 or moments < 1

        def init(params: Params) -> tuple[()]:
            refuse_copies(optimizer, params)
            if changes_moments:
                validate_optimizer(optimizer, params)
            return _no_state(reset, params)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del activations
            due = schedule(step)

            def mix(
                key_path: tuple[Any, ...], current: jax.Array, fresh: jax.Array
            ) -> jax.Array:
                mixed = shrink * current + perturb * fresh
                new = fresh if module_of(leaf_path(key_path)) in reset else mixed
                return jnp.where(due, new.astype(current.dtype), current)

            def fade(path: Path, moment: jax.Array, initial: jax.Array) -> jax.Array:
                share = 0 if module_of(path) in reset else moments
                if share == 1:
                    return moment
                left = share * moment + (1 - share) * initial if share else initial
                return jnp.where(due, left.astype(moment.dtype), moment)

            mixed = jax.tree_util.tree_map_with_path(mix, params, draw_params(key))
            if changes_moments:
                opt_state = map_moments(fade, mixed, opt_state, optimizer)
            change = jax.tree.map(jnp.subtract, mixed, params)
            metrics = {"perturbation_norm": optax.tree.norm(change)}
            return mixed, opt_state, state, metrics

        return Intervention(init, apply, schedule, observe_nothing)

    return build
