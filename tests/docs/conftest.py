import os
from pathlib import Path

import pytest

from helpers import documents, runs, shell

RUN = "runs/short"
# What makes the run of getting_started.md a matter of seconds.
SMALL = (
    *runs.TINY_REDO,
    "create_runner.schedule = 'continuous_train_and_eval'",
    "Runner.evaluation_steps = 40",
)


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """The run that getting_started.md trains, reports and inspects, made small."""
    page = documents.ROOT / "docs" / "getting_started.md"
    directory, before = tmp_path_factory.mktemp("started"), Path.cwd()
    os.chdir(directory)
    try:
        for block in documents.blocks(page.read_text(), "sh"):
            for words in shell.commands(block.text):
                if any(RUN in word for word in words):
                    # Of what it can measure, which takes long to compile, a little.
                    less = ["--metrics=srank"] * ("redo_dopamine.inspect" in words)
                    shell.execute([*words, *less], SMALL)
    finally:
        os.chdir(before)
    return directory / RUN
