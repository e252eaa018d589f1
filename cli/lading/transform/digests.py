"""What a query comes down to, by its tokens: whether it is still the same, and whether the same
query over the same tables gives the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import Token

CLOCKS = frozenset(
    [
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "current_time",
        "current_timestamp",
        "get_current_time",
        "get_current_timestamp",
        "localtime",
        "localtimestamp",
        "now",
        "today",
        "transaction_timestamp",
    ]
)
WITHOUT_PARENTHESES = frozenset(
    ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"]
)
CHANCE = frozenset(
    """
    gen_random_uuid nextval random setseed uuid uuidv4 uuidv7
    """.split()  # noqa: SIM905 - a list of names is read as words
)
READERS = frozenset(
    [
        "glob",
        "parquet_scan",
        "read_blob",
        "read_csv",
        "read_csv_auto",
        "read_json",
        "read_json_auto",
        "read_json_objects",
        "read_json_objects_auto",
        "read_ndjson",
        "read_ndjson_auto",
        "read_ndjson_objects",
        "read_parquet",
        "read_text",
        "sniff_csv",
    ]
)


def digest(*parts: object) -> str:
    """A short name for what was given, the same for the same in every process."""
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def query_digest(tokens: Iterable[Token]) -> str:
    """What stands for a query but for its comments and white space."""
    return digest([(str(token.token_type), token.text) for token in tokens])


def volatility(tokens: Sequence[Token]) -> str:
    """Why a query may give other rows each time; '' if it does not."""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        name = token.text.lower()
        is_call = following is not None and following.text == "("
        if name in WITHOUT_PARENTHESES or (is_call and name in CLOCKS):
            return "it reads the clock"
        if is_call and name in CHANCE:
            return "it draws by chance"
        if is_call and name in READERS:
            return "it reads files that no source names"
    return ""
