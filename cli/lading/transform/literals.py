"""Python values as SQL literals of DuckDB."""

from __future__ import annotations

from datetime import UTC, date, datetime

# The range of HUGEINT and UHUGEINT together: beyond it DuckDB would read another type.
LEAST_INTEGER = -(2**127)
GREATEST_INTEGER = 2**128 - 1


def literal(value: object) -> str:
    """A SQL literal that DuckDB reads back as the same value.

    Text, whole and binary numbers (DOUBLE), true and false, None (NULL), lists and tuples of
    these, dates, and moments (TIMESTAMP; one with a zone is turned into UTC, one without is
    taken as UTC).

    Raises:
        ValueError: a value that no literal stands for.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        # Written as a bare number it would be DECIMAL, and rounded twice on the way to DOUBLE.
        return f"CAST('{value!r}' AS DOUBLE)"
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(each) for each in value)}]"
    if isinstance(value, date):
        return _moment(value)
    raise ValueError(f"no SQL literal stands for a value of type {type(value).__name__}")


def _text(value: str) -> str:
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("text with half a surrogate pair is no text to DuckDB")
    return "'" + value.replace("'", "''") + "'"


def _integer(value: int) -> str:
    if not LEAST_INTEGER <= value <= GREATEST_INTEGER:
        raise ValueError(f"{value} is beyond DuckDB's whole numbers")
    # After a minus sign a bare negative number would begin a comment.
    return str(value) if value >= 0 else f"({value})"


def _moment(value: date) -> str:
    if not isinstance(value, datetime):
        return f"DATE '{value.isoformat()}'"
    utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return f"TIMESTAMP '{utc.isoformat(sep=' ')}'"
