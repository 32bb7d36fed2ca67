"""docs/laptop.md: every table again from results/, and what it says of returns."""

import itertools

import numpy as np
import pandas as pd
import pytest

from helpers import documents, kept

PAGE = (documents.ROOT / "docs" / "laptop.md").read_text()
SPACE = "SpaceInvaders"
DORMANT, AFTER = "dormant_fraction/0.1", "dormant_fraction_after/0.1"
TRAINED, EVALUATED = "train/average_return", "eval/average_return"
ABOVE_0 = (0, np.inf)
GAMES = ("Breakout", "Asterix", "Freeway")


def scores(study, arm, name=TRAINED, game=SPACE):
    """Of each run: the last of ten iterations is the last tenth of the steps."""
    runs = kept.of_arm(study, arm, game)
    assert {len(run[name]) for run in runs} == {10}
    return np.array([run[name][-1] for run in runs])


def returns(study, arm, game=SPACE):
    """Cells: the training average, and one evaluation."""
    return [
        kept.shown(scores(study, arm, name, game), 1, ABOVE_0)
        for name in (TRAINED, EVALUATED)
    ]


def against(study, first, second, game=SPACE):
    """Cells: how likely the first beats the second, by either score."""
    return [
        kept.beats(*(scores(study, arm, name, game) for arm in (first, second)))
        for name in (TRAINED, EVALUATED)
    ]


def sweep(study, ratios, game):
    """Columns of a table, by replay ratio."""
    columns = []
    for ratio in ratios:
        dqn, redo = (f"{name}_rr{ratio:g}" for name in ("dqn", "redo"))
        pairs = zip(returns(study, dqn, game), returns(study, redo, game), strict=True)
        columns.append(
            [
                kept.end(study, dqn, game, DORMANT, 2),
                kept.end(study, redo, game, DORMANT, 2),
                kept.end(study, redo, game, AFTER, 2),
                *(cell for pair in pairs for cell in pair),
                *against(study, redo, dqn, game),
                kept.end(study, dqn, game, "largest_q", 1),
                kept.end(study, redo, game, "largest_q", 1),
            ]
        )
    return columns


SWEEP = (
    "dormant, DQN",
    "dormant, with ReDo",
    "of it, just after a recycle",
    "training average, DQN",
    "training average, with ReDo",
    "one evaluation, DQN",
    "one evaluation, with ReDo",
    "a run with ReDo beats one without, training average",
    "the same, one evaluation",
    "largest Q, DQN",
    "largest Q, with ReDo",
)


def ratio_table():
    columns = sweep("laptop_replay_ratio", (0.25, 1, 2, 4), SPACE)
    head = ("n = 6", "0.25", "1", "2", "4")
    return kept.table(head, zip(SWEEP, *columns, strict=True))


def thresholds_table():
    rows = []
    for ratio in (0.25, 1, 2, 4):
        arm = f"dqn_rr{ratio:g}"
        names = [f"dormant_fraction/{tau}" for tau in ("0.0", "0.025", "0.1")]
        values = [kept.ends("laptop_replay_ratio", arm, name) for name in names]
        rows.append((f"{ratio:g}", *(kept.shown(x, 3, (0, 1)) for x in values)))
    return kept.table(("replay ratio, n = 6", "τ = 0", "0.025", "0.1"), rows)


def game_table(game):
    columns = sweep("laptop_games", (0.25, 1, 2), game)
    return kept.table(
        (f"{game}, n = 3", "0.25", "1", "2"), zip(SWEEP, *columns, strict=True)
    )


def game_thresholds_table():
    names = [f"dormant_fraction/{tau}" for tau in ("0.0", "0.025", "0.1")]
    rows = []
    for game in GAMES:
        for ratio in ("0.25", "1", "2"):
            runs = kept.of_arm("laptop_games", f"dqn_rr{ratio}", game)
            values = [np.array([run[name][-1] for run in runs]) for name in names]
            rows.append(
                (f"{game}, {ratio}", *(kept.shown(x, 3, (0, 1)) for x in values))
            )
    return kept.table(("game, replay ratio, n = 3", "τ = 0", "0.025", "0.1"), rows)


def games_together_table():
    """What the report's hierarchical comparison of the games says."""
    found = pd.read_csv(kept.RESULTS / "laptop_games" / "improvements.csv")
    found = found.set_index("arm").loc[[f"redo_rr{x}" for x in ("0.25", "1", "2")]]
    rows = [
        (label, *(f"{kept.number(x, 2)}, p = {kept.number(p, 3)}" for x, p in pairs))
        for label, pairs in (
            (SWEEP[7], zip(found["probability"], found["p"], strict=True)),
            (
                SWEEP[8],
                zip(
                    found["eval_return_probability"],
                    found["eval_return_p"],
                    strict=True,
                ),
            ),
        )
    ]
    return kept.table(("the three games together", "0.25", "1", "2"), rows)


