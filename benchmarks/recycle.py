"""One ReDo recycle, in updates and against the released code: `--only=recycle`."""

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.

import warnings

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from dopamine.labs.redo import networks as released_networks
from dopamine.labs.redo import weight_recyclers

from benchmarks.measuring import Bar, alternate, seconds
from redo_dopamine.agents import dqn_loss
from redo_dopamine.core.interventions import redo
from redo_dopamine.core.jit import compiled, unrolled
from redo_dopamine.networks.capture import collect
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.plasticity.learner import Learner, make_update

NUM_ACTIONS = 6
TAU = 0.1
PERIOD = 1000
STATE = (84, 84, 4)


def measure(quick: bool) -> list[Bar]:
    rounds, repeats = (3, 3) if quick else (15, 20)
    rng = np.random.default_rng(0)
    states = rng.integers(0, 256, (64, *STATE), dtype=np.uint8)
    update, recycle = _Update(rng), _Recycle(states)
    released = _ReleasedRecycle(states)
    for call in (update, recycle, released):
        call()
    in_updates = alternate(
        lambda: seconds(recycle, repeats), lambda: seconds(update, repeats), rounds
    )
    against_released = alternate(
        lambda: seconds(recycle, repeats),
        lambda: seconds(released),
        min(rounds, 5),
    )
    return [
        Bar(
            "recycle: in updates",
            "scores of 64 states, masks, new parameters and moments (Nature network, "
            "Adam), against (as peer) one of our gradient updates of 32",
            "ms",
            _in_ms(in_updates),
            "ours / peer",
            "<=",
            2,
        ),
        Bar(
            "recycle: against the released code",
            "the same, against `NeuronRecycler` of `dopamine.labs.redo`, with frozen "
            "parameters so that it runs, as its agents call it",
            "ms",
            _in_ms(against_released),
            "peer / ours",
            ">=",
            30,
        ),
    ]


def _in_ms(rounds):
    return [(1e3 * a, 1e3 * b) for a, b in rounds]


def _build():
    network = NatureNetwork(num_actions=NUM_ACTIONS)
    params = network.init(jax.random.PRNGKey(0), jnp.zeros(STATE, jnp.uint8))
    return network, params, optax.adam(6.25e-5, eps=1.5e-4)


class _Update:
    def __init__(self, rng):
        network, params, optimizer = _build()
        huber = dqn_loss.elementwise_loss("huber")
        self._update = make_update(
            dqn_loss.q_learning(network.apply, huber, 0.99), optimizer
        )
        self._target = jax.tree.map(jnp.copy, params)
        self._learner = Learner(params, optimizer.init(params))
        self._batch = {
            "state": rng.integers(0, 256, (32, *STATE), dtype=np.uint8),
            "next_state": rng.integers(0, 256, (32, *STATE), dtype=np.uint8),
            "action": rng.integers(0, NUM_ACTIONS, 32, dtype=np.int32),
            "reward": rng.normal(size=32).astype(np.float32),
            "terminal": np.zeros(32, np.float32),
        }

    def __call__(self):
        self._learner, loss = self._update(self._learner, self._target, self._batch)
        return self._learner, loss


class _Recycle:
    def __init__(self, states):
        network, params, optimizer = _build()
        graph = network.graph(STATE[:2])
        example = jnp.zeros(STATE, jnp.uint8)
        intervention = redo(TAU, PERIOD)(
            graph, lambda key: network.init(unrolled(key), example), optimizer
        )
        self._states = states
        self._key = jax.random.PRNGKey(1)
        self._collect = compiled(lambda p, s: collect(network.apply, p, s))
        self._apply = compiled(intervention.apply, donate_argnums=(1, 2))
        self._learner = [params, optimizer.init(params), intervention.init(params)]

    def __call__(self):
        activations = self._collect(self._learner[0], self._states)
        *self._learner, metrics = self._apply(
            self._key, *self._learner, activations, jnp.int32(PERIOD)
        )
        # As the agent, which reads the counts at once.
        return self._learner, jax.device_get(metrics)


class _ReleasedRecycle:
    def __init__(self, states):
        network = released_networks.ScalableNatureDQNNetwork(num_actions=NUM_ACTIONS)
        params = network.init(jax.random.PRNGKey(0), jnp.zeros(STATE, jnp.uint8))
        self._network = network
        self._params = flax.core.freeze(params)
        self._opt_state = optax.adam(6.25e-5, eps=1.5e-4).init(self._params)
        self._states = states
        self._key = jax.random.PRNGKey(1)
        self._recycler = weight_recyclers.NeuronRecycler(
            network.layer_names,
            network="nature",
            dead_neurons_threshold=TAU,
            reset_period=PERIOD,
        )

    def __call__(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._recycler.maybe_update_weights(
                PERIOD,
                self._intermediates(),
                self._params,
                self._key,
                self._opt_state,
            )

    def _intermediates(self):
        """As `get_intermediates` of the released agents, on the states given."""

        def apply_data(state):
            return self._network.apply(
                self._params,
                state,
                capture_intermediates=lambda m, _: (
                    m.name is not None and "act" in m.name
                ),
                mutable=["intermediates"],
            )

        return jax.vmap(apply_data)(self._states)[1]["intermediates"]
