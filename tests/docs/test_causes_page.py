"""docs/causes.md: every table again from the runs of results/, and every verdict."""

import numpy as np
import pytest

from helpers import documents, kept
from redo_dopamine.studies import STUDIES

PAGE = (documents.ROOT / "docs" / "causes.md").read_text()
FRACTION = (0, 1)
LAST = "zero_gradient_fraction/value/Dense_3"


def activation_table():
    rows = [
        ("dormant, τ = 0.1", "dormant_fraction/0.1", 3, FRACTION),
        ("dormant, τ = 0", "dormant_fraction/0.0", 3, FRACTION),
        ("average return", "train/average_return", 0, (-np.inf, np.inf)),
    ]
    study = "ppo_activation"
    return kept.table(
        ("at the end, n = 3", "ReLU", "no activation"),
        [
            (
                label,
                *(
                    kept.shown(kept.ends(study, x, name), digits, limits)
                    for x in ("relu", "none")
                ),
            )
            for label, name, digits, limits in rows
        ],
    )


def layers_table():
    def overlap(runs, name, lowest_alone=False):
        values = [x for run in runs for x in run[name] if not np.isnan(x)]
        if not values:
            return "–"
        shown = [min(values)] if lowest_alone else [np.mean(values), min(values)]
        return f"{', '.join(kept.number(x, 2) for x in shown)} of {len(values)}"

    rows = []
    for depth, arm in ((2, "depth2"), (4, "depth4")):
        for place in range(depth):
            layer = f"value/Dense_{place}"
            runs = kept.of_arm("ppo_layers", arm)
            cells = [f"{depth} layers, layer {place}"]
            for name in (
                f"dormant_fraction/0.0/{layer}",
                f"zero_gradient_fraction/{layer}",
            ):
                cells.append(kept.number(np.mean([run[name][0] for run in runs]), 3))
                cells.append(
                    kept.shown(kept.ends("ppo_layers", arm, name), 3, FRACTION)
                )
            cells.append(overlap(runs, f"zero_gradient_dormant_overlap/{layer}", True))
            cells.append(overlap(runs, f"zero_gradient_overlap/{layer}"))
            rows.append(cells)
    head = (
        "value network, n = 3",
        "dormant, first",
        "at the end",
        "no gradient, first",
    )
    head += ("at the end", "one set: lowest", "in time: mean, lowest")
    return kept.table(head, rows)


def shuffle_tables():
    """Where the dormant fraction stands around each reshuffle, and what is learned."""
    name = "dormant_fraction/0.1"
    # At the end of an epoch: the last of a labeling, and the first of the next.
    places = (1, 20, 21, 40, 41, 60, 61, 80, 81, 100)
    arms = {
        "fixed": "fixed labels",
        "reshuffled": "reshuffled",
        "fixed_redo": "fixed, ReDo",
        "reshuffled_redo": "reshuffled, ReDo",
    }
    values, steps = kept.runs("label_shuffle"), kept.steps("label_shuffle")

    def after(arm, epoch):
        """The last value of each seed by the end of an epoch of 156 updates."""
        return np.array(
            [
                values[key][name][np.searchsorted(x[name], 156 * epoch, "right") - 1]
                for key, x in steps.items()
                if key[0] == arm
            ]
        )

    first = kept.table(
        ("mean of n = 3, after epoch", *(f"{x}" for x in places)),
        [
            (label, *(kept.number(after(arm, x).mean(), 2) for x in places))
            for arm, label in arms.items()
        ],
    )
    rises = [
        kept.shown(after("reshuffled", x + 1) - after("reshuffled", x), 2, (-1, 1))
        for x in (20, 40, 60, 80)
    ]
    second = kept.table(
        ("n = 3", "1st", "2nd", "3rd", "4th"), [("rise at the reshuffle", *rises)]
    )
    third = kept.table(
        ("at the end, n = 3", "dormant, τ = 0.1", "accuracy in training"),
        [
            (
                label,
                kept.shown(kept.ends("label_shuffle", arm, name), 2, FRACTION),
                kept.shown(
                    kept.ends("label_shuffle", arm, "train/accuracy"), 2, FRACTION
                ),
            )
            for arm, label in arms.items()
        ],
    )
    return first, second, third


def losses(study, arms, digits=(4, 3)):
    """Cells of training losses, and of losses on other inputs."""
    return [
        kept.shown(kept.ends(study, arm, name), size)
        for name, size in zip(("loss", "test_loss"), digits, strict=True)
        for arm in arms
    ]


