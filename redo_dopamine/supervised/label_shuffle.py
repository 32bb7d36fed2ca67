"""Label shuffling: `python -m redo_dopamine.supervised.label_shuffle --base_dir=DIR`.

What comes in: the flags of every experiment (`command`), and a data set's files. What
leaves: a run's directory.
"""

import argparse
from collections.abc import Sequence

import gin

from redo_dopamine.cli import paths, process
from redo_dopamine.supervised import command, gin_names
from redo_dopamine.supervised.label_shuffling import LabelShuffle

_DATASETS = ("fashion_mnist", "cifar10")


def _configure(options: argparse.Namespace) -> None:
    bindings = list(options.gin_bindings)
    if options.dataset is not None:
        bindings.append(f"LabelShuffle.dataset = @{options.dataset}")
    data_dir = paths.optional("--data_dir", options.data_dir)
    if data_dir is not None:
        bindings += [f"{name}.data_dir = {data_dir!r}" for name in _DATASETS]
    gin_names.load(options.gin_files, bindings)


def _make() -> command.Made:
    dataset = gin.query_parameter("LabelShuffle.dataset")
    name = getattr(dataset, "selector", str(dataset)).rpartition(".")[2]
    return command.Made(gin_names.experiment(LabelShuffle), name)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command.parser(
        "label_shuffle",
        "Train a classifier on labels that are reshuffled now and then.",
    )
    add = parser.add_argument
    add("--dataset", choices=_DATASETS, help="default: what gin says; fashion_mnist")
    add("--data_dir", help="folder of the data set's files")
    return command.main(parser, arguments, _configure, _make)


if __name__ == "__main__":
    process.run(main)
