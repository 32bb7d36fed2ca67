"""DQN on a fixed data set: no environment, moving targets or fixed ones."""

import functools

import gin
import jax
import numpy as np
import pytest
from dopamine.jax import networks as dopamine_networks

from helpers import agents, runs
from helpers.agents import assert_trees_equal, trees_differ
from offline.recordings import load, settings, steps_of, write
from redo_dopamine import training
from redo_dopamine.agents import dqn_loss, offline_dqn
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.offline_dqn import OfflineDQNAgent
from redo_dopamine.core import interventions
from redo_dopamine.errors import UserError
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.offline import arrays, reading, replay
from redo_dopamine.tools import record

GAME = "DemonAttack"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    agents.bind_replay()


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A made-up data set, of the small agents' observations."""
    directory = tmp_path_factory.mktemp("made_up")
    write_small(directory, 5)
    return directory


def write_small(directory, episodes, seed=0):
    steps = steps_of([(40, True)] * episodes, seed, agents.OBSERVATION_SHAPE)
    few = (step._replace(action=step.action % agents.NUM_ACTIONS) for step in steps)
    write(directory, few, stack_size=2)


def data_of(directory):
    def data(*, stack_size, update_horizon, gamma, seed):
        loaded = reading.load(
            directory, None, settings(stack_size, update_horizon, gamma)
        )
        return replay.FixedReplay(
            loaded,
            stack_size=stack_size,
            update_horizon=update_horizon,
            gamma=gamma,
            seed=seed,
        )

    return data


def offline_agent(directory, **more):
    return OfflineDQNAgent(
        agents.NUM_ACTIONS,
        data=data_of(directory),
        **{
            **agents.SMALL,
            "network": _small_network,
            "taus": (),
            "update_period": 1,
            "replay_ratio": 1,
            **more,
        },
    )


def _small_network(num_actions, **more):
    return NatureNetwork(num_actions=num_actions, width=0.125, **more)


def train_for(agent, num_steps):
    for _ in range(num_steps):
        agent.train_step()
    return agent


def targets_of(agent, size=30):
    batch = agent._draw_batch(size, np.random.default_rng(1))
    return np.asarray(target_values(agent, batch))


def target_values(agent, batch):
    online, target = agent.online_params, agent.target_network_params
    return agent._targets.values(online, target, batch)


def test_td_targets_are_those_of_dqn(made_up):
    agent = train_for(offline_agent(made_up, target_update_period=1000), 5)
    batch = agent._draw_batch(30, np.random.default_rng(0))
    online, target = agent.online_params, agent.target_network_params
    expected = dqn_loss.q_learning(
        agent._apply, dqn_loss.elementwise_loss("mse"), agent.cumulative_gamma
    )
    np.testing.assert_allclose(
        agent._loss()(online, target, batch), expected(online, target, batch), rtol=1e-6
    )
    gradients = [jax.grad(f)(online, target, batch) for f in (agent._loss(), expected)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *gradients)


def test_td_targets_move_and_random_ones_never_do(made_up):
    found = {}
    for factory in (offline_dqn.td_targets, offline_dqn.random_targets):
        agent = offline_agent(made_up, targets=factory, target_update_period=4)
        before = targets_of(agent)
        after = targets_of(train_for(agent, 20))
        found[factory.__name__] = np.array_equal(before, after)
    assert found == {"td_targets": False, "random_targets": True}


def test_random_targets_depend_on_state_and_action_alone(made_up):
    agent = offline_agent(made_up, targets=offline_dqn.random_targets)
    batch = agent._draw_batch(30, np.random.default_rng(0))
    values = target_values(agent, batch)
    others = {
        "reward": batch["reward"] + 1,
        "terminal": ~batch["terminal"],
        "next_state": batch["next_state"] * 0,
    }
    again = target_values(agent, batch | others)
    np.testing.assert_array_equal(values, again)
    changes = {"action": (batch["action"] + 1) % 3, "state": 1 - batch["state"]}
    for name, change in changes.items():
        changed = {name: change}
        moved = target_values(agent, batch | changed)
        assert not np.isclose(values, moved).any()


