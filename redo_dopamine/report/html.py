"""Small pieces of HTML: text, tables, disclosures, the page's frame.

In: plain values and DataFrames. Out: HTML5 strings in which every value is escaped.
Only arguments called `body` are taken as HTML.
"""

import html
import math
from collections.abc import Iterable, Mapping

import pandas as pd

MISSING = "\N{EN DASH}"

CSS = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6570; --line: #d9dee3;
  --paper: #ffffff; --tint: #f5f7f9; --note: #fff7e0; --edge: #d9a400; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a7b0ba;
  --line: #3a424b; --paper: #16191d; --tint: #20252b; --note: #332a10; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .5rem 0; }
a { color: #1a6fb0; }
@media (prefers-color-scheme: dark) { a { color: #7cc0ee; } }
.lead, figcaption, .foot { color: var(--soft); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .82rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .55rem; text-align: left; vertical-align: bottom;
  border-bottom: 1px solid var(--line); }
thead th { font-weight: 600; color: var(--soft); line-height: 1.3;
  border-bottom: 2px solid var(--line); }
tbody th { font-weight: 600; }
td.number, th.number { text-align: right; }
td, tbody th { white-space: nowrap; }
td.long { white-space: normal; overflow-wrap: anywhere; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; padding: .5rem;
  background: #ffffff; border: 1px solid var(--line); border-radius: 6px; }
figcaption { margin-top: .6rem; max-width: 52rem; }
.warning { background: var(--note); border: 2px solid var(--edge);
  border-radius: 6px; padding: .6rem 1rem; font-weight: 600; }
.notes { background: var(--note); border-left: 4px solid var(--edge);
  padding: .6rem 1rem .6rem 1.9rem; margin: 1rem 0; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .75rem 0; }
summary { cursor: pointer; padding: .5rem .9rem; font-weight: 600; }
pre { margin: 0; padding: .9rem; overflow-x: auto; background: var(--tint);
  font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem;
  font-size: .92rem; margin: .5rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  figure, table, .notes { break-inside: avoid; } h2, h3 { break-after: avoid; }
  pre { white-space: pre-wrap; } }
"""


def text(value: object) -> str:
    """Returns a value as escaped text, with a dash for None and for no text."""
    return html.escape(MISSING if value is None or value == "" else str(value))


def number(value: float, decimals: int = 0) -> str:
    """Returns a number with grouped thousands, or a dash where it is undefined."""
    return MISSING if math.isnan(value) else f"{value:,.{decimals}f}"


def table(frame: pd.DataFrame, decimals: Mapping[str, int]) -> str:
    """Returns a table with one line per row of the frame and its index first.

    Args:
        frame: its column names become the headings.
        decimals: the digits after the point of each column of numbers; columns that
            are not named here are text.
    """
    head = [f'<th scope="col">{text(frame.index.name)}</th>']
    for name in frame.columns:
        kind = ' class="number"' if name in decimals else ""
        head.append(f'<th scope="col"{kind}>{text(name)}</th>')
    lines = [f"<tr>{''.join(head)}</tr>"]
    body = []
    for position, label in enumerate(frame.index):
        cells = [f'<th scope="row">{text(label)}</th>']
        for name in frame.columns:
            value = frame[name].iloc[position]
            if name in decimals:
                shown = number(float(value), decimals[name])
                cells.append(f'<td class="number">{shown}</td>')
            else:
                # A sentence wraps; a name or a number does not.
                kind = ' class="long"' if len(str(value)) > 40 else ""
                cells.append(f"<td{kind}>{text(value)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="scroll"><table>\n<thead>'
        + "\n".join(lines)
        + "</thead>\n<tbody>\n"
        + "\n".join(body)
        + "\n</tbody></table></div>"
    )


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """Returns a list of terms and what they are."""
    items = "\n".join(
        f"<dt>{text(term)}</dt><dd>{text(value)}</dd>" for term, value in pairs
    )
    return f"<dl>\n{items}\n</dl>"


def bullets(items: Iterable[str], css_class: str) -> str:
    """Returns a list of sentences."""
    lines = "\n".join(f"<li>{text(item)}</li>" for item in items)
    return f'<ul class="{text(css_class)}">\n{lines}\n</ul>'


def details(title: str, content: str) -> str:
    """Returns text that a click on its title shows, in its own line breaks."""
    return (
        f"<details><summary>{text(title)}</summary>"
        f"<pre>{html.escape(content)}</pre></details>"
    )


def paragraph(content: str, css_class: str = "") -> str:
    """Returns a paragraph."""
    kind = f' class="{text(css_class)}"' if css_class else ""
    return f"<p{kind}>{text(content)}</p>"


def links(files: Iterable[str], label: str) -> str:
    """Returns a line of links to files beside the page."""
    shown = ", ".join(f'<a href="{text(name)}">{text(name)}</a>' for name in files)
    return f'<p class="foot">{text(label)}: {shown}</p>'


def figure(data_uri: str, alt: str, caption: str) -> str:
    """Returns an image that the page itself contains, with its caption."""
    return (
        f'<figure><img src="{text(data_uri)}" alt="{text(alt)}">\n'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def page(title: str, body: str) -> str:
    """Returns a whole HTML5 document that needs no other file."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
