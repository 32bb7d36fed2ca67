"""Code blocks of Markdown pages, and the checks that every page must pass.

A block's language says what is done with it: `python` is executed, all blocks of a page
in one scope; `gin` is a whole gin file, which is loaded; `sh` goes to `helpers.shell`.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line that it begins in."""

    language: str
    text: str
    line: int


def blocks(page, language=None):
    """The fenced blocks of a page, in order; those of one language, if it is given."""
    found = (
        Block(match[1], match[2], page.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(page)
    )
    return [block for block in found if language in (None, block.language)]


def run_python(path, scope):
    """Execute a page's Python; a traceback has the lines of the page."""
    for block in blocks(path.read_text(), "python"):
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, str(path), "exec"), scope)
    return scope


def links(path):
    """`(file, fragment)` of every link of a page that stays inside the repository."""
    text = _FENCE.sub("", path.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://")):
            name, _, fragment = target.partition("#")
            yield (path.parent / name if name else path), fragment


def anchors(path):
    """The fragments that GitHub gives to a page's headings."""
    text = _FENCE.sub("", path.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


def tables(text):
    """The rows of all tables as lists of cells, without their heads."""
    rows = []
    for table in re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE):
        lines = table.splitlines()
        assert re.fullmatch(r"\|[\s:|-]+\|", lines[1]), lines[:2]
        rows += [[x.strip() for x in line.split("|")[1:-1]] for line in lines[2:]]
    return rows


def numbers_with_intervals(text):
    """Numbers that stand before an interval, such as `.50 [.49, .51]`."""
    return re.findall(r"[\d.]+%?\s\[[-\d.,\s]+\]", text)