def test_random_targets_come_of_the_seed_and_are_not_the_online_network(made_up):
    one, same, other = (
        offline_agent(made_up, targets=offline_dqn.random_targets, seed=seed)
        for seed in (1, 1, 2)
    )
    assert_trees_equal(one.target_network_params, same.target_network_params)
    assert trees_differ(one.target_network_params, other.target_network_params)
    assert trees_differ(one.target_network_params, one.online_params)


def test_arms_start_alike_and_see_the_same_data(made_up):
    td = offline_agent(made_up)
    random = offline_agent(made_up, targets=offline_dqn.random_targets)
    assert_trees_equal(td.online_params, random.online_params)
    assert_trees_equal(td._next_batch(), random._next_batch())


def test_the_same_seed_gives_the_same_parameters(made_up):
    redo = interventions.redo(tau=0.5, period=5, score_batch_size=8)
    one, same, other = (
        train_for(offline_agent(made_up, seed=seed, intervention=redo), 12)
        for seed in (1, 1, 2)
    )
    assert_trees_equal(one.online_params, same.online_params)
    assert trees_differ(one.online_params, other.online_params)


def test_it_learns_the_random_targets(made_up):
    agent = offline_agent(made_up, targets=offline_dqn.random_targets)
    batch = agent._draw_batch(64, np.random.default_rng(0))

    def loss():
        frozen = agent.target_network_params
        return float(agent._loss()(agent.online_params, frozen, batch))

    before = loss()
    train_for(agent, 60)
    assert loss() < 0.995 * before


def test_a_restored_agent_goes_on_as_the_saved_one(made_up, tmp_path):
    more = {"targets": offline_dqn.random_targets, "taus": (0.1,), "tracking_period": 3}
    saved = train_for(offline_agent(made_up, **more), 10)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size < 10_000  # Not the data.
    restored = offline_agent(made_up, **{**more, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    np.testing.assert_array_equal(targets_of(saved), targets_of(restored))
    for agent in (saved, restored):
        train_for(agent, 10)
    assert_trees_equal(saved.online_params, restored.online_params)


def test_other_data_do_not_fit_a_checkpoint(made_up, tmp_path):
    write_small(tmp_path / "other", 1, seed=3)
    saved = offline_agent(made_up)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    with pytest.raises(ValueError, match="must have the settings of its checkpoint"):
        offline_agent(tmp_path / "other").unbundle(str(tmp_path), 0, bundle)


def test_data_of_another_game_are_refused(made_up):
    with pytest.raises(ValueError, match=r"but are of \(20, 20\)"):
        offline_agent(made_up, observation_shape=(84, 84))
    with pytest.raises(ValueError, match="the game's 2 actions, but have action 2"):
        OfflineDQNAgent(2, data=data_of(made_up), **agents.SMALL)


@pytest.mark.parametrize("action", [agents.NUM_ACTIONS, 258, 2**40])
def test_an_action_beyond_the_games_is_refused_by_row_and_file(action, tmp_path):
    write_small(tmp_path, 1)
    write_small(tmp_path / "more", 2)
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / path.name.replace(".0.gz", ".1.gz"))
    path = arrays.array_path(tmp_path, "action", 1)
    column = arrays.read(path, "i").astype(np.int64)
    column[17] = action  # A transition; the last row is none.
    arrays.write(path, column)
    # The type of the first split is that of all.
    first = arrays.array_path(tmp_path, "action", 0)
    arrays.write(first, arrays.read(first, "i").astype(np.uint8))
    with pytest.raises(ValueError, match=f"have action {action} in row 17 of ") as said:
        offline_agent(tmp_path)
    assert str(path) in str(said.value)


def test_the_data_take_no_more_steps(made_up):
    agent = offline_agent(made_up)
    agent.eval_mode = False
    agent.begin_episode(np.zeros((20, 20, 1), np.uint8))
    with pytest.raises(ValueError, match="@OfflineRunner"):
        agent.step(0.0, np.zeros((20, 20, 1), np.uint8))


def test_it_shares_the_code_of_dqn():
    for name in ("_train_step", "_gradient_update", "unbundle", "_draw_batch"):
        assert getattr(OfflineDQNAgent, name) is getattr(RecycledDQNAgent, name)


# Whole runs, on a recording of the game.


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "dqn"
    record.record(
        record.Request(
            str(root),
            num_steps=300,
            game=GAME,
            gin_bindings=["NatureNetwork.width = 0.125"],
        )
    )
    assert load(arrays.directory_of(root, GAME, 1)).records
    gin.clear_config()
    return root


def bindings_of(root, *more):
    return (
        "JaxDQNAgent.seed = 3",
        f"replay_logs.root = '{root}'",
        "JaxDQNAgent.summary_writing_frequency = 5",
        "RecycledDQNAgent.tracking_period = 10",
        "RecycledDQNAgent.tracking_batch_size = 8",
        "NatureNetwork.width = 0.125",
        "ReplayBuffer.batch_size = 4",
        "Runner.num_iterations = 2",
        "Runner.training_steps = 20",
        "Runner.evaluation_steps = 30",
        "Runner.max_steps_per_episode = 40",
        *more,
    )


def values(base_dir, name):
    return [row["value"] for row in runs.metrics(base_dir) if row["name"] == name]


@pytest.mark.parametrize("config", ["offline_dqn", "offline_dqn_random_targets"])
def test_a_run_leaves_what_others_leave(config, root, tmp_path, capsys):
    runs.run(tmp_path, f"{config}.gin", bindings_of(root))
    assert "/40 train steps [" in capsys.readouterr().err  # No agent acts.
    assert len(values(tmp_path, "loss")) == 8
    assert len(values(tmp_path, "dormant_fraction/0.1")) == 4
    assert len(values(tmp_path, "eval/average_return")) == 2
    assert not values(tmp_path, "train/average_return")
    last = runs.metrics(tmp_path)[-1]
    assert (last["agent_step"], last["gradient_step"]) == ("40", "40")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"config.gin", "run.json", "metrics.csv", "status.json"} <= names


