"""A model's SQL, read: that it is one query, and which tables it names.

DuckDB's own parser says whether it is SQL; sqlglot, which keeps the positions, says what it names.
Neither needs the project's database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from lading.transform.digests import digest, query_digest, volatility

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlglot import Token, exp

DIALECT = "duckdb"
# What a model's SQL stands behind when it is made.
OPENING = "CREATE TABLE model AS\n"
HINT = "a model is one SELECT"
# What DuckDB says of `sum(tokns) as tokns` when there is no column `tokns`.
BEFORE_DEFINED = re.compile(r'Column "(.+)" referenced that exists in the SELECT clause - but this')


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a statement, and at which of its characters."""

    message: str
    offset: int = 0
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a statement names it; what is not named of catalog and schema is ''."""

    catalog: str
    schema: str
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One query without its semicolon, and the tables that it names, in their order.

    `digest` stands for the query but for comments and white space; `volatile` says why its rows
    may change though no table does, or is ''.
    """

    sql: str
    tables: tuple[TableName, ...] = ()
    faults: tuple[Fault, ...] = ()
    digest: str = ""
    volatile: str = ""


@cache
def _parser() -> DuckDBPyConnection:
    """DuckDB's parser, on an empty database in memory."""
    import duckdb

    config = {"errors_as_json": "true", "threads": "1"}
    return duckdb.connect(":memory:", config=config)  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def read_statement(text: str) -> Statement:
    """Read rendered SQL. What is wrong with it is in `faults`, by offsets in `text`."""
    from sqlglot import Dialect
    from sqlglot.errors import SqlglotError

    count = _number_of_statements(text)
    if isinstance(count, Fault):
        return Statement(text, faults=(count,))
    dialect = Dialect.get_or_raise(DIALECT)
    try:
        with silent():
            tokens = dialect.tokenize(text)
            end = _end(tokens)
            if count > 1:
                return Statement(text, faults=(_second(tokens[end:]),))
            (query,) = dialect.parser().parse(tokens[:end], text)
    except (SqlglotError, ValueError):
        return _unread(text)
    if query is None:
        return _unread(text)
    stop = tokens[end].start if len(tokens) > end else len(text)
    return Statement(
        text[:stop].rstrip(),
        *_looked_through(query),
        query_digest(tokens[:end]),
        volatility(tokens[:end]),
    )


def _number_of_statements(text: str) -> int | Fault:
    import duckdb

    try:
        return len(_parser().extract_statements(OPENING + text))
    except duckdb.Error as error:
        message, offset = explained(error, OPENING + text)
    if "requires a SELECT clause" in message:
        return Fault("this is no query", 0, HINT)
    if offset is None:
        return Fault(message)
    if offset < len(OPENING):
        return Fault("the model is empty", 0, HINT)
    return Fault(message, offset - len(OPENING))


@contextmanager
def silent() -> Iterator[None]:
    """Keep sqlglot from writing to stderr about SQL that it does not know."""
    import logging

    logger = logging.getLogger("sqlglot")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _end(tokens: list[Token]) -> int:
    """The number of tokens before the first semicolon."""
    return next((at for at, token in enumerate(tokens) if _is_semicolon(token)), len(tokens))


def _second(tokens: list[Token]) -> Fault:
    start = next((token.start for token in tokens if not _is_semicolon(token)), 0)
    return Fault("there is a second statement", start, HINT)


def _is_semicolon(token: Token) -> bool:
    from sqlglot import TokenType

    return token.token_type is TokenType.SEMICOLON


def _unread(text: str) -> Statement:
    """A query of DuckDB's that sqlglot can't read is no error: it names nothing that we know."""
    warning = Fault(
        "can't see which tables this SQL names: sqlglot does not know its syntax",
        hint="name models and sources with ref() and source() alone",
        severity="warning",
    )
    return Statement(text.rstrip().rstrip(";"), faults=(warning,), digest=digest(text))


def _looked_through(query: exp.Expr) -> tuple[tuple[TableName, ...], tuple[Fault, ...]]:
    from sqlglot import exp

    tables: list[TableName] = []
    named_within: set[str] = set()
    faults: list[Fault] = []
    for node in query.walk():
        if isinstance(node, exp.Table) and node.name:
            tables.append(TableName(node.catalog, node.db, node.name, _start(node)))
        elif isinstance(node, exp.CTE):
            named_within.add(node.alias.casefold())
        elif isinstance(node, exp.DML):
            start = _start(node.find(exp.Table))
            faults.append(Fault(f"a model can't {node.key.upper()} anything", start, HINT))
    tables = [each for each in tables if each.schema or each.name.casefold() not in named_within]
    return tuple(sorted(tables, key=lambda table: table.offset)), tuple(faults)


def _start(table: exp.Table | None) -> int:
    return int(table.this.meta.get("start", 0)) if table is not None else 0


@contextmanager
def positions_in_errors(connection: DuckDBPyConnection) -> Iterator[None]:
    """Have DuckDB say at which byte of a statement an error is, for `explained`."""
    setting = "errors_as_json"
    before = connection.execute("SELECT current_setting(?)", [setting]).fetchall()[0][0]
    connection.execute(f"SET {setting} = true")
    try:
        yield
    finally:
        connection.execute(f"SET {setting} = {before}")


def explained(error: Exception, sql: str) -> tuple[str, int | None]:
    """DuckDB's message and the character of `sql` that it is about, if it says so.

    Without `positions_in_errors` it does not say so, and the message is as people know it.
    """
    text = str(error)
    try:
        told: dict[str, Any] = json.loads(text[text.index("{") :])
        message = str(told["exception_message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text.split("\n\nLINE ")[0].strip(), None
    if "position" not in told:
        return _before_defined(message, sql)
    # DuckDB counts bytes.
    before = sql.encode()[: int(told["position"])]
    return message, len(before.decode(errors="ignore"))


def _before_defined(message: str, sql: str) -> tuple[str, int | None]:
    """The message that says which column is missing, where DuckDB talks of its alias instead and
    gives no position. It stands before its alias."""
    found = BEFORE_DEFINED.match(message)
    if found is None:
        return message, None
    use = re.search(rf"(?<!\w){re.escape(found[1])}(?!\w)", sql, re.IGNORECASE)
    return f'Referenced column "{found[1]}" not found in FROM clause!', use.start() if use else None
