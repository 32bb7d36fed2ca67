"""What it costs that NaNs are looked for: `python -m benchmarks.watch`.

`finite.Watch` by its parts, with the Nature network's parameters under Adam, beside an
update of the same agent; and from both, what it adds to an agent step. The machine must
be quiet: most of these are microseconds.
"""

from benchmarks import frames, loops  # isort: skip  Before Dopamine.

import argparse
import itertools
import statistics
from collections.abc import Callable, Iterator

import jax

from benchmarks.measuring import seconds
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.interventions import none
from redo_dopamine.runners import nan_watch

GAME, TRANSITIONS = "DemonAttack", 1_000
REPLAY_RATIO = 0.25  # As `dqn.gin` has it: gradient steps per agent step.


def an_agent() -> RecycledDQNAgent:
    """With a filled buffer, and every program of an update compiled."""
    loops.set_up("dqn.gin", GAME)
    agent = RecycledDQNAgent(6, replay_ratio=1, intervention=none(), taus=())
    for transition in itertools.islice(frames.play(GAME), TRANSITIONS):
        agent._replay.add(transition)
    for _ in range(3):
        agent._gradient_update()
    jax.block_until_ready(agent.online_params)
    return agent


def parts(agent: RecycledDQNAgent) -> Iterator[tuple[str, Callable[[], object], int]]:
    """Name, a call of it, and how many calls to time at once."""
    watch = nan_watch.Watch(agent)
    loss = agent.recent_losses[-1]
    agent.recent_losses.clear()

    def look_at_a_loss() -> None:
        agent.recent_losses.append(loss)
        watch.look()

    yield "a look at nothing", watch.look, 10_000
    yield "a look at a loss", look_at_a_loss, 10_000
    yield "all parameters", lambda: watch._all_finite(agent.online_params), 20
    yield "all of a checkpoint", watch.look_at_all, 5
    yield "an update", lambda: _update(agent), 5


def _update(agent: RecycledDQNAgent) -> object:
    agent._gradient_update()
    return agent.online_params


def per_agent_step(took: dict[str, float]) -> float:
    """Seconds that the watch adds to an agent step, checkpoints aside."""
    looks = (1 - REPLAY_RATIO) * took["a look at nothing"]
    losses = REPLAY_RATIO * took["a look at a loss"]
    return looks + losses + REPLAY_RATIO * took["all parameters"] / nan_watch._PERIOD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    took = {}
    for name, call, repeats in parts(an_agent()):
        call()
        rounds = [seconds(call, repeats) for _ in range(args.rounds)]
        took[name] = statistics.median(rounds)
        print(f"{name}: {1e6 * took[name]:.1f} µs", flush=True)
    added = per_agent_step(took)
    share = added / (REPLAY_RATIO * took["an update"])
    print(
        f"added to an agent step at replay ratio {REPLAY_RATIO}: {1e6 * added:.1f} µs, "
        f"{share:.4%} of its updates"
    )


if __name__ == "__main__":
    main()
