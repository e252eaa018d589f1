"""Claude usage, cost and Claude Code analytics into Port, by way of a DuckDB database."""

from __future__ import annotations

__version__ = "0.1.0"
