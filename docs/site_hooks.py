"""What the site of mkdocs.yml has beside the pages of docs/.

Pages and pictures from the rest of the checkout, docstrings in docs/api.md, and
equations as MathML, which needs no script.
"""

import ast
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from markdown import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
# Where a page of the checkout stands in the site, if not at its own path.
MOVED = {"README.md": "project.md"}
PAGES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    *("results/README.md", "benchmarks/README.md"),
)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)((?:#[^)\s]*)?)\)")
_MATH = re.compile(r"^\.\. math::(.*\n(?:[ \t]+\S.*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^### `(\w+)`\n\n```\n.*?^```$", re.DOTALL | re.MULTILINE)


def on_config(config):
    config.markdown_extensions.append(_Equations())
    return config


def on_files(files, config):
    pictures = ROOT.glob("results/**/*.png")
    for path in (*PAGES, *(str(x.relative_to(ROOT)) for x in pictures)):
        place = MOVED.get(path, path)
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.src_uri == "api.md":
        markdown = _docstrings(markdown)
    source = Path(page.file.abs_src_path).relative_to(ROOT)
    return _LINK.sub(lambda match: _link(match, source, page.file, files), markdown)


def _link(match, source, file, files):
    """A link between files of the checkout, as one between those of the site.

    One to what the site has not becomes its text.
    """
    picture, text, target, anchor = match.groups()
    if re.match(r"\w+:", target):
        return match[0]
    path = posixpath.normpath(posixpath.join(source.parent.as_posix(), target))
    if (ROOT / path).is_dir():
        path = posixpath.join(path, "README.md")
    assert (ROOT / path).exists() or (ROOT / path).parent.is_dir(), match[0]
    place = MOVED.get(path, path.removeprefix("docs/"))
    if files.get_file_from_path(place) is None:
        return text if not path.startswith("docs/") else match[0]
    there = posixpath.relpath(place, posixpath.dirname(file.src_uri) or ".")
    return f"{picture}[{text}]({there}{anchor})"


def _docstrings(markdown):
    """docs/api.md, its listings replaced by what is read from the source."""
    parts = re.split(r"^(## `([\w.]+)`)$", markdown, flags=re.MULTILINE)
    said = parts[0]
    for start in range(1, len(parts), 3):
        head, module, entries = parts[start : start + 3]
        said += head + _ENTRY.sub(
            lambda match, module=module: (
                f"::: {_home(module, match[1])}\n"
                f"    options: {{heading: {match[1]}, toc_label: {match[1]}}}\n"
            ),
            entries,
        )
    assert "```" not in said
    return said


def _home(module, name):
    """Where a name is defined that a module may only pass on."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return _home(node.module, alias.name)
    return f"{module}.{name}"


class _Equations(Extension):
    """`.. math::` of docstrings."""

    def extendMarkdown(self, md):  # noqa: N802
        md.preprocessors.register(_ToMathML(md), "equations", 30)


class _ToMathML(Preprocessor):
    def run(self, lines):
        def mathml(match):
            return self.md.htmlStash.store(convert(match[1].strip(), "block")) + "\n"

        return _MATH.sub(mathml, "\n".join(lines) + "\n").split("\n")
