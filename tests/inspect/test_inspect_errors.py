"""What cannot be inspected: one message, status 2, nothing written."""

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.inspect import show
from redo_dopamine.inspect.measure import inspect_checkpoint
from redo_dopamine.inspect.restore import find_checkpoint
from redo_dopamine.rundir import checkpoint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"checkpoint": "none"}, "must be a file checkpoint.<number>.npz or a run's"),
        ({"checkpoint": None}, "--checkpoint must name a run's directory"),
        ({"words": ["word"]}, "takes flags only, but ['word'] are none"),
        ({"taus": ["0", "x"]}, "--taus must be numbers >= 0, but is '0,x'"),
    ],
)
def test_a_wrong_command_ends_with_status_2(run, settings, message, capsys):
    assert show.run(**{"checkpoint": str(run), **settings}) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert message in said.err


def test_what_is_no_checkpoint_is_refused(run, tmp_path):
    (tmp_path / "file.npz").write_bytes(b"")
    for path, what in ((tmp_path, "is a directory without"), ("file.npz", "is none")):
        with pytest.raises(UserError, match=what):
            find_checkpoint(tmp_path / path)
    for path in (run, run / "checkpoints", run / "checkpoints" / "checkpoint.1.npz"):
        assert find_checkpoint(path) == run / "checkpoints" / "checkpoint.1.npz"


@pytest.fixture
def copy(run, tmp_path):
    """The newest checkpoint of the run, alone, to be damaged."""
    path = tmp_path / "copy" / "checkpoint.1.npz"
    path.parent.mkdir()
    path.write_bytes(find_checkpoint(run).read_bytes())
    return path


def test_a_damaged_checkpoint_is_refused(copy):
    copy.with_name("checkpoint.0.npz").write_bytes(b"")
    copy.write_bytes(copy.read_bytes()[:5000])
    with pytest.raises(
        UserError, match=r"must be whole.*Give another one: .*checkpoint.0.npz\."
    ):
        inspect_checkpoint(copy)


def test_a_checkpoint_without_its_configuration_is_refused(copy):
    arrays, meta = checkpoint.read(copy)
    del meta["config"]
    checkpoint.write(copy.parent, 1, arrays, meta)
    with pytest.raises(UserError, match=r"must hold the configuration.*no other one"):
        inspect_checkpoint(copy)


def test_a_configuration_that_cannot_be_read_is_refused(copy):
    arrays, meta = checkpoint.read(copy)
    meta["config"] = meta["config"].replace("RecycledDQNAgent.taus", "NoAgent.taus")
    checkpoint.write(copy.parent, 1, arrays, meta)
    with pytest.raises(UserError, match=r"(?s)may only give known names.*NoAgent"):
        inspect_checkpoint(copy)


def test_a_checkpoint_of_another_network_is_refused(copy):
    arrays, meta = checkpoint.read(copy)
    kept = {k: v for k, v in arrays.items() if "opt" not in k}
    checkpoint.write(copy.parent, 1, kept, meta)
    with pytest.raises(UserError, match=r"cannot be loaded: .*lacks"):
        inspect_checkpoint(copy)


def test_without_a_replay_buffer_states_must_be_given(copy, states):
    with pytest.raises(UserError, match=r"replay buffer beside it.*--states=FILE"):
        inspect_checkpoint(copy)
    assert inspect_checkpoint(copy, states=states, metrics=()).scores


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ["sranc"]}, r"'sranc' is none. Did you mean srank"),
        ({"taus": (-0.1,)}, r"taus must be a sequence of finite thresholds >= 0"),
        ({"batch_size": 0}, r"--batch_size must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(run, settings, message):
    with pytest.raises(UserError, match=message):
        inspect_checkpoint(run, **settings)


def test_a_metric_that_needs_transitions_is_refused_for_states(run, states):
    with pytest.raises(UserError, match=r"\['gradient_norm'\] need transitions"):
        inspect_checkpoint(run, states=states, metrics=["gradient_norm"])


def test_an_output_that_is_a_file_is_refused(run, tmp_path):
    inspection = inspect_checkpoint(run, metrics=())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"--output must be a directory"):
        show.write(inspection, tmp_path / "file")


@pytest.mark.parametrize("name", [show.MEASURED, show.SCORES, show.PICTURE])
def test_a_file_of_somebody_elses_is_not_replaced(name, run, tmp_path):
    inspection = inspect_checkpoint(run, metrics=())
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"has a {name} that is not of one"):
        show.write(inspection, tmp_path)
    assert [x.read_text() for x in tmp_path.iterdir()] == ["mine"]
    again = tmp_path / "again"
    assert show.write(inspection, again) == show.write(inspection, again)