def test_training_does_not_touch_the_environment(root, tmp_path):
    runs.configure_run(
        "offline_dqn.gin",
        bindings_of(root, "create_runner.schedule = 'continuous_train'"),
    )
    runner = training.build_runner(str(tmp_path))

    def refuse(*arguments):
        raise AssertionError("the environment was stepped")

    runner._environment.step = runner._environment.reset = refuse
    runner.run_experiment()
    assert runner.agent.gradient_step == 40
    assert not values(tmp_path, "eval/average_return")


def test_a_run_that_was_prolonged_equals_one_in_one_piece(root, tmp_path):
    config = "offline_dqn_random_targets.gin"
    runs.run(tmp_path / "whole", config, bindings_of(root))
    for iterations in (1, 2):
        more = f"Runner.num_iterations = {iterations}"
        runs.run(tmp_path / "pieces", config, bindings_of(root, more))
    assert runs.metrics(tmp_path / "whole") == runs.metrics(tmp_path / "pieces")


def test_missing_data_are_one_message(tmp_path):
    runs.configure_run("offline_dqn.gin", bindings_of(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="there is no directory") as error:
        training.build_runner(str(tmp_path / "run"))
    assert f"{tmp_path}/nowhere/{GAME}/1/replay_logs" in str(error.value)


def test_the_layers_of_dopamines_network_are_derived(made_up):
    network = functools.partial(
        dopamine_networks.ClassicControlDQNNetwork, hidden_units=6
    )
    agent = offline_agent(
        made_up, network=network, intervention=interventions.redo(0.3, 2)
    )
    recorder = agents.Recorder()
    agent.set_collector_dispatcher(recorder)
    for _ in range(3):
        agent.train_step()
    assert recorder.values("recycled/layers_1")
