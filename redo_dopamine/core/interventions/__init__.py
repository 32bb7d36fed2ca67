"""What is done to a network against lost plasticity, as one argument of an agent.

An intervention has the form of an optax transformation: two pure functions and a
state that is a pytree. Because it rewrites parameters and looks at a batch, it is
not itself one; it runs after the gradient update.

    intervention = redo(tau=0.1, period=1000)(graph, draw_params, optimizer)
    state = intervention.init(params)
    if intervention.schedule(gradient_step):
        activations = intervention.observe(observer)
        params, opt_state, state, metrics = intervention.apply(
            key, params, opt_state, state, activations, gradient_step)

`base` has the types and `none`, `recycling` what those that recycle neurons share, and
every other module a family of interventions.
"""

from redo_dopamine.core.interventions.base import (
    NOT_FINITE,
    Activations,
    DrawParams,
    Intervention,
    InterventionFactory,
    Metrics,
    Observer,
    State,
    none,
    observe_nothing,
)
from redo_dopamine.core.interventions.constraints import (
    normalize_and_project,
    prune,
    spectral_norm,
    weight_clipping,
)
from redo_dopamine.core.interventions.continual_backprop import continual_backprop
from redo_dopamine.core.interventions.dash import dash
from redo_dopamine.core.interventions.dormant_perturbation import (
    dormant_perturbation,
)
from redo_dopamine.core.interventions.hare_tortoise import hare_and_tortoise
from redo_dopamine.core.interventions.injection import plasticity_injection
from redo_dopamine.core.interventions.optimizer_reset import optimizer_reset
from redo_dopamine.core.interventions.recycling import (
    Incoming,
    Selection,
    as_drawn,
    at_random,
    highest_score,
    live_norm,
    lowest_score,
    lowest_utility,
)
from redo_dopamine.core.interventions.redo import (
    adaptive_redo,
    fixed_budget,
    redo,
    redo_at_random,
    regrama,
)
from redo_dopamine.core.interventions.reset import layer_reset, shrink_and_perturb
from redo_dopamine.core.interventions.self_normalized import self_normalized_resets

__all__ = [
    "NOT_FINITE",
    "Activations",
    "DrawParams",
    "Incoming",
    "Intervention",
    "InterventionFactory",
    "Metrics",
    "Observer",
    "Selection",
    "State",
    "adaptive_redo",
    "as_drawn",
    "at_random",
    "continual_backprop",
    "dash",
    "dormant_perturbation",
    "fixed_budget",
    "hare_and_tortoise",
    "highest_score",
    "layer_reset",
    "live_norm",
    "lowest_score",
    "lowest_utility",
    "none",
    "normalize_and_project",
    "observe_nothing",
    "optimizer_reset",
    "plasticity_injection",
    "prune",
    "redo",
    "redo_at_random",
    "regrama",
    "self_normalized_resets",
    "shrink_and_perturb",
    "spectral_norm",
    "weight_clipping",
]
