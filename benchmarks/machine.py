"""What the machine did to a measurement: time stolen by the hypervisor, and percentiles told with it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from pathlib import Path


class Steal:
    """Share of the processors' demanded time that others took, from the moment it is made; None where it is not told."""

    def __init__(self) -> None:
        self._before = _jiffies()

    def share(self) -> float | None:
        now = _jiffies()
        if self._before is None or now is None:
            return None
        busy = now[0] - self._before[0]
        stolen = now[1] - self._before[1]
        return stolen / (busy + stolen) if busy + stolen else 0.0


def _jiffies() -> tuple[int, int] | None:
    """(busy, stolen) since boot, all processors together."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _, _, irq, softirq, steal = fields
    return user + nice + system + irq + softirq, steal


def percentile(numbers: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    ranked = sorted(numbers)
    return ranked[max(0, ceil(percent / 100 * len(ranked)) - 1)]


def describe() -> dict[str, str]:
    """The machine and the Python that measured."""
    model = "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        count = sum(line.startswith("processor") for line in lines)
        model = f"{count} x {model}"
    except (OSError, StopIteration):
        model = platform.processor() or model
    return {"processor": model, "system": f"{platform.system()} {platform.release()}", "python": platform.python_version()}


def versions(*packages: str) -> dict[str, str]:
    """Installed versions; packages that are not there are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
