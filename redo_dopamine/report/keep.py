"""`python -m redo_dopamine.report.keep --base_dir=DIR --to=DIR`: results to commit.

In: the directory of a study. Out, in `--to`, small enough for a repository: the
report's tables and figures; `curves.csv`, the dormancy of every finished run along
training; and `runs.zip`, those runs with thinned metrics and without checkpoints.
Where it is unpacked into a study's directory, the report can be written again, and a
launch goes on from there: it takes the runs in it for finished.
"""

import argparse
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.cli import exit_status, paths, process
from redo_dopamine.errors import UserError
from redo_dopamine.report import files, metrics_csv, summary
from redo_dopamine.report.runs import CONFIG, INFO, METRICS
from redo_dopamine.report.study import curves, ends, zero_gradient
from redo_dopamine.report.study import page as study_page
from redo_dopamine.report.study import records as study_runs
from redo_dopamine.report.study.records import STATUS, Record
from redo_dopamine.report.study.spec import STUDY, load_study
from redo_dopamine.report.write import BOOTSTRAP_REPEATS, write_report
from redo_dopamine.rundir import files as run_files

CURVES, RUNS = "curves.csv", "runs.zip"
# A study without scores has points of every epoch besides; curves are thinner.
_TABLES = (
    study_page.SCORES,
    study_page.SUMMARY,
    study_page.LAYERS,
    zero_gradient.FILE,
    study_page.IMPROVEMENTS,
    ends.ENDS,
)
_POINTS = 25  # Of a metric, in a run.
# Of these there are as many as episodes, or as layers and thresholds.
_LEFT_OUT = ("train/episode_return", "overlap/", "overlap_with_history/")
# What is pooled over layers, and what is learned.
_IN_CURVES = (
    r"(dormant_fraction|dormant_fraction_after)/[\d.]+|zero_gradient_fraction|largest_q"
    r"|loss|test_loss|train/accuracy|(train|eval)/average_return"
)
# Of a machine, and of no interest to another: settings are in `config.gin`.
_PLACES = ("command", "host", "pid")
# So that the same runs give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def keep(
    base_dir: Path,
    to: Path,
    figures: Sequence[str] | None = None,
    repeats: int = BOOTSTRAP_REPEATS,
) -> None:
    """Writes the report of a study, and what is to be kept of the study.

    Args:
        base_dir: the directory of a study.
        to: made if missing; what is there of an earlier study is replaced.
        figures: names of the report's figures; None for all.
        repeats: of the bootstrap.

    Raises:
        UserError: there is no study, or `to` cannot be written, is its report or has
            files of somebody else's by the names of these.
    """
    records = study_runs.find_records(base_dir, load_study(base_dir))
    if to.resolve() in (
        base_dir.resolve(),
        (base_dir / study_page.DIRECTORY).resolve(),
    ):
        raise UserError(
            f"--to must be a directory apart from the study's own, but is {to}. Give "
            "another one, such as results/<study>."
        )
    finished = [record for record in records if record.counts]
    page = write_report(base_dir, repeats)
    shown = _figures(page.parent, figures)
    written = {CURVES, RUNS, *_TABLES, *(x.name for x in page.parent.glob("*.png"))}
    tau = curves.tau_among(x.run for x in finished if x.run is not None)
    whole = [*ends.measured(tau), *summary.BESIDE]
    tables = {record.key: _thinned(record, whole) for record in finished}
    try:
        to.mkdir(parents=True, exist_ok=True)
        there = [old for old in sorted(to.iterdir()) if old.name in written]
        if there and to / RUNS not in there:
            raise UserError(
                "--to must be a directory of its own, or of an earlier study's "
                f"results, but {to} has {there[0].name} and no {RUNS}. Give another "
                "one."
            )
        # First, to tell the directory by.
        files.write_whole(to / RUNS, _packed(base_dir, tables))
        for old in there:
            if old.name != RUNS:
                old.unlink()
        for path in sorted(page.parent.iterdir()):
            if path.name in _TABLES or path in shown:
                shutil.copy(path, to)
        files.write_whole(to / CURVES, _curves(tables).encode())
    except OSError as error:
        raise UserError(
            f"--to must be a directory that can be written, but {to} cannot: "
            f"{error.strerror}. Give another one."
        ) from error


