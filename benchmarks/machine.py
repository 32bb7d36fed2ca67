"""What a figure was measured on; no paths and no names of hosts."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path


def describe() -> dict[str, str | int]:
    """Cores, processor, versions and date."""
    versions = {name: metadata.version(name) for name in ("jax", "dopamine-rl")}
    return {
        "date": datetime.date.today().isoformat(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "cpu_model": _cpu_model(),
        "python": platform.python_version(),
        "jax": versions["jax"],
        "dopamine": versions["dopamine-rl"],
    }


def _cpu_model() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    models = [x.partition(":")[2].strip() for x in lines if x.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"
