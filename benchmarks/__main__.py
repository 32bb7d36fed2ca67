"""Ours against peers, side by side, and a table of it in benchmarks/README.md.

    python -m benchmarks [--only=replay,recycle] [--quick] [--list]

Every family runs in a process of its own. Results go to `benchmarks/results.json`,
where those of families that did not run are kept; `--quick` writes nothing.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import measuring, table
from benchmarks.measuring import FAMILIES, merged, run_family

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


def _names(only: str | None) -> list[str]:
    names = only.split(",") if only else list(FAMILIES)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        sys.exit(f"--only takes some of {', '.join(FAMILIES)}, but not {unknown}.")
    return names


def _save(families: dict[str, Any]) -> dict[str, Any]:
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = merged(old, families)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="families, with commas between them")
    parser.add_argument("--quick", action="store_true", help="small; writes nothing")
    parser.add_argument("--list", action="store_true", help="list the families")
    args = parser.parse_args()
    if args.list:
        print("\n".join(FAMILIES))
        return
    os.environ["JAX_PLATFORMS"] = "cpu"  # The bars are for machines without more.
    results: dict[str, Any] = {"families": {}}
    for name in _names(args.only):
        start = time.perf_counter()
        bars = measuring.apart(run_family, name, args.quick)
        taken = time.perf_counter() - start
        print(f"{name}: {taken:.0f} s", file=sys.stderr, flush=True)
        measured = {"machine": table.describe(), "bars": bars}
        if args.quick:
            results = merged(results, {name: measured})
        else:  # After each, so that what is measured is not lost.
            results = _save({name: measured})
            table.write(HERE / "README.md", table.render(results))
    print(table.render(results))


if __name__ == "__main__":
    main()