def probe_table():
    rows = []
    for word, activation in (("ReLU", "relu"), ("no activation", "none")):
        for rate in ("0.0001", "0.0003", "0.001", "0.003"):
            arms = [f"{start}_{activation}_lr{rate}" for start in ("aged", "fresh")]
            cells = losses("regression_probe", arms)
            rows.append((f"{word}, {float(rate):g}", *cells))
    head = ("learning rate, n = 3", "after PPO", "fresh", "after PPO, other inputs")
    return kept.table((*head, "fresh, other inputs"), rows)


def tasks_table():
    distances = ("0", "0.25", "0.5", "0.75", "1", "1.5", "2")
    rows = [
        (d, *losses("related_tasks", [f"aged_d{d}", f"fresh_d{d}"])) for d in distances
    ]
    head = ("distance, n = 3", "after a first task", "fresh")
    head += ("after a first task, other inputs", "fresh, other inputs")
    return kept.table(head, rows)


def noise_table():
    labels = {"none": "none", "zero_gradient": "on zero-gradient neurons"}
    labels |= {"random": "on as many at random"}
    rows = [
        (
            label,
            *losses("perturb", [arm]),
            kept.shown(kept.ends("perturb", arm, LAST), 3, FRACTION),
        )
        for arm, label in labels.items()
    ]
    head = ("noise, n = 3", "loss", "on other inputs", "no gradient in the last layer")
    return kept.table(head, rows)


def constraints_table():
    labels = {
        "none": "none",
        "clipping": "clipping",
        "l2": "L2",
        "l2_to_init": "L2 to the initial weights",
        "spectral_norm": "bounded spectral norms",
    }
    rows = [(label, *losses("constraints", [arm])) for arm, label in labels.items()]
    return kept.table(("constraint, n = 3", "loss", "on other inputs"), rows)


def gradient_free_table():
    rows = []
    for rate in ("0.001", "0.003", "0.01"):
        arms = [f"{name}_lr{rate}" for name in ("adam", "evolution")]
        values = [kept.ends("gradient_free", arm, "loss") for arm in arms]
        zero = [kept.ends("gradient_free", arm, LAST) for arm in arms]
        cells = [kept.shown(x, 3) for x in values]
        rows.append((rate, *cells, *(kept.shown(x, 3, FRACTION) for x in zero)))
    head = ("learning rate, n = 3", "Adam", "evolution strategies")
    head += ("Adam, no gradient", "evolution, no gradient")
    return kept.table(head, rows)


@pytest.mark.parametrize(
    "table",
    [
        activation_table,
        layers_table,
        probe_table,
        tasks_table,
        noise_table,
        constraints_table,
        gradient_free_table,
    ],
)
def test_a_table_is_that_of_the_kept_runs(table):
    expected = table()
    assert expected in PAGE, f"write:\n{expected}"


@pytest.mark.parametrize("place", range(3))
def test_the_tables_of_labels_are_those_of_the_kept_runs(place):
    expected = shuffle_tables()[place]
    assert expected in PAGE, f"write:\n{expected}"


def test_every_number_stands_in_a_table_or_is_a_setting():
    """Sentences say what the tables show, and do not repeat it."""
    text = "\n".join(x for x in PAGE.splitlines() if not x.startswith(("|", "!")))
    assert not documents.numbers_with_intervals(text)


