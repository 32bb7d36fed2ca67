"""Writes the page of a run, or of several runs side by side.

In: a base directory. Out: `<base_dir>/report/index.html`, one file that opens without
a network, and the same figures as PNG files next to it.
"""

import shlex
from pathlib import Path

from redo_dopamine.errors import UserError
from redo_dopamine.report import files, markup
from redo_dopamine.report.runs import Run, find_runs
from redo_dopamine.report.sections import (
    SECTIONS,
    overview_table,
    recycled_table,
    recycling_table,
)


def write_page(base_dir: str | Path) -> Path:
    """Writes the page of the runs in `base_dir`, over an earlier one if there.

    Args:
        base_dir: a run directory, or a directory of run directories.

    Returns:
        The path of the page.

    Raises:
        UserError: there are no runs, a run is not readable, or the report cannot be
            written.
    """
    runs = find_runs(base_dir)
    images = _draw(runs)
    target = Path(base_dir) / "report"
    try:
        files.make_directory(target)
        for section in SECTIONS:
            png = target / f"{section.slug}.png"
            if section.slug in images:
                files.write_whole(png, images[section.slug])
            else:
                # An earlier report's figure would not belong to this page.
                png.unlink(missing_ok=True)
        page = target / "index.html"
        files.write_whole(page, files.encode(render(runs, images)))
    except OSError as error:
        raise UserError(
            f"the report is written to {target}; that failed with: {error}. "
            "Make the directory writable, or copy the runs to one that is."
        ) from error
    return page


def render(runs: list[Run], images: dict[str, bytes]) -> str:
    """Returns the page as HTML.

    Args:
        runs: what the tables, notes and configurations are about.
        images: the PNG of each section that has one, by slug.
    """
    games = sorted({str(run.info["game"]) for run in runs if run.info.get("game")})
    subject = ", ".join(games) or "unknown game"
    title = f"Dormant neurons in {subject}"
    labels = ", ".join(run.label for run in runs)
    runs_word = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    parts = [
        f"<header><h1>{markup.text(title)}</h1>",
        f'<p class="lead">{markup.text(f"{runs_word}: {labels}")}</p></header>',
        "<main>",
        _notes(runs, images),
        "<h2>Overview</h2>",
        markup.table(*overview_table(runs)),
        _recycling(runs),
    ]
    for section in SECTIONS:
        if section.slug in images:
            uri = files.data_uri(images[section.slug])
            alt = f"{section.heading}, plotted for {labels}"
            parts.append(f"<section><h2>{markup.text(section.heading)}</h2>")
            parts.append(markup.figure(uri, alt, section.caption))
            parts.append("</section>")
    parts.append("<h2>How the runs were made</h2>")
    parts += [_provenance(run) for run in runs]
    parts.append("</main>")
    return markup.page(f"{title}: {labels}", "\n".join(part for part in parts if part))


def _draw(runs: list[Run]) -> dict[str, bytes]:
    """Returns the PNG of each section that has something to show."""
    images = {}
    for section in SECTIONS:
        figure = section.draw(runs)
        if figure is not None:
            images[section.slug] = files.png(figure)
    return images


def _notes(runs: list[Run], images: dict[str, bytes]) -> str:
    """Returns what the reader should know before trusting the rest."""
    notes = [f"{run.label}: {note}" for run in runs for note in run.notes]
    notes += [
        f"{section.heading} is not shown: no run recorded {section.needs}."
        for section in SECTIONS
        if section.slug not in images
    ]
    return markup.bullets(notes, "notes") if notes else ""


def _recycling(runs: list[Run]) -> str:
    """Returns the tables of what was recycled, and of what came of it."""
    totals, decimals = recycled_table(runs)
    if not len(totals.columns):
        return ""
    parts = ["<h3>Neurons recycled over the run, by layer</h3>"]
    parts.append(markup.table(totals, decimals))
    effect = recycling_table(runs)
    if effect is not None:
        parts.append("<h3>Dormant fraction before and after a recycle</h3>")
        parts.append(markup.table(*effect))
    return "\n".join(parts)


def _provenance(run: Run) -> str:
    """Returns the seed, commit, command, versions and configuration of a run."""
    info = run.info
    pairs: list[tuple[str, object]] = [("directory", run.path)]
    if info:
        command = info.get("command")
        if isinstance(command, list):
            command = shlex.join(str(word) for word in command)
        pairs += [(key, info.get(key)) for key in ("game", "agent", "seed")]
        pairs += [("command", command), ("git", _git(info.get("git")))]
        pairs += [("start", info.get("start")), ("end", info.get("end"))]
        versions = info.get("versions")
        if isinstance(versions, dict):
            versions = ", ".join(f"{name} {v}" for name, v in sorted(versions.items()))
        pairs.append(("versions", versions))
    parts = [f"<h3>{markup.text(run.label)}</h3>", markup.definitions(pairs)]
    if run.config is not None:
        parts.append(markup.details("Configuration (config.gin)", run.config))
    return "\n".join(parts)


def _git(git: object) -> str | None:
    """Returns the commit in words, or None where it is not known."""
    if not isinstance(git, dict) or not git.get("commit"):
        return None
    dirty = git.get("dirty")
    if dirty is None:
        return f"commit {git['commit']}"
    state = "with uncommitted changes" if dirty else "clean"
    return f"commit {git['commit']}, {state}"