def width_table():
    study, columns = "laptop_width", []
    for width in (1, 2, 4):
        dqn, redo = f"dqn_width{width}", f"redo_width{width}"
        both = width < 4
        pairs = zip(returns(study, dqn), returns(study, redo), strict=True)
        columns.append(
            [
                kept.end(study, dqn, SPACE, DORMANT, 2),
                kept.end(study, redo, SPACE, DORMANT, 2),
                kept.end(study, redo, SPACE, AFTER, 2),
                *(cell for pair in pairs for cell in pair),
                *(against(study, redo, dqn) if both else ("–", "–")),
                kept.end(study, dqn, SPACE, "largest_q", 1),
                kept.end(study, redo, SPACE, "largest_q", 1),
            ]
        )
    head = ("", "width 1, n = 3", "2, n = 3", "4, n = 1")
    return kept.table(head, zip(SWEEP, *columns, strict=True))


def methods(study, labels, of="n = 3"):
    rows = []
    for arm, label in labels.items():
        cells = [kept.end(study, arm, SPACE, DORMANT, 2)]
        cells += [kept.end(study, arm, SPACE, AFTER, 2), *returns(study, arm)]
        cells += ("–", "–") if arm == "dqn" else against(study, arm, "dqn")
        rows.append((label, *cells, kept.end(study, arm, SPACE, "largest_q", 1)))
    head = (of, "dormant", "just after", "training average", "one evaluation")
    head += ("beats DQN, training average", "one evaluation", "largest Q")
    return kept.table(head, rows)


def baselines_table():
    return methods(
        "laptop_baselines",
        {
            "dqn": "DQN",
            "layer_reset": "reset every 50,000 updates",
            "weight_decay": "weight decay",
            "redo": "ReDo",
            "lowest": "fixed budget, lowest scores",
            "random": "fixed budget, at random",
        },
    )


def learning_rate_table():
    return methods(
        "laptop_learning_rate",
        {
            "dqn": "DQN",
            "redo": "ReDo",
            "redo_live_norm": "ReDo, `redo.incoming = @live_norm`",
            "redo_own_bias": "ReDo, `after_optimizer = [@own_bias_correction()]`",
        },
        "learning rate 1e-3, n = 3",
    )


def grid_table():
    study, rows = "laptop_threshold", []
    for period in (1_000, 10_000):
        for tau in ("0", "0.025", "0.1"):
            arm = f"tau{tau}_period{period}"
            ends = [kept.end(study, arm, SPACE, name, 2) for name in (DORMANT, AFTER)]
            rows.append((f"{tau}, every {period:,}", *ends, *returns(study, arm)))
    head = ("τ, n = 3", "dormant", "just after", "training average", "one evaluation")
    return kept.table(head, rows)


@pytest.mark.parametrize(
    "table",
    [
        ratio_table,
        thresholds_table,
        *(lambda x=x: game_table(x) for x in GAMES),
        game_thresholds_table,
        games_together_table,
        width_table,
        baselines_table,
        grid_table,
        learning_rate_table,
    ],
)
def test_a_table_is_that_of_the_kept_runs(table):
    expected = table()
    assert expected in PAGE, f"write:\n{expected}"


def test_sentences_do_not_repeat_the_tables():
    text = "\n".join(x for x in PAGE.splitlines() if not x.startswith(("|", "!")))
    assert not documents.numbers_with_intervals(text)


OPEN = {("B", "2"), ("A", "0.25"), ("A", "2")}  # Dormancy with ReDo, by game.
# What the page says of two arms by Welch's test at 5%.
VERDICTS = [
    *(
        ("laptop_replay_ratio", SPACE, f"redo_rr{ratio}", f"dqn_rr{ratio}", name, said)
        for ratio, by_training in (
            ("0.25", "open"),
            ("1", "open"),
            ("2", "more"),
            ("4", "more"),
        )
        for name, said in ((TRAINED, by_training), (EVALUATED, "open"))
    ),
    *(
        ("laptop_replay_ratio", SPACE, "dqn_rr4", "dqn_rr0.25", name, "less")
        for name in (TRAINED, EVALUATED)
    ),
    ("laptop_replay_ratio", SPACE, "dqn_rr2", "dqn_rr0.25", TRAINED, "less"),
    *(
        ("laptop_games", game, f"redo_rr{ratio}", f"dqn_rr{ratio}", TRAINED, said)
        for game in GAMES
        for ratio in ("0.25", "1", "2")
        for said in ["more" if (game, ratio) == ("Freeway", "0.25") else "open"]
    ),
    ("laptop_games", "Breakout", "redo_rr2", "dqn_rr2", EVALUATED, "less"),
    *(
        ("laptop_width", SPACE, f"redo_width{x}", f"dqn_width{x}", name, "open")
        for x in (1, 2)
        for name in (TRAINED, EVALUATED)
    ),
    *(
        ("laptop_baselines", SPACE, "redo", other, TRAINED, "open")
        for other in ("dqn", "layer_reset", "weight_decay", "lowest", "random")
    ),
    ("laptop_baselines", SPACE, "lowest", "random", TRAINED, "open"),
    ("laptop_baselines", SPACE, "layer_reset", "dqn", TRAINED, "more"),
    ("laptop_baselines", SPACE, "random", "dqn", TRAINED, "more"),
    ("laptop_learning_rate", SPACE, "redo", "dqn", TRAINED, "open"),
    ("laptop_learning_rate", SPACE, "redo_live_norm", "dqn", TRAINED, "more"),
    ("laptop_learning_rate", SPACE, "redo_own_bias", "dqn", TRAINED, "more"),
    ("laptop_learning_rate", SPACE, "redo_live_norm", "redo", TRAINED, "open"),
]


