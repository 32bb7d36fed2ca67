"""docs/inspect_a_run.ipynb runs to its end, and shows what it says.

`python tests/docs/test_notebook.py` runs it and saves its outputs.
"""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow


NOTEBOOK = Path(__file__).parent.parent.parent / "docs" / "inspect_a_run.ipynb"
NO_CHANGE = re.compile(r"^largest change of a Q-value: (.+)$", re.MULTILINE)


def execute(directory):
    """The notebook, run in that directory by this Python."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(directory)}}
    client = NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources=resources
    )
    return client.execute()


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    """All that its cells printed."""
    outputs = [output for cell in cells(notebook) for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def kinds(cell):
    """What a cell's outputs are: text, a value, a picture."""
    return {(x.output_type, *sorted(x.get("data", ()))) for x in cell.outputs}


@pytest.fixture(scope="module")
def saved():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    directory = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        # Not in the home of whoever runs the tests.
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(directory / name.lower()))
        yield execute(directory)


def test_recycling_at_tau_0_moves_no_q_value(fresh):
    said = text(fresh)
    assert NO_CHANGE.findall(said) == ["0.0"]
    assert int(re.search(r"^recycled: (\d+)$", said, re.MULTILINE)[1]) > 0
    more = dict(re.findall(r"^largest change, (.+): (.+)$", said, re.MULTILINE))
    assert 0 < float(more["τ = 0.1"]) < float(more["at random"])
    before, after = re.search(r"(\d+) before, (\d+) just after", said).groups()
    assert int(after) < int(before)


def test_it_was_saved_as_it_runs(saved, fresh):
    assert [kinds(x) for x in cells(saved)] == [kinds(x) for x in cells(fresh)]
    assert NO_CHANGE.findall(text(saved)) == ["0.0"]


def test_it_is_whole_and_small(saved):
    nbformat.validate(saved)
    counts = [cell.execution_count for cell in cells(saved)]
    assert counts == list(range(1, len(counts) + 1))
    assert all(cell.outputs for cell in cells(saved))
    assert NOTEBOOK.stat().st_size < 300_000
    assert not re.search(r"/(tmp|home|root|work)/", NOTEBOOK.read_text())


if __name__ == "__main__":
    done = execute(sys.argv[1] if len(sys.argv) > 1 else ".")
    for cell in cells(done):
        cell.metadata.pop("execution", None)  # When it ran.
    nbformat.write(done, NOTEBOOK)
