"""Functions of the wrong kind in settings are found before the first step."""

import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.errors import UserError


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def _register(function, name):
    gin.external_configurable(function, name, module="tests.rehearsal")


_register(lambda view: view.activation, "all_activations")
_register(lambda online, target: target, "every_value")
_register(lambda *_: 0.5 * jnp.ones(3), "three_epsilons")
_register(lambda step: 0.1 if step < 5 else 0.2, "not_traceable")
_register(lambda steps, settings: [1, 2], "numbers")
_register(lambda key, n, size, epochs: jnp.ones((4, size)), "order_of_floats")
_register(lambda critic: critic, "same_critic")
_register(lambda graph, masks, params, fresh: {}, "no_weights")
_register(
    lambda: Metric("whole", lambda g, p: (), lambda v, s: (dict(v.activations), s)),
    "whole_activations",
)

DQN, PPO, SAC, DRQ = (
    (file, tuple(x for x in tiny if not x.startswith("redo.")))
    for file, tiny in (
        ("dqn.gin", runs.TINY),
        ("ppo.gin", runs.TINY_PPO),
        ("sac.gin", runs.TINY_SAC),
        ("drq_eps.gin", runs.TINY_DRQ),
    )
)
BUDGET = "RecycledDQNAgent.intervention = @fixed_budget()"
REDO = "RecycledDQNAgent.intervention = @redo()"
WRONG = [
    (DQN, [BUDGET, "fixed_budget.select = @relu"], "fixed_budget.select must"),
    (DQN, [BUDGET, "fixed_budget.select = @all_activations"], "fixed_budget.select"),
    (DQN, [BUDGET, "fixed_budget.select = @as_drawn"], "fixed_budget.select must"),
    (DQN, [BUDGET, "fixed_budget.fraction = @relu"], "fixed_budget.fraction|fraction"),
    (DQN, [BUDGET, "fixed_budget.fraction = @at_random"], "fixed_budget.fraction must"),
    (DQN, [BUDGET, "fixed_budget.fraction = @not_traceable"], "budget.fraction must"),
    (DQN, [REDO, "redo.incoming = @at_random"], "redo.incoming must"),
    (DQN, [REDO, "redo.incoming = @no_weights"], "intervention must .*act"),
    (DQN, ["RecycledDQNAgent.bootstrap = @relu"], "RecycledDQNAgent.bootstrap must"),
    (DQN, ["RecycledDQNAgent.bootstrap = @every_value"], "Agent.bootstrap must"),
    (DQN, ["JaxDQNAgent.epsilon_fn = @three_epsilons"], "JaxDQNAgent.epsilon_fn must"),
    (DQN, ["FrameReplay.windows = @relu"], "FrameReplay.windows must"),
    (DQN, ["FrameReplay.windows = @numbers"], "FrameReplay.windows must"),
    (DQN, ["NatureNetwork.activation = @at_random"], "NatureNetwork.activation must"),
    (DQN, ["NatureNetwork.activation = @none"], "NatureNetwork.activation must"),
    (DQN, ["NatureNetwork.normalize = @none"], "NatureNetwork.normalize must"),
    (
        DQN,
        ["RecycledDQNAgent.metrics = [@srank(), @whole_activations()]"],
        "RecycledDQNAgent.metrics must give single numbers",
    ),
    (PPO, ["RecycledPPOAgent.metrics = [@largest_q()]"], "RecycledPPOAgent.metrics"),
    (PPO, ["RecycledPPOAgent.order = @relu"], "RecycledPPOAgent.order must"),
    (PPO, ["RecycledPPOAgent.order = @order_of_floats"], "RecycledPPOAgent.order must"),
    (
        SAC,
        ["RecycledSACAgent.metrics = [@srank(), @policy_churn()]"],
        "RecycledSACAgent.metrics must .*policy_churn",
    ),
    (SAC, ["RecycledSACAgent.next_value = @relu"], "RecycledSACAgent.next_value"),
    (DRQ, ["NatureRainbowNetwork.activation = @at_random"], "Network.activation must"),
]


class _SeenError(Exception):
    pass


def build(config, bindings, directory):
    file, tiny = config
    runs.configure_run(file, [*tiny, *bindings])
    return training.build_runner(str(directory))


@pytest.mark.parametrize(
    ("config", "bindings", "message"),
    WRONG,
    ids=[f"{x[1][-1].partition('.')[2]}" for x in WRONG],
)
def test_a_function_of_the_wrong_kind_is_refused(config, bindings, message, tmp_path):
    with pytest.raises(UserError, match=message) as refused:
        build(config, bindings, tmp_path)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("config", [DQN, PPO, SAC, DRQ], ids=lambda x: x[0])
def test_the_rehearsed_shapes_are_those_of_the_run(config, tmp_path):
    runner = build(config, [], tmp_path)
    agent = runner.agent
    draw = agent._draw_batch

    def note(size, rng):
        batch = draw(size, rng)
        expected = agent._example_batch(size)
        assert jax.tree.map(lambda x: (x.shape, jnp.dtype(x.dtype)), expected) == (
            jax.tree.map(lambda x: (x.shape, jnp.asarray(x).dtype), batch)
        )
        raise _SeenError

    agent._draw_batch = note
    with pytest.raises(_SeenError):
        runner.run_experiment()


def test_rehearsing_computes_nothing(tmp_path):
    first = build(DQN, [REDO], tmp_path / "a").agent
    before = jax.tree.map(np.array, first.state_tree())
    first._rehearse()
    after = first.state_tree()
    jax.tree.map(np.testing.assert_array_equal, before, after)
