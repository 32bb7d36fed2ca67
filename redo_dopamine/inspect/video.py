"""A video of a game with the share of dormant neurons of each layer beside it."""

import contextlib
import errno
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files

_HEIGHT, _PANEL = 420, 380  # Pixels; even, as video encoders want them.
_LINE, _MARGIN, _BAR = 34, 16, 8
_BACK, _TEXT, _TRACK, _FILL = "#ffffff", "#222222", "#e4e4e4", "#c44e52"
# By the ending of the file; without a code it is Pillow's.
_CODES = {".mp4": "mp4v", ".webm": "VP90", ".gif": ""}

Write = Callable[[np.ndarray], None]


def picture_of(environment: Any, observation: Any) -> np.ndarray:
    """What a game looks like, as colors [H, W, 3] in bytes.

    Raises:
        UserError: it has no picture, as robots have none here.
    """
    emulator = getattr(
        getattr(getattr(environment, "environment", None), "unwrapped", None),
        "ale",
        None,
    )
    if emulator is not None:
        return emulator.getScreenRGB()
    observation = np.asarray(observation)
    if observation.ndim != 3:
        raise UserError(
            "A video must be of a game that has a picture (Atari, MinAtar), but an "
            f"observation here has shape {list(observation.shape)}. Leave out --video."
        )
    # MinAtar: planes of bits, each a color; where several are on, the last.
    colors = matplotlib.colormaps["tab10"](np.arange(observation.shape[-1]))[:, :3]
    number = np.max(observation * np.arange(1, len(colors) + 1), axis=-1)
    palette = np.concatenate([np.zeros((1, 3)), colors])
    return (255 * palette[number]).astype(np.uint8)


def frame(
    picture: np.ndarray, head: str, tau: float, dormant: Mapping[str, float]
) -> np.ndarray:
    """A frame [H, W, 3] in bytes: the game, and a bar per layer.

    Args:
        picture: the game's, of any size.
        head: what stands above the bars.
        tau: the threshold.
        dormant: the share of each layer, in [0, 1].
    """
    scale = _HEIGHT / picture.shape[0]
    width = round(picture.shape[1] * scale / 2) * 2
    game = Image.fromarray(picture).resize((width, _HEIGHT), Image.Resampling.NEAREST)
    whole = Image.new("RGB", (width + _PANEL, _HEIGHT), _BACK)
    whole.paste(game, (0, 0))
    draw, font = ImageDraw.Draw(whole), _font()
    left, right, top = width + _MARGIN, width + _PANEL - _MARGIN, _MARGIN
    for text in (head, f"dormant neurons (τ = {tau:g}), last 64 states"):
        draw.text((left, top), text, _TEXT, font)
        top += 22
    # As many layers as there is room for, the first ones.
    line = min(_LINE, (_HEIGHT - top - _MARGIN) // max(1, len(dormant)))
    for layer, share in dormant.items() if line > _BAR else ():
        draw.text((left, top), layer, _TEXT, font)
        draw.text((right, top), f"{share:.1%}", _TEXT, font, anchor="ra")
        bar = top + line - _BAR - 4
        draw.rectangle((left, bar, right, bar + _BAR), _TRACK)
        if share > 0:
            end = left + max(1, round(share * (right - left)))
            draw.rectangle((left, bar, end, bar + _BAR), _FILL)
        top += line
    return np.asarray(whole)


def _font() -> ImageFont.FreeTypeFont:
    # It comes with matplotlib, and has Greek letters.
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), 14)


def check(path: Path) -> None:
    """Check that a video can be written there, before it is made.

    Args:
        path: ends with .mp4, .webm or .gif.

    Raises:
        UserError: another ending, or a file that cannot be written.
    """
    if path.suffix.lower() not in _CODES:
        raise UserError(
            f"--video must be a name that ends with {', '.join(_CODES)}, but is "
            f"{str(path)!r}. Name one of these."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.check_replaceable(path)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(
        f"--video must be a file that can be written, but {str(path)!r} cannot: "
        f"{error.strerror or error}. Name another one."
    )


@contextlib.contextmanager
def writer(path: Path, fps: int) -> Iterator[Write]:
    """Write frames of one size to a video, which is there once it is whole.

    Args:
        path: of which `check` holds.
        fps: frames per second.

    Raises:
        UserError: as `check`, or it cannot be encoded.
    """
    check(path)
    code = _CODES[path.suffix.lower()]
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".video.") as scratch:
            beside = Path(scratch) / f"video{path.suffix.lower()}"
            with _encoded(beside, fps, code) if code else _gif(beside, fps) as write:
                yield write
            if beside.exists():  # A frame was written.
                beside.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def _encoded(path: Path, fps: int, code: str) -> Iterator[Write]:
    opened: list[cv2.VideoWriter] = []
    count = 0

    def write(image: np.ndarray) -> None:
        nonlocal count
        if not opened:
            fourcc = cv2.VideoWriter.fourcc(*code)
            opened.append(cv2.VideoWriter(str(path), fourcc, fps, image.shape[1::-1]))
            if not opened[0].isOpened():
                raise UserError(
                    f"OpenCV must have an encoder for {path.suffix}, but has none "
                    "here. Give --video=FILE.gif."
                )
        opened[0].write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        count += 1

    try:
        yield write
    finally:
        for each in opened:
            each.release()
    # OpenCV says nothing of a disk that is full.
    if count and _length(path) < count:
        raise OSError(errno.EIO, "it has lost frames; the disk may be full", str(path))


def _length(path: Path) -> int:
    """How many frames a video has; 0 where it cannot be read."""
    film = cv2.VideoCapture(str(path))
    try:
        return int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
    finally:
        film.release()


@contextlib.contextmanager
def _gif(path: Path, fps: int) -> Iterator[Write]:
    images: list[Image.Image] = []
    # 64 colors, at once: a game's thousand frames are then some 200 MB.
    yield lambda image: images.append(Image.fromarray(image).quantize(64))
    if images:
        images[0].save(
            path,
            save_all=True,
            append_images=images[1:],
            duration=round(1000 / fps),
            loop=0,
        )
