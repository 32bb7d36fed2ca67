"""`python -m redo_dopamine.report.keep --base_dir=DIR --to=DIR`: results to commit.

Of a study, small enough for a repository: the report's tables and figures;
`curves.csv`, the dormancy of every finished run along training; and `runs.zip`, those
runs with thinned metrics and without checkpoints. Where it is unpacked into a study's
directory, the report can be written again, and a launch goes on from there: it takes
the runs in it for finished.
"""

import argparse
import contextlib
import errno
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.cli import flags, process
from redo_dopamine.errors import UserError
from redo_dopamine.report import BOOTSTRAP_REPEATS, study, summary
from redo_dopamine.report.run_page import write_report
from redo_dopamine.report.runs import CONFIG, INFO, METRICS, Key, Record, find_records
from redo_dopamine.report.study import analysis, curves
from redo_dopamine.rundir import files, metrics_csv
from redo_dopamine.rundir.status import NAME as STATUS
from redo_dopamine.studies import spec

CURVES, RUNS = "curves.csv", "runs.zip"
# A study without scores has points of every epoch besides; curves are thinner.
_TABLES = {*study.TABLES} - {study.EPOCHS}
_POINTS = 25  # Of a metric, in a run.
# What is pooled over layers, and what is learned.
_IN_CURVES = (
    r"(dormant_fraction|dormant_fraction_after)/[\d.]+|zero_gradient_fraction|largest_q"
    r"|loss|test_loss|train/accuracy|(train|eval)/average_return"
)
# Of a machine, and of no interest to another: settings are in `config.gin`.
_PLACES = ("command", "host", "pid")
# So that the same runs give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

_MOST_BYTES = 2**24  # Of a study.json.
_NOT_OURS = (
    "--to must be a directory of its own, or of this study's earlier results, but {}. "
    "Give another one."
)


def keep(
    base_dir: Path,
    to: Path,
    figures: Sequence[str] | None = None,
    repeats: int = BOOTSTRAP_REPEATS,
) -> None:
    """Write the report of the study in `base_dir`, and what is to be kept of it.

    In `to`, which is made if missing, what is there of an earlier study is replaced.
    Of the report's figures those that are named are kept, or all.

    Raises:
        UserError: there is no study, or `to` cannot be written, is its report or has
            files of somebody else's by the names of these.
    """
    asked = spec.load(base_dir)
    finished = [x for x in find_records(base_dir, asked) if x.counts]
    _check_place(to, base_dir, asked.name, {record.key for record in finished})
    report = write_report(base_dir, repeats).parent
    shown = {*_TABLES, *_figures(report, figures)}
    written = {CURVES, RUNS, *_TABLES, *(x.name for x in report.glob("*.png"))}
    tau = analysis.tau_among(x.run for x in finished if x.run is not None)
    whole = [*curves.measured(tau), *summary.BESIDE]
    thinned = {record.key: _thinned(record, whole) for record in finished}
    new = {CURVES: _curves(thinned).encode(), RUNS: _packed(base_dir, thinned)}
    new |= {x.name: x.read_bytes() for x in report.iterdir() if x.name in shown}
    with _in_reach(to):
        there = [name for name in _names(to) if name in written]
        if there and RUNS not in there:
            raise UserError(_NOT_OURS.format(f"{to} has {there[0]} and no {RUNS}"))
        _replace(to, new, old=written - {*new})


@contextlib.contextmanager
def _in_reach(to: Path) -> Iterator[None]:
    """Raise a UserError where `to` cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise UserError(
            "--to must be a directory that can be written and read, but "
            f"{to} cannot: {error.strerror}. Give another one."
        ) from error


def _check_place(to: Path, base_dir: Path, name: str, runs: set[Key]) -> None:
    """Refuse a directory of somebody else's, or whose kept runs would be lost."""
    if base_dir.resolve() in (to.resolve(), *to.resolve().parents):
        raise UserError(
            f"--to must be a directory apart from the study's own, but {to} is within "
            f"{base_dir}. Give another one, such as results/<study>."
        )
    if not runs:
        raise UserError(
            f"A study must have a finished run for its results to be kept, but "
            f"{base_dir} has none. Run it first."
        )
    with _in_reach(to):
        if RUNS not in _names(to):
            return
        kept_name, kept = _kept(to / RUNS)
    if kept_name != name:
        other = f"{to / RUNS} is of {kept_name or 'something else'}, not of {name}"
        raise UserError(_NOT_OURS.format(other))
    lost = sorted(kept - runs)
    if lost:
        raise UserError(
            f"All {len(kept)} runs that are kept must be kept again, but {len(lost)} "
            f"of {to} are not in {base_dir}, such as {'/'.join(lost[0])}. Unpack "
            f"{RUNS} there first, or delete {to}."
        )


