"""The machine and the versions that a report was made with, in one line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """Processors, memory, system, versions, and how busy the machine is before anything runs."""
    busy = os.getloadavg()[0]
    return ", ".join(
        (
            f"{os.cpu_count()} × {_processor()}",
            f"{_memory() / 1e9:.0f} GB",
            f"{platform.system()} {platform.release()}",
            f"Python {platform.python_version()}",
            f"DuckDB {version('duckdb')}",
            f"lading {version('lading')}",
            f"load {busy:.1f} before the first measurement",
        )
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
