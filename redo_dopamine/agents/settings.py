"""Check what an agent is given."""

import dataclasses
import difflib
import inspect
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
from dopamine.jax import continuous_networks
from dopamine.jax import networks as dopamine_networks

from redo_dopamine.core.checks import LARGEST_COUNT
from redo_dopamine.networks.actor_critic import PPONetwork, SACNetwork
from redo_dopamine.networks.distributional import (
    NatureC51Network,
    NatureImplicitQuantileNetwork,
    NatureQuantileNetwork,
)
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.networks.rainbow import RainbowNetwork

# Networks of Dopamine, and ours that give the same outputs at width 1.
_EQUALS: Mapping[type, type] = {
    dopamine_networks.NatureDQNNetwork: NatureNetwork,
    dopamine_networks.FullRainbowNetwork: RainbowNetwork,
    dopamine_networks.RainbowNetwork: NatureC51Network,
    dopamine_networks.QuantileNetwork: NatureQuantileNetwork,
    dopamine_networks.ImplicitQuantileNetwork: NatureImplicitQuantileNetwork,
    continuous_networks.PPOActorCriticNetwork: PPONetwork,
    continuous_networks.ActorCriticNetwork: SACNetwork,
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What the constructors of Dopamine's agents take by name.
DQN_SETTINGS = _words(
    """
    num_actions observation_shape observation_dtype stack_size network gamma
    update_horizon min_replay_history update_period target_update_period epsilon_fn
    epsilon_train epsilon_eval epsilon_decay_period eval_mode optimizer summary_writer
    summary_writing_frequency allow_partial_reload seed loss_type preprocess_fn
    collector_allowlist
    """
)
_OF_EACH = """
    num_actions observation_shape observation_dtype stack_size network gamma
    update_horizon min_replay_history update_period target_update_period epsilon_fn
    epsilon_train epsilon_eval epsilon_decay_period replay_scheme optimizer seed
    summary_writer summary_writing_frequency
    """
RAINBOW_SETTINGS = _words(_OF_EACH + " num_atoms vmin vmax allow_partial_reload")
QUANTILE_SETTINGS = _words(_OF_EACH + " num_atoms kappa allow_partial_reload")
IMPLICIT_QUANTILE_SETTINGS = _words(
    _OF_EACH
    + """
    kappa num_tau_samples num_tau_prime_samples num_quantile_samples
    quantile_embedding_dim double_dqn
    """
)
FULL_RAINBOW_SETTINGS = _words(
    """
    num_actions noisy dueling double_dqn distributional mse_loss
    num_updates_per_train_step network num_atoms vmax vmin epsilon_fn replay_scheme
    summary_writer seed preprocess_fn
    """
)
ATARI_100K_SETTINGS = _words(
    "num_actions data_augmentation mse_loss summary_writer network seed"
)
PPO_SETTINGS = _words(
    """
    action_shape observation_shape action_limits stack_size update_horizon network
    num_layers hidden_units activation update_period num_epochs batch_size gamma lambda_
    epsilon vf_coefficient entropy_coefficient clip_critic_loss eval_mode optimizer
    max_gradient_norm summary_writer summary_writing_frequency allow_partial_reload seed
    collector_allowlist
    """
)
SAC_SETTINGS = _words(
    """
    action_shape action_limits observation_shape action_dtype observation_dtype
    reward_scale_factor stack_size network num_layers hidden_units gamma update_horizon
    min_replay_history update_period target_update_type target_update_period
    target_smoothing_coefficient target_entropy eval_mode optimizer summary_writer
    summary_writing_frequency allow_partial_reload seed collector_allowlist
    """
)


def check_names(
    settings: Iterable[str], stock: Iterable[str], ours: Iterable[str]
) -> None:
    """Check that Dopamine's agent takes what is handed on to it.

    Args:
        settings: the names handed on.
        stock: the names that Dopamine's agent takes.
        ours: those of this package, for the hint.

    Raises:
        TypeError: a name that it does not take.
    """
    stock = set(stock)
    for name in settings:
        if name not in stock:
            near = difflib.get_close_matches(name, {*stock, *ours}, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(
                f"Neither this agent nor the Dopamine agent that it extends has a "
                f"setting {name!r}.{hint}"
            )


class Undone(NamedTuple):
    """A setting of Dopamine's agent that is read and recorded, and not done here.

    Attributes:
        attribute: where Dopamine's constructor puts it.
        done: the values that ask for nothing else than what is done.
        remedy: what to do in its place.
    """

    attribute: str
    done: tuple[Any, ...]
    remedy: str


# Of every agent.
UNDONE = (
    Undone(
        "summary_writer",
        (None,),
        "Metrics go to the collectors that CollectorDispatcher.collectors names.",
    ),
    Undone(
        "allow_partial_reload",
        (False,),
        "A checkpoint is restored whole or refused.",
    ),
    Undone(
        "_collector_allowlist",
        # Where it is empty, Dopamine hands metrics to every collector as well.
        ("tensorboard", ("tensorboard",), ["tensorboard"], (), []),
        "Every collector gets every metric; choose them by "
        "CollectorDispatcher.collectors.",
    ),
)
# Of agents that learn distributions.
UNDONE_LOSS = Undone(
    "_loss_type", ("mse",), "The loss of this agent is that of its distribution."
)


def check_done(agent: Any, undone: Iterable[Undone]) -> None:
    """Check that nothing is asked of an agent that would be recorded and not done.

    Args:
        agent: after Dopamine's constructor.
        undone: what is not.

    Raises:
        ValueError: a setting of another value than what is done.
    """
    for attribute, done, remedy in undone:
        value = getattr(agent, attribute)
        if not any(type(value) is type(x) and value == x for x in done):
            raise ValueError(
                f"{attribute.lstrip('_')} must be {done[0]!r}, as nothing else is done "
                f"by {type(agent).__name__}, but is {value!r}. {remedy}"
            )


def updates_per_train_step(replay_ratio: float, update_period: int) -> int:
    """Gradient updates every `update_period` agent steps.

    The replay ratio is the number of gradient updates per agent step, so this is
    `replay_ratio * update_period`.

    Args:
        replay_ratio: updates per agent step.
        update_period: agent steps between two train steps.

    Raises:
        ValueError: the product is not a whole number >= 1.
    """
    if isinstance(replay_ratio, bool) or not isinstance(replay_ratio, numbers.Real):
        raise TypeError(
            "replay_ratio must be a number of gradient updates per agent step, but is "
            f"{replay_ratio!r}. The paper uses 0.25, 0.5, 1 and 2."
        )
    updates = replay_ratio * update_period
    wrong = not 0.5 <= updates <= LARGEST_COUNT
    if wrong or abs(updates - round(updates)) > 1e-6:
        possible = ", ".join(f"{n / update_period:g}" for n in range(1, 5))
        raise ValueError(
            "replay_ratio must give a whole number >= 1 with update_period, but "
            f"{replay_ratio} * {update_period} = {updates:g}. With update_period = "
            f"{update_period} the possible replay ratios are {possible}, ..."
        )
    return round(updates)


def check_intervention(factory: Any) -> None:
    """Check that an intervention was made, where it is easily just named.

    Raises:
        TypeError: it does not take a graph, a draw of parameters and an optimizer.
    """
    if not callable(factory):
        raise TypeError(
            f"intervention must be what redo(...) or another one returns, but is "
            f"{factory!r}. Write @redo() in gin, or @none()."
        )
    parameters = inspect.signature(factory).parameters.values()
    if [x.default for x in parameters].count(inspect.Parameter.empty) != 3:
        name = getattr(factory, "__name__", factory)
        raise TypeError(
            f"intervention must be what {name}(...) returns, but is {name} itself. "
            f"Call it: @{name}() in gin."
        )


def own_network(network: Any) -> Any:
    """Our own network in the place of one of Dopamine's that it equals.

    Its layers have the names that they have everywhere here.

    Raises:
        TypeError: no flax module.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(
            "network must be a flax module, but what it gives is "
            f"{network!r}. Derive it from flax.linen.Module, as @NatureNetwork is."
        )
    ours = _EQUALS.get(type(network))
    if ours is None:
        return network
    fields = {f.name for f in dataclasses.fields(network)} - {"parent", "name"}
    return ours(**{name: getattr(network, name) for name in fields})
