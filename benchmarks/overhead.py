"""What ReDo and tracking add to an update of DQN: `--only=overhead`.

Half a percent is less than the noise between two runs. So the agent recycles, or
measures, every 10 gradient steps, and what that adds is divided by 100.
"""

from benchmarks import frames, loops  # isort: skip  Before Dopamine.

import itertools

from benchmarks.measuring import Bar, alternate
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.interventions import none, redo

MEASURED_PERIOD, PERIOD = 10, 1_000
GAME = "DemonAttack"


def measure(quick: bool) -> list[Bar]:
    updates, rounds = (20, 2) if quick else (200, 9)
    loops.set_up("dqn.gin", GAME)
    recorded = list(itertools.islice(frames.play(GAME), 2_000))
    plain = _updates(recorded, intervention=none(), taus=())
    rows = (
        (
            "ReDo every 1,000 gradient steps",
            {"intervention": redo(0.1, MEASURED_PERIOD), "taus": ()},
        ),
        (
            "tracking at three taus every 1,000 gradient steps",
            {
                "intervention": none(),
                "taus": (0.0, 0.025, 0.1),
                "tracking_period": MEASURED_PERIOD,
            },
        ),
    )
    bars = []
    for name, settings in rows:
        busy = _updates(recorded, **settings)
        turns = alternate(
            lambda busy=busy: busy.run(updates), lambda: plain.run(updates), rounds
        )
        bars.append(
            Bar(
                f"overhead: {name}",
                f"an update with its sampling. Measured with a period of "
                f"{MEASURED_PERIOD}, of which 1/{PERIOD // MEASURED_PERIOD} of the "
                "difference is taken; against DQN without either",
                "ms",
                [(1e3 * scaled(a, b), 1e3 * b) for a, b in turns],
                "ours / peer",
                "<=",
                1.005,
                {f"ms at a period of {MEASURED_PERIOD}": [1e3 * a for a, _ in turns]},
            )
        )
    return bars


def scaled(busy: float, plain: float) -> float:
    """Seconds per update at the real period."""
    return plain + (busy - plain) * MEASURED_PERIOD / PERIOD


def _updates(recorded, **settings):
    agent = RecycledDQNAgent(6, replay_ratio=1, **settings)
    return loops.Updates(agent, recorded, 2 * MEASURED_PERIOD)