@pytest.mark.parametrize(("study", "game", "first", "second", "name", "said"), VERDICTS)
def test_a_verdict_is_what_the_test_carries(study, game, first, second, name, said):
    values = [scores(study, arm, name, game) for arm in (first, second)]
    assert kept.told_apart(*values) == said


# The same of dormancy at the end.
DORMANCY = [
    *(
        ("laptop_replay_ratio", SPACE, f"redo_rr{x}", f"dqn_rr{x}", "less")
        for x in ("0.25", "1", "2", "4")
    ),
    ("laptop_replay_ratio", SPACE, "dqn_rr1", "dqn_rr0.25", "more"),
    ("laptop_replay_ratio", SPACE, "dqn_rr2", "dqn_rr1", "open"),
    ("laptop_replay_ratio", SPACE, "dqn_rr4", "dqn_rr2", "less"),
    *(
        ("laptop_games", game, f"redo_rr{x}", f"dqn_rr{x}", said)
        for game in GAMES
        for x in ("0.25", "1", "2")
        for said in ["open" if (game[0], x) in OPEN else "less"]
    ),
    ("laptop_games", "Breakout", "dqn_rr2", "dqn_rr0.25", "less"),
    ("laptop_games", "Asterix", "dqn_rr2", "dqn_rr0.25", "more"),
    ("laptop_games", "Freeway", "dqn_rr2", "dqn_rr0.25", "less"),
    *(
        ("laptop_width", SPACE, f"redo_width{x}", f"dqn_width{x}", "less")
        for x in (1, 2)
    ),
    ("laptop_width", SPACE, "dqn_width2", "dqn_width1", "open"),
    ("laptop_width", SPACE, "redo_width2", "redo_width1", "more"),
    *(
        ("laptop_baselines", SPACE, "redo", other, "less")
        for other in ("dqn", "layer_reset", "weight_decay")
    ),
    ("laptop_baselines", SPACE, "lowest", "random", "open"),
    *(
        ("laptop_threshold", SPACE, "tau0.1_period1000", f"tau{tau}_period{x}", "less")
        for tau in ("0", "0.025", "0.1")
        for x in (1000, 10000)
        if (tau, x) != ("0.1", 1000)
    ),
    ("laptop_learning_rate", SPACE, "redo", "dqn", "open"),
    ("laptop_learning_rate", SPACE, "redo_live_norm", "dqn", "less"),
    ("laptop_learning_rate", SPACE, "redo_own_bias", "redo", "open"),
]


@pytest.mark.parametrize(("study", "game", "first", "second", "said"), DORMANCY)
def test_a_verdict_on_dormancy_is_too(study, game, first, second, said):
    values = [
        [run[DORMANT][-1] for run in kept.of_arm(study, arm, game)]
        for arm in (first, second)
    ]
    assert kept.told_apart(*values) == said


def test_how_many_pairs_are_told_apart_in_the_grid():
    arms = dict.fromkeys(key[0] for key in kept.runs("laptop_threshold"))
    assert len(arms) == 6
    for name, differ in ((TRAINED, 0), (EVALUATED, 4)):
        found = [scores("laptop_threshold", arm, name) for arm in arms]
        pairs = list(itertools.combinations(found, 2))
        assert len(pairs) == 15
        assert sum(kept.told_apart(*pair) != "open" for pair in pairs) == differ


def test_hardly_a_neuron_is_silent_at_the_end_and_quiet_ones_grow():
    for ratio in ("1", "2", "4"):
        for run in kept.of_arm("laptop_replay_ratio", f"dqn_rr{ratio}"):
            assert run["dormant_fraction/0.0"][-1] < 0.01
            for tau in ("0.025", "0.1"):
                column = run[f"dormant_fraction/{tau}"]
                assert column[-1] > 1.5 * min(column)
