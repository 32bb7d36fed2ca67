"""`redo-dopamine play`: episodes of an evaluation, and a video of the first."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from redo_dopamine import errors
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import episodes, video
from redo_dopamine.tools import play


def test_an_episode_is_that_of_its_seed(run):
    both = episodes.play(run, num_episodes=2, seed=4).episodes
    [alone] = episodes.play(run, num_episodes=1, seed=5).episodes
    assert alone == both[1]
    assert [x.seed for x in both] == [4, 5]
    assert {x.length for x in both} == {40}  # Runner.max_steps_per_episode.
    assert all(x.cut for x in both)


def test_returns_are_summed_up_with_their_spread():
    made = [episodes.Episode(i, x, 9, x == 4.0) for i, x in enumerate((1.0, 4.0, 4.0))]
    found = episodes.Played(Path("x"), 8, 2, tuple(made)).to_json()
    assert (found["average_return"], found["num_cut"]) == (3.0, 2)
    assert found["return_std"] == pytest.approx(3**0.5)
    assert (found["lowest_return"], found["highest_return"]) == (1.0, 4.0)
    assert play._summary(found) == (
        "average return 3, standard deviation 1.73205, from 1 to 4\n"
        "2 of 3 games cut by the limit of steps (Runner.max_steps_per_episode)"
    )
    alone = episodes.Played(Path("x"), 8, 2, tuple(made[:1])).to_json()
    assert alone["return_std"] is None
    assert play._summary(alone).startswith("average return 1\n0 of 1 games cut")


def test_the_command_prints_json_and_films(run, tmp_path, capsys):
    film = tmp_path / "videos" / "first.gif"
    words = [str(run), "--episodes=1", "--json", f"--video={film}"]
    assert play.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    [episode] = found["episodes"]
    assert found["average_return"] == episode["return"]
    assert found["video"] == str(film)
    with Image.open(film) as frames:
        # Frames that are the same, Pillow shows longer.
        shown = []
        for number in range(frames.n_frames):
            frames.seek(number)
            shown.append(frames.info["duration"])
    assert round(sum(shown) / shown[0]) >= episode["length"] > 1


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_an_encoded_video_has_every_frame(ending, tmp_path):
    picture = np.zeros((210, 160, 3), np.uint8)
    shares = {"Conv_0": 0.0, "Dense_0": 0.25}
    with video.writer(tmp_path / f"x.{ending}", 15) as write:
        for step in range(5):
            write(video.frame(picture, f"step {step}", 0.1, shares))
    film = cv2.VideoCapture(str(tmp_path / f"x.{ending}"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_a_bar_is_as_long_as_the_share():
    picture = np.zeros((10, 10, 3), np.uint8)
    fill = np.array([0xC4, 0x4E, 0x52])

    def length(share):
        image = video.frame(picture, "", 0.1, {"Dense_0": share})
        return (image == fill).all(axis=-1).sum(axis=1).max()

    assert length(0.0) == 0
    assert length(0.5) == pytest.approx(length(1.0) / 2, abs=1)


def test_planes_of_minatar_have_colors():
    planes = np.zeros((10, 10, 4), np.uint8)
    planes[0, 0, 1] = planes[1, 1, 2] = 1
    picture = video.picture_of(object(), planes)
    assert picture.shape == (10, 10, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


@pytest.mark.parametrize(
    "name", ["x.avi", ".gif", "file/x.gif", "there.gif", "link.mp4", "fifo.webm"]
)
def test_a_video_that_cannot_be_is_refused_before_a_game(
    name, run, tmp_path, capsys, monkeypatch
):
    (tmp_path / "file").touch()
    (tmp_path / "there.gif").mkdir()
    (tmp_path / "link.mp4").symlink_to("/dev/full")
    os.mkfifo(tmp_path / "fifo.webm")
    monkeypatch.setattr(episodes, "restore", None)
    words = [str(run), "--episodes=1", f"--video={tmp_path / name}"]
    assert play.main(words) == errors.USER_ERROR
    assert capsys.readouterr().err.startswith("error: --video must")
    assert len([*tmp_path.iterdir()]) == 4


def _write_and_fail(write):
    write(np.zeros((16, 16, 3), np.uint8))
    raise ZeroDivisionError


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_video_is_there_whole_or_as_it_was(ending, tmp_path):
    film = tmp_path / f"x.{ending}"
    film.write_text("before")
    with pytest.raises(ZeroDivisionError), video.writer(film, 15) as write:
        _write_and_fail(write)
    assert film.read_text() == "before"
    assert [*tmp_path.iterdir()] == [film]


def test_a_video_that_lost_frames_is_refused(tmp_path, monkeypatch):
    class Full:
        fourcc = cv2.VideoWriter.fourcc
        isOpened = release = write = lambda *_: True  # noqa: N815  As OpenCV has it.

        def __init__(self, *_):
            pass

    monkeypatch.setattr(cv2, "VideoWriter", Full)
    with (
        pytest.raises(UserError, match="it has lost frames"),
        video.writer(tmp_path / "x.mp4", 15) as write,
    ):
        write(np.zeros((16, 16, 3), np.uint8))
    assert not [*tmp_path.iterdir()]


def test_a_robot_has_no_picture():
    with pytest.raises(UserError, match="Leave out --video"):
        video.picture_of(object(), np.zeros(17))
