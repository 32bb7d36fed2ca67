"""The games of the studies."""

# Sokar et al., ICML 2023 (arXiv 2302.12902), for DQN.
DQN_GAMES = (
    *("Asterix", "DemonAttack", "Seaquest", "WizardOfWor", "BeamRider", "RoadRunner"),
    *("Jamesbond", "Qbert", "Breakout", "Enduro", "SpaceInvaders", "Pong", "Zaxxon"),
    *("YarsRevenge", "MsPacman", "DoubleDunk", "IceHockey"),
)
# Kaiser et al., 2020. As `redo_dopamine.atari_100k.GAMES`, which imports an agent.
ATARI_100K_GAMES = (
    *("Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing"),
    *("Breakout", "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway"),
    *("Frostbite", "Gopher", "Hero", "Jamesbond", "Kangaroo", "Krull", "KungFuMaster"),
    *("MsPacman", "Pong", "PrivateEye", "Qbert", "RoadRunner", "Seaquest", "UpNDown"),
)
FIVE_SEEDS = tuple(range(5))
TEN_SEEDS = tuple(range(10))