def _figures(report: Path, names: Sequence[str] | None) -> list[Path]:
    there = {path.stem: path for path in sorted(report.glob("*.png"))}
    for name in names or ():
        if name not in there:
            raise UserError(
                f"--figures must name figures of the report, but {name!r} is none. "
                f"There are {', '.join(there)}."
            )
    return [there[name] for name in (there if names is None else names)]


def _thinned(record: Record, whole: Sequence[str]) -> pd.DataFrame:
    """Returns some rows of every metric of a run, its last among them.

    All of `whole`, so that the report again reads between the same measurements.
    """
    assert record.run is not None  # It is finished.
    metrics = record.run.metrics
    metrics = metrics[~metrics["name"].str.startswith(_LEFT_OUT)]
    return metrics[_some_of_each(metrics) | metrics["name"].isin(whole)]


def _some_of_each(metrics: pd.DataFrame) -> pd.Series:
    some = metrics.groupby("name")["name"].transform(lambda name: _some(len(name)))
    return some.astype(bool)


def _some(length: int) -> np.ndarray:
    kept = np.zeros(length, bool)
    kept[np.linspace(0, length - 1, _POINTS).round().astype(int)] = True
    return kept


def _curves(tables: dict[tuple[str, str, str], pd.DataFrame]) -> str:
    parts = [
        table[_some_of_each(table) & table["name"].str.fullmatch(_IN_CURVES)].assign(
            arm=arm, game=game, seed=seed
        )
        for (arm, game, seed), table in tables.items()
    ]
    columns = ["arm", "game", "seed", "agent_step", "gradient_step", "name", "value"]
    whole = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return whole[columns].to_csv(index=False, lineterminator="\n", float_format="%.6g")


def _packed(base_dir: Path, tables: dict[tuple[str, str, str], pd.DataFrame]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _contents(base_dir, tables):
            entry = zipfile.ZipInfo(name, _DATE)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _contents(
    base_dir: Path, tables: dict[tuple[str, str, str], pd.DataFrame]
) -> Iterator[tuple[str, bytes]]:
    yield STUDY, (base_dir / STUDY).read_bytes()
    for key, table in tables.items():
        run = "/".join(key)
        rows = table[list(metrics_csv.COLUMNS)].to_csv(
            index=False, lineterminator="\n", na_rep="nan"
        )
        yield f"{run}/{METRICS}", rows.encode()
        yield f"{run}/{CONFIG}", (base_dir / run / CONFIG).read_bytes()
        for name in (INFO, STATUS):
            yield f"{run}/{name}", _without_places(base_dir / run / name)


def _without_places(path: Path) -> bytes:
    """Returns what is in a file of JSON, but for where it was made."""
    try:
        content = dict(run_files.read_json(path))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} must be what a run wrote, but is damaged: {error}. Run it again, "
            "or remove it from the study."
        ) from error
    kept = {name: x for name, x in content.items() if name not in _PLACES}
    return (json.dumps(kept, indent=2) + "\n").encode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m redo_dopamine.report.keep",
        description="Put a study's results where they can be committed.",
        allow_abbrev=False,
    )
    parser.add_argument("--base_dir", required=True, help="the directory of a study")
    parser.add_argument("--to", required=True, help="made if missing")
    parser.add_argument("--figures", help="names with commas between; all without it")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Keeps results and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        figures = None if options.figures is None else options.figures.split(",")
        base_dir = paths.given("--base_dir", options.base_dir)
        keep(Path(base_dir), Path(paths.given("--to", options.to)), figures)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.USER_ERROR
    print(options.to)
    return exit_status.COMPLETE


if __name__ == "__main__":
    process.run(main)
