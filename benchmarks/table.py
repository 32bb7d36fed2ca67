"""Results as a markdown table, and that table between the marks of README.md."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_HEAD = "| | what | ours | peer | ratio | bar | |\n|---|---|--:|--:|--:|--:|---|\n"


def render(results: dict[str, Any]) -> str:
    """The table of all families, and a line on where it was measured."""
    families = results["families"].values()
    rows = "".join(row(bar) for family in families for bar in family["bars"])
    machines = dict.fromkeys(_machine(family["machine"]) for family in families)
    return f"{_HEAD}{rows}\n" + "".join(f"{line}\n" for line in machines)


def row(bar: dict[str, Any]) -> str:
    """One bar."""
    mark = "passes" if bar["passed"] else "**falls short**"
    passed, rounds = bar["rounds_passed"], len(bar["rounds"])
    if passed not in (0, rounds):  # So near that rounds differ.
        agreeing = passed if bar["passed"] else rounds - passed
        most = 2 * agreeing >= rounds
        mark = mark if most else f"at its bar: {mark}"
        mark += f" in {agreeing} of {rounds} rounds"
    sign = {">=": "≥", "<=": "≤"}[bar["direction"]]
    unit = bar["unit"]
    return (
        f"| {bar['name']} | {bar['what']} | {_number(bar['ours'])} {unit} "
        f"| {_number(bar['peer'])} {unit} | {_ratio(bar['ratio'], bar['bar'])} "
        f"| {bar['ratio_of']} {sign} {bar['bar']:g} | {mark} |\n"
    )


def write(readme: Path, table: str) -> None:
    """Put the table between the marks; all else stays as it is.

    Raises:
        ValueError: the file does not have each mark once, in order.
    """
    text = readme.read_text(encoding="utf-8")
    begin, end = text.find(BEGIN), text.find(END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or begin > end:
        raise ValueError(f"{readme.name} must hold {BEGIN} and then {END}, once each.")
    before = text[: begin + len(BEGIN)]
    readme.write_text(f"{before}\n{table}{text[end:]}", encoding="utf-8")


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _ratio(value: float, bar: float) -> str:
    """With digits enough to tell it from its bar."""
    return f"{value:.4f}" if abs(bar - 1) < 0.01 and bar != 1 else f"{value:.2f}"


def _machine(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cpu_count']} cores ({machine['cpu_model']}), no accelerator, "
        f"Python {machine['python']}, jax {machine['jax']}, dopamine-rl "
        f"{machine['dopamine']}, {machine['date']}. Medians of alternating rounds; "
        "all rounds are in `benchmarks/results.json`."
    )


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
