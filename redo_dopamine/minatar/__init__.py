"""MinAtar's five small games for the agents of Atari (extra [minatar])."""