# What the page says of two arms: told apart by Welch's test at 5%, or not.
VERDICTS = [
    ("label_shuffle", "reshuffled", "fixed", "dormant_fraction/0.1", "more"),
    ("label_shuffle", "reshuffled_redo", "reshuffled", "train/accuracy", "more"),
    ("label_shuffle", "reshuffled_redo", "reshuffled", "dormant_fraction/0.1", "less"),
    ("ppo_activation", "relu", "none", "train/average_return", "open"),
    ("ppo_activation", "relu", "none", "dormant_fraction/0.1", "more"),
    *(
        (
            "regression_probe",
            f"aged_relu_lr{rate}",
            f"fresh_relu_lr{rate}",
            "loss",
            said,
        )
        for rate, said in (
            ("0.0001", "more"),
            ("0.0003", "more"),
            ("0.001", "more"),
            ("0.003", "open"),
        )
    ),
    *(
        (
            "regression_probe",
            f"aged_relu_lr{rate}",
            f"fresh_relu_lr{rate}",
            "test_loss",
            said,
        )
        for rate, said in (
            ("0.0001", "open"),
            ("0.0003", "open"),
            ("0.001", "open"),
            ("0.003", "less"),
        )
    ),
    *(
        (
            "regression_probe",
            f"aged_none_lr{rate}",
            f"fresh_none_lr{rate}",
            name,
            "open",
        )
        for rate in ("0.0001", "0.0003", "0.001", "0.003")
        for name in ("loss", "test_loss")
    ),
    *(
        ("related_tasks", f"aged_d{d}", f"fresh_d{d}", "loss", said)
        for d, said in (
            ("0", "open"),
            ("0.25", "less"),
            ("0.5", "less"),
            ("0.75", "open"),
            ("1", "open"),
            ("1.5", "open"),
            ("2", "more"),
        )
    ),
    *(
        ("related_tasks", f"aged_d{d}", f"fresh_d{d}", "test_loss", said)
        for d, said in (
            ("0", "open"),
            ("0.25", "open"),
            ("0.5", "open"),
            ("0.75", "more"),
            ("1", "open"),
            ("1.5", "open"),
            ("2", "open"),
        )
    ),
    *(
        ("perturb", arm, "none", name, "open")
        for arm in ("zero_gradient", "random")
        for name in ("loss", "test_loss")
    ),
    *(
        ("constraints", arm, "none", "loss", "open")
        for arm in ("clipping", "l2", "l2_to_init", "spectral_norm")
    ),
    ("constraints", "l2", "none", "test_loss", "less"),
    ("constraints", "clipping", "none", "test_loss", "open"),
    ("constraints", "l2_to_init", "none", "test_loss", "open"),
    ("constraints", "spectral_norm", "none", "test_loss", "open"),
    *(
        ("gradient_free", f"evolution_lr{rate}", f"adam_lr{rate}", "loss", "open")
        for rate in ("0.001", "0.003", "0.01")
    ),
]


@pytest.mark.parametrize(("study", "first", "second", "name", "said"), VERDICTS)
def test_a_verdict_is_what_the_test_carries(study, first, second, name, said):
    values = (kept.ends(study, arm, name) for arm in (first, second))
    assert kept.told_apart(*values) == said


def test_silent_neurons_and_those_without_a_gradient_are_the_same_ones():
    for study in ("ppo_layers", "ppo_activation"):
        for run in kept.runs(study).values():
            layers = [x for x in run if x.startswith("zero_gradient_fraction/")]
            assert layers
            for name in layers:
                layer = name.partition("/")[2]
                assert run[name] == run[f"dormant_fraction/0.0/{layer}"]
                overlap = run[f"zero_gradient_dormant_overlap/{layer}"]
                assert {x for x in overlap if not np.isnan(x)} <= {1.0}


def test_growth_and_the_way_back_are_as_the_page_says():
    runs = kept.of_arm("ppo_layers", "depth4")
    assert all(run[LAST][-1] > run[LAST][0] for run in runs)
    growth = [run[LAST][-1] - run[LAST][0] for run in runs]
    assert kept.t_interval(growth)[1] < 0  # Not carried at n = 3.
    name = "zero_gradient_fraction"
    pooled = [run[name][-1] - run[name][0] for run in runs]
    assert kept.t_interval(pooled)[1] > 0
    # A fraction that falls: at least so many neurons have a gradient again.
    assert all(max(run[LAST]) > run[LAST][-1] for run in runs)
    before = "zero_gradient_fraction/value/Dense_2"
    assert all(run[LAST][-1] > run[before][-1] for run in runs)
    assert kept.t_interval([run[LAST][-1] - run[before][-1] for run in runs])[1] < 0
    # Layer 0: never any.
    for run in kept.runs("ppo_layers").values():
        assert max(run["dormant_fraction/0.0/value/Dense_0"]) == 0


def test_networks_of_related_tasks_were_not_dormant():
    for run in kept.runs("related_tasks").values():
        # The first task takes 2,000 of 4,000 updates, half of the measurements.
        half = len(run["dormant_fraction/0.1"]) // 2
        assert run["dormant_fraction/0.1"][half - 1] == 0


def test_the_page_tells_of_every_study_of_he():
    of_he = [x for x in STUDIES.values() if x.source.startswith("He, 2026")]
    assert len(of_he) == 11
    for study in of_he:
        assert f"`{study.name}`" in PAGE
