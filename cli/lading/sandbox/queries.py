"""Query strings of the Anthropic reports, read as strictly as the API reads them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

MAX_GROUPS = 5
SPEED_BETA = "fast-mode-2026-02-01"
BAD_RANGE = "Invalid date range: ending date must be after starting date"
TOO_MANY_GROUPS = f"Cannot specify more than {MAX_GROUPS} group_by[] dimensions."


class BadQuery(Exception):
    """The request is at fault; the text says how (HTTP 400)."""


@dataclass(frozen=True, slots=True)
class Width:
    """A bucket's width, and how many buckets a page holds by default and at most."""

    span: timedelta
    default_limit: int
    max_limit: int

    def floor(self, moment: datetime) -> datetime:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + (moment - midnight) // self.span * self.span


WIDTHS = {
    "1d": Width(timedelta(days=1), 7, 31),
    "1h": Width(timedelta(hours=1), 24, 168),
    "1m": Width(timedelta(minutes=1), 60, 1440),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """`read` makes a value of the text, or raises ValueError with what is wrong with it."""

    read: Callable[[str], Any]
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class BucketQuery:
    """One page of the usage or the cost report.

    starts, end  the first bucket of this page, and the time by which the last one has to end
    filters      (field of the data, admitted values)
    """

    width: Width
    starts: datetime
    end: datetime
    limit: int
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CodeQuery:
    """One page of a Claude Code day; `until` is the boundary that all of its pages share."""

    day: date
    limit: int
    offset: int
    until: datetime
    fingerprint: str


def _timestamp(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text):
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp such as 2026-11-18T00:00:00Z")
    return datetime.fromisoformat(text)


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError(f"{text!r} is not a date in the form YYYY-MM-DD")
    return date.fromisoformat(text)


def whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def text_of(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is none of {', '.join(values)}")
        return text

    return read


_PAGED = {"limit": Parameter(whole_number), "page": Parameter(text_of)}
_RANGE = {
    "starting_at": Parameter(_timestamp, required=True),
    "ending_at": Parameter(_timestamp),
    **_PAGED,
}
USAGE_GROUPS = (
    *("account_id", "api_key_id", "context_window", "inference_geo", "model"),
    *("service_account_id", "service_tier", "speed", "workspace_id"),
)
_USAGE_FILTERS = {
    "account_ids[]": ("account_id", text_of),
    "api_key_ids[]": ("api_key_id", text_of),
    "service_account_ids[]": ("service_account_id", text_of),
    "workspace_ids[]": ("workspace_id", text_of),
    "models[]": ("model", text_of),
    "context_window[]": ("context_window", one_of("0-200k", "200k-1M")),
    "service_tiers[]": (
        "service_tier",
        one_of("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount"),
    ),
    "inference_geos[]": ("inference_geo", one_of("global", "us", "not_available")),
    "speeds[]": ("speed", one_of("standard", "fast")),
}
_USAGE = {
    **_RANGE,
    "bucket_width": Parameter(one_of(*WIDTHS)),
    "group_by[]": Parameter(one_of(*USAGE_GROUPS), many=True),
    **{name: Parameter(read, many=True) for name, (_, read) in _USAGE_FILTERS.items()},
}
_COST = {
    **_RANGE,
    "bucket_width": Parameter(one_of("1d")),
    "group_by[]": Parameter(one_of("workspace_id", "description"), many=True),
}
_CODE = {"starting_at": Parameter(_day, required=True), **_PAGED}
CODE_DEFAULT_LIMIT, CODE_MAX_LIMIT = 20, 1000

Pairs = tuple[tuple[str, str], ...]


def read_usage_query(pairs: Pairs, now: datetime, has_speed_beta: bool) -> BucketQuery:
    """`ending_at` is now unless given. BadQuery: what the API would refuse."""
    values = read_values(_USAGE, pairs)
    if not has_speed_beta and ("speed" in values.get("group_by[]", ()) or "speeds[]" in values):
        raise BadQuery(f"speed requires the anthropic-beta header {SPEED_BETA}")
    return _bucket_query(values, pairs, values.get("ending_at", now))


def read_cost_query(pairs: Pairs, now: datetime) -> BucketQuery:
    """`ending_at` is today 00:00Z unless it is earlier: there are no costs of today."""
    values = read_values(_COST, pairs)
    today = WIDTHS["1d"].floor(now)
    return _bucket_query(values, pairs, min(values.get("ending_at", today), today))


def read_code_query(pairs: Pairs, until: datetime) -> CodeQuery:
    """`until`: what is younger is not reported, and a later page keeps to the first one's."""
    values = read_values(_CODE, pairs)
    fingerprint = _fingerprint(pairs)
    limit = _limit(values, CODE_DEFAULT_LIMIT, CODE_MAX_LIMIT)
    if "page" not in values:
        return CodeQuery(values["starting_at"], limit, 0, until, fingerprint)
    offset, boundary = read_cursor(values["page"], fingerprint)
    until = datetime.fromisoformat(boundary)
    return CodeQuery(values["starting_at"], limit, int(offset), until, fingerprint)


def read_values(parameters: Mapping[str, Parameter], pairs: Pairs) -> dict[str, Any]:
    """Values by name as on the wire, tuples for those that may be repeated. BadQuery."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        parameter = parameters.get(name)
        if parameter is None:
            raise BadQuery(f"{name}: Extra inputs are not permitted")
        if name in values and not parameter.many:
            raise BadQuery(f"{name}: given more than once")
        value = _read(parameter, name, text)
        values[name] = (*values.get(name, ()), value) if parameter.many else value
    for name, parameter in parameters.items():
        if parameter.required and name not in values:
            raise BadQuery(f"{name}: Field required")
    return values


def _read(parameter: Parameter, name: str, text: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as problem:
        raise BadQuery(f"{name}: {problem}") from None


def _bucket_query(values: dict[str, Any], pairs: Pairs, end: datetime) -> BucketQuery:
    width = WIDTHS[values.get("bucket_width", "1d")]
    groups = values.get("group_by[]", ())
    if len(set(groups)) > MAX_GROUPS:
        raise BadQuery(TOO_MANY_GROUPS)
    if len(set(groups)) < len(groups):
        raise BadQuery("group_by[]: a dimension is given more than once")
    limit = _limit(values, width.default_limit, width.max_limit)
    fingerprint = _fingerprint(pairs)
    starts = width.floor(values["starting_at"])
    if "page" in values:
        position, boundary = read_cursor(values["page"], fingerprint)
        starts, end = datetime.fromisoformat(position), datetime.fromisoformat(boundary)
    elif values["starting_at"] >= end:
        raise BadQuery(BAD_RANGE)
    filters = ((_USAGE_FILTERS[n][0], values[n]) for n in values if n in _USAGE_FILTERS)
    return BucketQuery(width, starts, end, limit, groups, tuple(filters), fingerprint)


def _limit(values: dict[str, Any], default: int, most: int) -> int:
    limit: int = values.get("limit", default)
    if not 1 <= limit <= most:
        raise BadQuery(f"limit: {limit} is not between 1 and {most}")
    return limit


def _fingerprint(pairs: Pairs) -> str:
    """What a cursor is bound to: everything that was asked except the page."""
    return json.dumps(sorted(pair for pair in pairs if pair[0] != "page"))


def write_cursor(position: str, boundary: str, fingerprint: str) -> str:
    """An opaque text that only the same query can follow."""
    seal = _seal(position, boundary, fingerprint)
    packed = json.dumps([position, boundary, seal]).encode()
    return "page_" + base64.urlsafe_b64encode(packed).decode()


def read_cursor(cursor: str, fingerprint: str) -> tuple[str, str]:
    """(position, boundary). BadQuery: not a cursor of ours, or one of another query."""
    try:
        packed = base64.b64decode(cursor.removeprefix("page_"), altchars=b"-_", validate=True)
        position, boundary, seal = json.loads(packed)
        if seal == _seal(position, boundary, fingerprint):
            return position, boundary
    except (binascii.Error, ValueError, TypeError):
        pass
    raise BadQuery("page: not a cursor of this query")


def _seal(position: str, boundary: str, fingerprint: str) -> str:
    return hashlib.sha256(f"{position} {boundary} {fingerprint}".encode()).hexdigest()[:16]


def as_rfc3339(moment: datetime) -> str:
    """Whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
