"""Agent steps per second, against Dopamine's agents: `--only=end_to_end`.

Tracking as shipped, no intervention; both have a game of their own and take turns.
"""

from benchmarks import loops  # isort: skip  Before Dopamine.

from dopamine.jax import networks
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from benchmarks import driving
from benchmarks.measuring import Bar, alternate
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent

# Replay ratio: update period, updates at a time, target update period, steps a round.
RATIOS = {0.25: (4, 1, 8_000, 400), 1: (1, 1, 2_000, 150), 2: (1, 2, 1_000, 75)}


class TwiceDQNAgent(dqn_agent.JaxDQNAgent):
    """Dopamine's DQN with two updates per step."""

    def _train_step(self):
        super()._train_step()
        self.training_steps -= 1
        super()._train_step()


def measure(quick: bool) -> list[Bar]:
    rounds = 2 if quick else 7
    ratios = [0.25] if quick else list(RATIOS)
    bars = [_bar(f"DQN, replay ratio {r:g}", dqn(r, quick, rounds)) for r in ratios]
    if not quick:
        bars.append(_bar("DrQ(ε), replay ratio 1", drq(60, rounds)))
    return bars


def _bar(name, rounds):
    if name.startswith("DQN"):
        what = "DemonAttack, against `JaxDQNAgent` with as many updates"
    else:
        what = (
            "Pong, against `Atari100kRainbowAgent` as its runner drives it, with one "
            "environment"
        )
    return Bar(
        f"end to end: {name}", what, "steps/s", rounds, "ours / peer", ">=", 1.25
    )


def dqn(ratio, quick, rounds):
    period, updates, target_period, steps = RATIOS[ratio]
    loops.set_up(
        "dqn.gin",
        "DemonAttack",
        [
            f"RecycledDQNAgent.replay_ratio = {ratio}",
            f"JaxDQNAgent.update_period = {period}",
            f"JaxDQNAgent.target_update_period = {target_period}",
        ],
    )
    stock = {1: dqn_agent.JaxDQNAgent, 2: TwiceDQNAgent}[updates]
    return _turns(
        loops.make(driving.Loop, RecycledDQNAgent, "DemonAttack", True),
        loops.make(
            driving.Loop, stock, "DemonAttack", True, network=networks.NatureDQNNetwork
        ),
        20 if quick else steps,
        rounds,
    )


def drq(steps, rounds):
    loops.set_up("drq_eps.gin", "Pong")
    return _turns(
        loops.make(driving.Loop, RecycledDrQEpsAgent, "Pong", False),
        loops.make(
            driving.BatchLoop,
            atari_100k_rainbow_agent.Atari100kRainbowAgent,
            "Pong",
            False,
            network=networks.FullRainbowNetwork,
        ),
        steps,
        rounds,
    )


def _turns(ours, peer, steps, rounds):
    for loop in (ours, peer):
        loops.warm_up(loop, 40)
    return alternate(
        lambda: loops.steps_per_second(ours, steps),
        lambda: loops.steps_per_second(peer, steps),
        rounds,
    )
