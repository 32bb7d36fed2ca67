"""Agent steps per second, against Dopamine's agents: `--only=end_to_end`.

Tracking as shipped, no intervention; both have a game and a process of their own and
take turns. How the memory of a process comes to lie decides a tenth of its speed, for
as long as it lives; so there are several processes of each.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

import functools

from dopamine.jax import networks
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from benchmarks.measuring import Bar, alternate, own_process, timed
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent

# Replay ratio: update period, target update period, steps a round.
RATIOS = {0.25: (4, 8_000, 400), 1: (1, 2_000, 150), 2: (1, 1_000, 75)}
DRQ_STEPS = 60  # a round
PROCESSES, ROUNDS = 5, 2  # Of each agent; of each process.


class TwiceDQNAgent(dqn_agent.JaxDQNAgent):
    """Dopamine's DQN with two updates per step."""

    def _train_step(self):
        super()._train_step()
        self.training_steps -= 1
        super()._train_step()


def measure(quick: bool) -> list[Bar]:
    processes = 1 if quick else PROCESSES
    ratios = [0.25] if quick else list(RATIOS)
    bars = [
        _bar(
            f"DQN, replay ratio {ratio:g}",
            "DemonAttack, against `JaxDQNAgent` with as many updates",
            _turns(
                our_dqn,
                stock_dqn,
                ratio,
                20 if quick else RATIOS[ratio][-1],
                processes,
            ),
        )
        for ratio in ratios
    ]
    if not quick:
        bars.append(
            _bar(
                "DrQ(ε), replay ratio 1",
                "Pong, against `Atari100kRainbowAgent` as its runner drives it, with "
                "one environment",
                _turns(our_drq, _stock_drq, 1, DRQ_STEPS, processes),
            )
        )
    return bars


def _bar(name, what, turns):
    rounds, raw = turns
    return Bar(
        f"end to end: {name}", what, "steps/s", rounds, "ours / peer", ">=", 1.25, raw
    )


def _turns(ours, peer, ratio, steps, processes):
    """The two in turns, each in processes of its own, and the cores that they used."""
    pairs, used = [], []

    def turn(process, make):
        speed, cores = process.submit(rate, make, ratio, steps).result()
        used.append(cores)
        return speed

    for _ in range(processes):
        with own_process() as our_process, own_process() as peers_process:
            pairs += alternate(
                lambda a=our_process: turn(a, ours),
                lambda b=peers_process: turn(b, peer),
                ROUNDS,
            )
    return pairs, {"cores used, in turns": used}


def rate(make, ratio, steps):
    """Steps per second of this process's agent, warm already, and cores it used."""
    loop = _warm(make, ratio, steps)
    _, seconds, cores = timed(lambda: loop.run(steps))
    return steps / seconds, cores


@functools.cache  # Of the process. An allocator takes as long to find its ways.
def _warm(make, ratio, steps):
    return loops.warm_up(make(ratio), steps)


def our_dqn(ratio):
    _set_up_dqn(ratio)
    return loops.make(loops.Loop, RecycledDQNAgent, "DemonAttack", True)


def stock_dqn(ratio):
    _set_up_dqn(ratio)
    return loops.make(
        loops.Loop,
        TwiceDQNAgent if ratio == 2 else dqn_agent.JaxDQNAgent,
        "DemonAttack",
        True,
        network=networks.NatureDQNNetwork,
    )


def _set_up_dqn(ratio):
    update_period, target_update_period, _ = RATIOS[ratio]
    loops.set_up(
        "dqn.gin",
        "DemonAttack",
        [
            f"RecycledDQNAgent.replay_ratio = {ratio}",
            f"JaxDQNAgent.update_period = {update_period}",
            f"JaxDQNAgent.target_update_period = {target_update_period}",
        ],
    )


def our_drq(_):
    loops.set_up("drq_eps.gin", "Pong")
    return loops.make(loops.Loop, RecycledDrQEpsAgent, "Pong", False)


def _stock_drq(_):
    loops.set_up("drq_eps.gin", "Pong")
    return loops.make(
        loops.BatchLoop,
        atari_100k_rainbow_agent.Atari100kRainbowAgent,
        "Pong",
        False,
        network=networks.FullRainbowNetwork,
    )
