"""Measure every metric of a checkpoint."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from redo_dopamine.config import load
from redo_dopamine.core import scores
from redo_dopamine.core.metrics import catalogue
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.restore import (
    Look,
    Restored,
    find_checkpoint,
    from_file,
    from_replay,
    restore,
)
from redo_dopamine.plasticity.tracker import Tracking

_TAUS = (0.0, 0.025, 0.1)  # Where the run tracked none: the paper's.
# What a batch has beside states: of any agent, of PPO's, of SAC's.
_TRANSITION = (
    *("action", "reward", "next_state", "terminal"),
    *("value", "return", "advantage", "log_probability"),
    *("key", "log_alpha"),
)
_TRANSITIONS = "transitions"


class Inspection(NamedTuple):
    """What was found.

    Attributes:
        checkpoint: its path.
        agent_step: of the checkpoint.
        gradient_step: of the checkpoint.
        taus: thresholds.
        scores: dormancy scores [N] per layer.
        measured: metrics by the names that a run's metrics.csv has.
        notes: what a reader must know, a sentence or two each.
    """

    checkpoint: Path
    agent_step: int
    gradient_step: int
    taus: tuple[float, ...]
    scores: Mapping[str, np.ndarray]
    measured: Mapping[str, Any]
    notes: tuple[str, ...]


def inspect_checkpoint(
    checkpoint: str | Path,
    *,
    states: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    taus: Sequence[float] | None = None,
    batch_size: int | None = None,
    trust_modules: Sequence[str] = (),
) -> Inspection:
    """Measure a checkpoint as tracking would.

    Where the run tracked at the checkpoint's very gradient step, the same taus and
    metrics on its own replay give the numbers that it logged.

    Args:
        checkpoint: a file, or a run's directory for its newest one.
        states: a .npy file of states [B, H, W, stack]; None for the run's replay.
        metrics: names beside dormancy; None for every one that can be measured.
        taus: thresholds; None for those of the run.
        batch_size: states from the replay; None for as many as the run tracked.
        trust_modules: modules of the user's own that the run's settings name.

    Raises:
        UserError: a checkpoint, states or settings that cannot be used.
    """
    restored = restore(
        find_checkpoint(checkpoint), replay=states is None, trust_modules=trust_modules
    )
    agent, plasticity = restored.agent, restored.agent._plasticity
    tracked = plasticity.tracking
    if taus is None:
        taus = tracked.taus or _TAUS
    known = _known(tracked.metrics)
    chosen = [known[x] for x in _checked(known if metrics is None else metrics, known)]
    look = (
        from_replay(agent, batch_size) if states is None else from_file(agent, states)
    )
    left_out: dict[str, str] = {}
    if states is not None or metrics is None:
        left_out = _cannot_be_measured(restored, chosen, look)
        if left_out and metrics is not None:
            raise UserError(
                f"--states gives states alone, but {list(left_out)} need "
                f"{_TRANSITIONS}. Leave them out of --metrics, or leave --states out "
                "for the run's replay."
            )
    try:
        tracking = tracked.with_metrics(
            restored.initial_params,
            taus=taus,
            metrics=[x for x in chosen if x.name not in left_out],
            # Not with that very measurement itself.
            before=plasticity.tracks_at(agent.gradient_step),
        )
        found_scores, found = _measure(tracking, agent, look)
    except (ValueError, TypeError) as error:
        raise UserError(load.brief(error)) from error
    return Inspection(
        checkpoint=restored.path,
        agent_step=agent.training_steps,
        gradient_step=agent.gradient_step,
        taus=tracking.taus,
        scores=found_scores,
        measured=found,
        notes=(
            look.origin,
            *agent.network_notes,
            *_notes(agent, tracked, tracking, left_out),
        ),
    )


def _known(of_run: Sequence[Metric]) -> dict[str, Metric]:
    """Metrics by name; the run's own have its settings and what it remembers."""
    made = (make() for make in catalogue.FACTORIES)
    return {metric.name: metric for metric in (*made, *of_run)}


def _checked(names: Iterable[str], known: Iterable[str]) -> list[str]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            hint = f"Did you mean {' or '.join(near)}?" if near else ""
            raise UserError(
                f"--metrics must be of {', '.join(known)}, but {name!r} is none. "
                f"{hint}".rstrip()
            )
    return list(dict.fromkeys(names))


def _cannot_be_measured(
    restored: Restored, metrics: Sequence[Metric], look: Look
) -> dict[str, str]:
    """Names of the metrics that this look is not enough for, and what they need.

    They try.
    """
    agent = restored.agent
    names = {}
    for metric in metrics:
        alone = agent._plasticity.tracking.with_metrics(
            restored.initial_params, taus=(), metrics=[metric]
        )
        params = agent.online_params, agent.target_network_params
        try:
            jax.eval_shape(alone.measure, *params, look.batch)
        except KeyError as error:
            if error.args[0] not in _TRANSITION:
                raise
            names[metric.name] = _TRANSITIONS
        except TypeError:
            names[metric.name] = "a network of another kind"
    return names


def _measure(
    tracking: Tracking, agent: Any, look: Look
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Scores per layer, and metrics by name."""
    params = agent.online_params
    activations = tracking.activations(params, look.batch)
    per_neuron = {k: scores.dormancy_score(h) for k, h in activations.items()}
    found = tracking.measure(params, agent.target_network_params, look.batch)
    on_host = jax.device_get((per_neuron, found))
    return on_host[0], {name: value[()] for name, value in on_host[1].items()}


def _notes(
    agent: Any, tracked: Tracking, tracking: Tracking, left_out: Mapping[str, str]
) -> list[str]:
    """What sets these numbers apart from those that the run logged."""
    notes = []
    step, last = agent.gradient_step, agent.training_steps - 1
    if agent._plasticity.intervenes_at(step):
        notes.append(
            "The intervention acted at this gradient step, after any measurement of "
            "the run: these are the neurons after it."
        )
    last_update = last // agent.update_period * agent.update_period
    synchronized = any(map(agent.is_target_update_step, range(last_update, last + 1)))
    if synchronized and tracking.metrics and agent._plasticity.tracks_at(step):
        notes.append(
            "The target network was synchronized after this gradient step: metrics of "
            "the loss differ from what the run measured before that."
        )
    new = [x.name for x in tracking.metrics if x not in tracked.metrics]
    new += [f"τ = {tau:g}" for tau in tracking.taus if tau not in tracked.taus]
    if new:
        notes.append(
            f"Not tracked by the run: {', '.join(new)}. What compares with an earlier "
            "measurement is as at a first one: against no neurons, or against the "
            "parameters that the run started with."
        )
    for need in dict.fromkeys(left_out.values()):
        names = ", ".join(name for name, x in left_out.items() if x == need)
        notes.append(f"Left out, since they need {need}: {names}.")
    return notes
