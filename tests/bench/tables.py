"""How a report writes tables and sizes."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def table(head: Row, rows: Sequence[Row]) -> list[str]:
    """Columns side by side: the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "   "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in (head, *rows)
    ]


def megabytes(size: float | None) -> str:
    """Bytes as millions; a dash where there are none."""
    return f"{size / 1e6:.0f}" if size else "-"
