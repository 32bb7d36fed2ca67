"""Training on a fixed data set: reading, recording, and a runner that plays no game.

The files are those of the DQN Replay data set (Agarwal et al., "An Optimistic
Perspective on Offline Reinforcement Learning", ICML 2020): `layout` describes them.
`redo-dopamine data record` writes such files.
"""
