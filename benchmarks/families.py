"""The families that `python -m benchmarks` runs, one module each."""

import importlib
from typing import Any

FAMILIES = (
    *("recycle", "overhead", "replay", "checkpoint", "memory"),
    *("end_to_end", "control", "start", "workers"),
)


def run_family(name: str, quick: bool) -> list[dict[str, Any]]:
    """All bars of a family, measured in this process."""
    module = importlib.import_module(f"benchmarks.{name}")
    return [bar.as_json() for bar in module.measure(quick)]


def merged(
    old: dict[str, Any], new: dict[str, Any], order: tuple[str, ...] = FAMILIES
) -> dict[str, Any]:
    """Families measured now, and of the others what was measured before."""
    families = old.get("families", {}) | new
    return {"families": {name: families[name] for name in order if name in families}}
