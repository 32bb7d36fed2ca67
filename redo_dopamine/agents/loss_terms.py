"""What may be added to the loss of an agent of Q-values, with a memory of its own.

`RecycledDQNAgent.loss_term = @churn_reduction()`; another term is in
`initial_features`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import (
    LARGEST_COUNT,
    SettingError,
    call,
    check_setting,
    shown,
    whole_setting,
)
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity.learner import Batch, Loss

State = Any  # Of a term: a tree of arrays of fixed shapes, which checkpoints hold.
Inputs = Any  # What a term takes of its state into an update, and of its own states.
# Q-values [B, actions] of `(params, states [B, ...])`, without noise.
QValues = Callable[[Params, jax.Array], jax.Array]
# Features [B, N] of the same, likewise.
Features = Callable[[Params, jax.Array], jax.Array]


class AgentParts(NamedTuple):
    """What a term may use of an agent.

    Attributes:
        q_values: of its network.
        features: what the output heads of its network read.
        num_features: how many these are; 0 where they are not known.
        optimizer: of its parameters, without what the settings put beside it.
        key: of the agent's seed, for what a term draws at first.
    """

    q_values: QValues
    features: Features
    num_features: int
    optimizer: optax.GradientTransformation
    key: jax.Array


class LossTerm(NamedTuple):
    """A term of the loss: pure functions, as an optax transformation is.

    Attributes:
        batch_size: states that are drawn for it at every update, apart from those that
            are learned from.
        init: the state of `params`.
        before_update: of `(params, state, states)`, the new state and the inputs.
        loss: of `(params, inputs)`, the scalar that is added to the loss.
        after_update: of `(state, loss)`, the new state; the loss has the term in it.
    """

    batch_size: int
    init: Callable[[Params], State]
    before_update: Callable[[Params, State, jax.Array], tuple[State, Inputs]]
    loss: Callable[[Params, Inputs], jax.Array]
    after_update: Callable[[State, jax.Array], State]


LossTermFactory = Callable[[AgentParts], LossTerm]


def with_term(loss: Loss, term: LossTerm) -> Loss:
    """The sum of a loss and a term, of batches that hold the inputs as `term`."""

    def error(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        added = term.loss(params, batch["term"])
        return loss.error(params, batch, targets) + added

    return loss._replace(error=error)


class CarriedTerm:
    """A term with its state, which the agent's updates carry on.

    Args:
        factory: the agent's setting `loss_term`.
        parts: of the agent.

    Attributes:
        functions: the term.
        state: its state.

    Raises:
        SettingError: the factory gives no `LossTerm`.
    """

    state: State

    def __init__(self, factory: LossTermFactory, parts: AgentParts):
        of = "an agent's parts that gives a LossTerm"
        term = call("loss_term", factory, parts, of=of)
        if not isinstance(term, LossTerm):
            raise SettingError(
                f"loss_term must be a function of {of}, but {shown(factory)} gives a "
                f"{type(term).__name__}. Use @churn_reduction()."
            )
        self.functions = term
        self._init = compiled(term.init)
        self._before = compiled(term.before_update, donate_argnums=1)
        self._after = compiled(term.after_update, donate_argnums=0)

    def begin_with(self, params: Params) -> None:
        """Forget all; these are the parameters."""
        self.state = self._init(params)

    def before_update(self, params: Params, states: jax.Array) -> Inputs:
        """What the update takes; the parameters are those before it."""
        self.state, inputs = self._before(params, self.state, states)
        return inputs

    def after_update(self, loss: jax.Array) -> None:
        """Go on from the update; the loss is that of it, with the term."""
        self.state = self._after(self.state, loss)

    def example(self, params: Params, states: Any) -> Inputs:
        """The shapes of what `before_update` gives, of those of states."""
        return jax.eval_shape(self._before, params, self.state, states)[1]


def check_same_term(term: CarriedTerm | None, found: State | None) -> None:
    """Check that a checkpoint's state of a term is one of this term.

    Args:
        term: the agent's; None where it has none.
        found: the checkpoint's; None where it has none.

    Raises:
        ValueError: it is of another one.
    """
    expected = None if term is None else term.state
    if jax.tree.map(jnp.shape, found) != jax.tree.map(jnp.shape, expected):
        raise ValueError(
            "A checkpoint must be of an agent with the same loss_term, but is of one "
            f"{'without' if found is None else 'with another or with'} one. Resume "
            "with the settings that the run began with."
        )


class ChurnState(NamedTuple):
    """What churn reduction remembers.

    Attributes:
        previous: the parameters of one update ago.
        updates: how many there were.
        losses: of the last updates, without the term [window].
        churns: of the last updates [window].
        added: what the term was at the last update.
    """

    previous: Params
    updates: jax.Array
    losses: jax.Array
    churns: jax.Array
    added: jax.Array


def churn_reduction(
    relative_scale: float = 0.01,
    coefficient: float = 50.0,
    warmup: int = 10_000,
    window: int = 50_000,
    batch_size: int = 32,
) -> LossTermFactory:
    r"""Hold the Q-values of other states where they were one update ago (C-CHAIN).

    .. math:: \lambda_t \; E_{s, a} \big(
                  Q_{\theta_t}(s, a) - Q_{\theta_{t-1}}(s, a) \big)^2

    over a batch of states drawn apart from the batch that is learned from, and all
    actions; the older Q-values have no gradient. The factor is `coefficient` for the
    first `warmup` updates, and then such that the term is on average
    `relative_scale` of the loss:

    .. math:: \lambda_t = \beta \, \frac{\overline{|L|}}{\overline{C} + 10^{-8}}

    with the means of the loss and of the churn over the last `window` updates.

    Tang and Berseth, "Improving Deep Reinforcement Learning by Reducing the Chain
    Effect of Value and Policy Churn", NeurIPS 2024; Tang et al., "Mitigating Plasticity
    Loss in Continual Reinforcement Learning by Reducing Churn", ICML 2025, whose code
    of double DQN on MinAtar this is, with its defaults. The term of policies, which
    their PPO has, is not here. For agents of distributions, which theirs are not, the
    Q-values are the means. What an intervention changes between two updates counts as
    churn of the next one.

    Args:
        relative_scale: beta >= 0.
        coefficient: lambda >= 0 of the first updates.
        warmup: gradient updates until lambda follows the losses, at least 2.
        window: gradient updates that losses are averaged over.
        batch_size: states that the churn is averaged over.

    Returns:
        A function of an agent's parts that gives a `LossTerm`.

    Raises:
        ValueError: a setting out of its range.
    """
    for name, value in (
        ("relative_scale", relative_scale),
        ("coefficient", coefficient),
    ):
        check_setting(name, value, lambda x: x >= 0, "a finite number >= 0")
    first = whole_setting("warmup", warmup, low=2, high=LARGEST_COUNT)
    length = whole_setting("window", window, high=LARGEST_COUNT)
    size = whole_setting("batch_size", batch_size, high=LARGEST_COUNT)

    def build(parts: AgentParts) -> LossTerm:
        q_values = parts.q_values

        def init(params: Params) -> ChurnState:
            nothing = jnp.zeros(length)
            zero = jnp.zeros([])
            count = jnp.zeros([], jnp.int32)
            return ChurnState(copied(params), count, nothing, nothing, zero)

        def factor(state: ChurnState) -> jax.Array:
            # The first update has no churn: it is not among those averaged over.
            losses = jnp.sum(state.losses) / jnp.minimum(state.updates, length)
            churns = jnp.sum(state.churns) / jnp.minimum(state.updates - 1, length)
            followed = relative_scale * losses / (churns + 1e-8)
            return jnp.where(state.updates < first, coefficient, followed)

        def before_update(
            params: Params, state: ChurnState, states: jax.Array
        ) -> tuple[ChurnState, Inputs]:
            old = q_values(state.previous, states)
            inputs = {"states": states, "old": old, "factor": factor(state)}
            churn = jnp.mean((q_values(params, states) - old) ** 2)
            after = state._replace(
                previous=copied(params),
                churns=state.churns.at[state.updates % length].set(churn),
                added=inputs["factor"] * churn,
            )
            return after, inputs

        def loss(params: Params, inputs: Inputs) -> jax.Array:
            change = q_values(params, inputs["states"]) - inputs["old"]
            return inputs["factor"] * jnp.mean(change**2)

        def after_update(state: ChurnState, loss: jax.Array) -> ChurnState:
            own = jnp.abs(loss - state.added)
            return state._replace(
                updates=state.updates + 1,
                losses=state.losses.at[state.updates % length].set(own),
            )

        return LossTerm(size, init, before_update, loss, after_update)

    return build


def copied(params: Params) -> Params:
    """The parameters for keeps: an update donates the memory of its own."""
    return jax.tree.map(lambda x: jnp.array(x, copy=True), params)