def _names(to: Path) -> list[str]:
    return sorted(path.name for path in to.iterdir()) if to.exists() else []


def _kept(path: Path) -> tuple[str, set[Key]]:
    """Return name and runs of the study that was kept; no name for another file."""
    try:
        with zipfile.ZipFile(io.BytesIO(files.read_bytes(path))) as archive:
            if archive.getinfo(spec.NAME).file_size > _MOST_BYTES:
                return "", set()
            name = json.loads(archive.read(spec.NAME))["name"]
            parts = [entry.split("/") for entry in archive.namelist()]
    except Exception:  # Encrypted, damaged, of another method: not of ours.
        return "", set()
    return str(name), {(x[0], x[1], x[2]) for x in parts if len(x) == 4}


def _replace(to: Path, new: dict[str, bytes], old: set[str]) -> None:
    """Write all files beside the old ones, and then put them in their places."""
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".keep.", dir=to) as aside:
        for name, content in new.items():
            files.write_bytes(Path(aside) / name, content)
        for name in new:
            if (to / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a directory there")
        for name in new:
            os.replace(Path(aside) / name, to / name)
    for name in old:
        if (to / name).is_file():
            (to / name).unlink()


def _figures(report: Path, names: Sequence[str] | None) -> list[str]:
    """Return the files of the figures of these names, or of all."""
    there = sorted(path.stem for path in report.glob("*.png"))
    for name in names or ():
        if name not in there:
            raise UserError(
                f"--figures must name figures of the report, but {name!r} is none. "
                f"There are {', '.join(there)}."
            )
    return [f"{name}.png" for name in (there if names is None else names)]


def _thinned(record: Record, whole: Sequence[str]) -> pd.DataFrame:
    """Return some rows of every metric of a run, and all of `whole`.

    So that the report again reads between the same measurements.
    """
    assert record.run is not None  # It is finished.
    metrics = record.run.metrics
    metrics = metrics[metrics["name"] != summary.EPISODES]  # There are too many.
    return metrics[_some(metrics) | metrics["name"].isin(whole)]


def _some(metrics: pd.DataFrame) -> pd.Series:
    """Tell which rows of each metric are kept: some, and the last."""

    def of_metric(names: pd.Series) -> np.ndarray:
        kept = np.zeros(len(names), bool)
        kept[np.linspace(0, len(names) - 1, _POINTS).round().astype(int)] = True
        return kept

    return metrics.groupby("name")["name"].transform(of_metric).astype(bool)


def _curves(tables: dict[Key, pd.DataFrame]) -> str:
    shown = [x[_some(x) & x["name"].str.fullmatch(_IN_CURVES)] for x in tables.values()]
    found = pd.concat(shown, keys=tables, names=summary.KEY)
    columns = ["agent_step", "gradient_step", "name", "value"]
    by_run = found.reset_index(summary.KEY)[[*summary.KEY, *columns]]
    return by_run.to_csv(index=False, lineterminator="\n", float_format="%.6g")


def _packed(base_dir: Path, tables: dict[Key, pd.DataFrame]) -> bytes:
    """Return an archive of these runs with these metrics, and of what they are of."""
    contents = {spec.NAME: (base_dir / spec.NAME).read_bytes()}
    for key, table in tables.items():
        run, columns = "/".join(key), list(metrics_csv.COLUMNS)
        rows = table[columns].to_csv(index=False, lineterminator="\n", na_rep="nan")
        contents[f"{run}/{METRICS}"] = rows.encode()
        contents[f"{run}/{CONFIG}"] = (base_dir / run / CONFIG).read_bytes()
        for name in (INFO, STATUS):
            contents[f"{run}/{name}"] = _without_places(base_dir / run / name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _DATE)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _without_places(path: Path) -> bytes:
    """Return what is in a file of JSON, but for where it was made."""
    try:
        content = dict(files.read_json(path))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} must be what a run wrote, but is damaged: {error}. Run it again, "
            "or remove it from the study."
        ) from error
    kept = {name: x for name, x in content.items() if name not in _PLACES}
    return (json.dumps(kept, indent=2) + "\n").encode()


def _parser() -> argparse.ArgumentParser:
    parser = flags.Parser(
        prog="python -m redo_dopamine.report.keep",
        description="Put a study's results where they can be committed.",
    )
    parser.add_argument("--base_dir", required=True, help="the directory of a study")
    parser.add_argument("--to", required=True, help="made if missing")
    parser.add_argument("--figures", help="names with commas between; all without it")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep results; return the exit status."""
    options = _parser().parse_args(arguments)

    def run() -> None:
        figures = None if options.figures is None else options.figures.split(",")
        base_dir = flags.given("--base_dir", options.base_dir)
        keep(Path(base_dir), Path(flags.given("--to", options.to)), figures)
        print(options.to)

    return process.status_of(run)


if __name__ == "__main__":
    process.run(main)
