"""The files of a report: pages, which `templates/` make of values, and figures.

Each is as it was before or whole. The same figure gives the same bytes.
"""

import base64
import dataclasses
import functools
import io
import json
import math
import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import markupsafe
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files

Row = TypeVar("Row", bound="FigureRow")
MISSING = "\N{EN DASH}"
PAGES = ("index.html", "games.html")  # The latter of a study.
_DPI = 160
_LARGEST_END = 1e300  # Twice as much has a length that no float holds.


def make_directory(path: Path) -> None:
    """Make a directory, if it is not there; a link to one is refused.

    Raises:
        OSError: it cannot be made, or is a link.
    """
    if path.is_symlink():
        raise files.NotOrdinaryError(path, "a link", "directory")
    path.mkdir(exist_ok=True)


def write(target: Path, contents: Mapping[str, bytes | str | None], what: str) -> Path:
    """Write the files of a report of `what`; return the path of the page.

    By name, into a directory that is made if missing. None deletes what an earlier
    report left.

    Raises:
        UserError: they cannot be written.
    """
    try:
        make_directory(target)
        for name, content in contents.items():
            if content is None:
                (target / name).unlink(missing_ok=True)
            elif isinstance(content, str):
                files.write_text(target / name, content)
            else:
                files.write_bytes(target / name, content)
    except OSError as error:
        raise UserError(
            f"the report is written to {target}; that failed with: {error}. "
            f"Make the directory writable, or copy the {what} to one that is."
        ) from error
    return target / "index.html"


def end_reloading(target: Path) -> None:
    """Have the pages of a report no longer load themselves again."""
    # Whatever is not the templates' own is escaped, so it is no tag.
    tag = re.compile(rb'<meta http-equiv="refresh" content="\d+">\n')
    for page in filter(Path.is_file, map(target.joinpath, PAGES)):
        before = page.read_bytes()
        after = tag.sub(b"", before, count=1)
        if after != before:
            files.write_bytes(page, after)


def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as `png` or `svg`; nothing in it tells when it was made."""
    _limit(figure)
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    written = io.BytesIO()
    # With names of its parts that are not random.
    with rc_context({"svg.hashsalt": "redo_dopamine"}):
        figure.savefig(written, format=kind, dpi=_DPI, metadata=metadata[kind])
    return written.getvalue()


def _limit(figure: Figure) -> None:
    """Keep axes within what has a length: larger values are at their ends."""
    for axes in figure.axes:
        ends = np.array([axes.get_xlim(), axes.get_ylim()])
        if np.abs(ends).max() > _LARGEST_END:
            (left, right), (low, high) = np.clip(ends, -_LARGEST_END, _LARGEST_END)
            axes.set_xlim(left, right)
            axes.set_ylim(low, high)


@functools.cache
def data(name: str) -> dict[str, Any]:
    """Return what one of the files in `data/` says, of TOML or JSON."""
    text = (resources.files("redo_dopamine.report") / "data" / name).read_text("utf-8")
    return dict(tomllib.loads(text) if name.endswith(".toml") else json.loads(text))


@dataclasses.dataclass(frozen=True)
class FigureRow:
    """A figure of a page, as `data/figures.toml` explains it."""

    slug: str
    heading: str
    caption: str
    needs: str = ""
    metric: str = ""
    panels: str = ""
    title: str = ""
    y: str = ""

    def draw(self, shown: Any) -> Figure | None:
        """Return the figure of what a page shows; None where it has nothing of it."""
        raise NotImplementedError


def drawn(
    rows: Iterable[FigureRow], shown: Any, kinds: Sequence[str] = ("png", "svg")
) -> dict[str, bytes | str | None]:
    """Return the files of figures by name; None where there is nothing to show."""
    figures = {row.slug: row.draw(shown) for row in rows}
    return {
        f"{slug}.{kind}": image(figure, kind) if figure else None
        for slug, figure in figures.items()
        for kind in kinds
    }


def figure_rows(kind: str, row: type[Row]) -> tuple[Row, ...]:
    """Return the figures of one kind of page, in its order."""
    return tuple(row(**x) for x in data("figures.toml")[kind])


@dataclasses.dataclass(frozen=True)
class Table:
    """A line per row of a frame, its index first; falsy without rows.

    The columns' names become the headings. Columns of numbers have their digits after
    the point in `decimals`; the others are text.
    """

    frame: pd.DataFrame
    decimals: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return len(self.frame) > 0

    @classmethod
    def of(cls, frame: pd.DataFrame, columns: Mapping[str, Sequence[Any]]) -> "Table":
        """Return columns under their headings, those with digits as numbers."""
        names = {name: heading for name, (heading, *_) in columns.items()}
        digits = {
            heading: x for heading, *decimals in columns.values() for x in decimals
        }
        return cls(frame[list(columns)].rename(columns=names), digits)

    def cells(self, row: int) -> list[object]:
        """Return what stands in a row, with numbers as text."""
        return [
            format_number(float(value), self.decimals[name])
            if name in self.decimals
            else value
            for name, value in zip(self.frame, self.frame.iloc[row], strict=True)
        ]


def render(template: str, **values: Any) -> str:
    """Return a page as HTML5 that needs no other file."""
    return _templates().get_template(template).render(values)


def with_contents(content: str) -> markupsafe.Markup:
    """Return what a page is made of, under a list of links to its headings."""
    names: dict[str, str] = {}

    def named(heading: re.Match[str]) -> str:
        name = re.sub(r"\W+", "-", heading[1].lower()).strip("-")
        name = f"{name}-{len(names)}" if name in names else name
        names[name] = heading[1]
        return f'<h2 id="{name}">{heading[1]}</h2>'

    # Whatever is not the templates' own is escaped, so it holds no heading.
    content = re.sub("<h2>(.+?)</h2>", named, content)
    links = "".join(f'<a href="#{name}">{text}</a>' for name, text in names.items())
    return markupsafe.Markup(f'<nav aria-label="Contents">{links}</nav>\n{content}')


def words(name: str, **values: Any) -> list[str]:
    """Return the paragraphs of a macro of `words.txt`."""
    macro = getattr(_templates().get_template("words.txt").module, name)
    paragraphs = re.split(r"\n\s*\n", str(macro(**values)).strip())
    return [re.sub(r"\s*\n\s*", " ", x) for x in paragraphs if x]


def format_number(value: float, decimals: int = 0) -> str:
    """Return a number with grouped thousands, or a dash where it is undefined."""
    return MISSING if math.isnan(value) else f"{value:,.{decimals}f}"


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("redo_dopamine.report"),
        # Words are text, which a page escapes.
        autoescape=lambda name: name != "words.txt",
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": lambda value: MISSING if value is None or value == "" else value,
        "with_contents": with_contents,
        "base64": lambda image: base64.b64encode(image).decode("ascii"),
        "grouped": "{:,}".format,
        "shell": shlex.join,
    }
    return environment
