"""`redo-dopamine play RUN`: evaluate a checkpoint, and film it."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from redo_dopamine.cli import flags, process
from redo_dopamine.cli.flags import LARGEST_SEED, whole

_MOST = 100_000


def _parser() -> argparse.ArgumentParser:
    parser = flags.Parser(
        prog="redo-dopamine play",
        description="Plays whole games with a checkpoint's agent, which learns "
        "nothing. The run is only read.",
        epilog="example: redo-dopamine play runs/pong --episodes=3 --video=pong.mp4",
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="a run's base_dir, or one of its checkpoints")
    add(
        "--episodes",
        type=whole("--episodes", 1, _MOST),
        default=10,
        metavar="N",
        help="how many (default: %(default)s)",
    )
    add(
        "--seed",
        type=whole("--seed", 0, LARGEST_SEED - _MOST),
        default=0,
        help="of the first episode; each has the next (default: %(default)s)",
    )
    add("--json", action="store_true", help="print JSON")
    add(
        "--video",
        metavar="FILE",
        help="a .mp4, .webm or .gif of the first episode, with the share of dormant "
        "neurons of each layer on the last 64 states",
    )
    add(
        "--fps",
        type=whole("--fps", 1, 100),
        default=15,
        metavar="N",
        help="frames, which are agent steps, per second (default: %(default)s, the "
        "game's own pace on Atari)",
    )
    flags.add_trust_modules(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return process.status_of(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    options = _parser().parse_args(arguments)
    with process.importing():  # Seconds: after the flags.
        from redo_dopamine import training
        from redo_dopamine.inspect import episodes

    training.prepare(quiet=True)
    film = flags.optional("--video", options.video)
    played = episodes.play(
        flags.given("RUN", options.run),
        num_episodes=options.episodes,
        seed=options.seed,
        film=film,
        frames_per_second=options.fps,
        trust_modules=options.trust_modules,
    )
    found = played.to_json()
    if options.json:
        print(json.dumps(found | ({} if film is None else {"video": film})))
        return
    print(f"{played.checkpoint}, agent step {played.agent_step:,}")
    print(f"{'seed':>6} {'return':>10} {'length':>8}")
    for x in played.episodes:
        print(f"{x.seed:6} {x.episode_return:10g} {x.length:8,}")
    print(_summary(found))
    if film is not None:
        print(f"The first episode: {film}")


def _summary(found: dict[str, Any]) -> str:
    """The returns together, and how many games did not come to their end."""
    said, number = f"average return {found['average_return']:g}", len(found["episodes"])
    if number > 1:
        said += (
            f", standard deviation {found['return_std']:g}, from "
            f"{found['lowest_return']:g} to {found['highest_return']:g}"
        )
    return (
        f"{said}\n{found['num_cut']} of {number} games cut by the limit of steps "
        "(Runner.max_steps_per_episode)"
    )


if __name__ == "__main__":
    process.run(main)
