"""YAML roll-ups: `rollup:` in a properties file, as the SQL that a person would write.

Of `{from: usage, every: month, by: workspace_id, sum: output_tokens, count_distinct: model}` comes

    select
        date_trunc('month', starting_at)::DATE as month,
        workspace_id,
        sum(output_tokens) as output_tokens,
        count(distinct model) as distinct_model
    from {{ ref('usage') }}
    group by all
    order by all

| key | column of the result |
| --- | --- |
| `every` | `minute`, `hour` (TIMESTAMP, UTC), `day`, `week` (its Monday), `month` (DATE) |
| `by` | the same name; rows with NULL are a group of their own |
| `sum` | the same name; a sum of whole numbers is HUGEINT, of DECIMAL stays DECIMAL |
| `count_distinct` | `distinct_<name>`; NULL does not count |
| `min`, `max` | `min_<name>`, `max_<name>` |

Names are columns, not SQL; `where` alone is SQL, with the words and macros that a model has. The
column that `every` cuts is `time`; if left out, the `starting_at` or else the `day` among the
columns that the model's properties list, or else the period of a roll-up that is rolled up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem
from lading.transform.names import quoted

if TYPE_CHECKING:
    from lading.project.documents import Document
    from lading.project.model import Project

DATE, TIMESTAMP = "DATE", "TIMESTAMP"
TYPES = {"minute": TIMESTAMP, "hour": TIMESTAMP, "day": DATE, "week": DATE, "month": DATE}
# The periods that can be put together from shorter ones, by the shorter ones.
MADE_OF = {
    "minute": frozenset({"minute", "hour", "day", "week", "month"}),
    "hour": frozenset({"hour", "day", "week", "month"}),
    "day": frozenset({"day", "week", "month"}),
    "week": frozenset({"week"}),
    "month": frozenset({"month"}),
}
TIMES = ("starting_at", "day")
WITH_ZONE = frozenset({"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"})
# Each kind of column: its SQL, and its name, for the name of the column that it is made from.
COLUMNS = {
    "by": ("{}", "{}"),
    "sum": ("sum({})", "{}"),
    "count_distinct": ("count(distinct {})", "distinct_{}"),
    "min": ("min({})", "min_{}"),
    "max": ("max({})", "max_{}"),
}
# Quoted text, quoted names and comments: a semicolon in them is none.
NOT_SQL = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/|\{\{.*?\}\}""", re.DOTALL
)
JINJA = re.compile(r"\{(?=[{%#])")


@dataclass(frozen=True, slots=True)
class Rollup:
    """One roll-up: a template, for each of its lines the place in the properties file that it
    comes from, and what is wrong with the declaration."""

    name: str
    file: str
    text: str
    lines: tuple[Place, ...]
    faults: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a roll-up, and where it is asked for."""

    sql: str
    name: str
    place: Place

    @property
    def text(self) -> str:
        """As it stands in the list of a SELECT."""
        return self.sql if self.sql == quoted(self.name) else f"{self.sql} as {quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Declared:
    """What properties say of a model that may be rolled up: its columns with their types (''
    if none is given), and its period if it is a roll-up itself."""

    columns: Mapping[str, str]
    every: str | None = None


def read_rollups(project: Project, models: Collection[str]) -> Iterator[Rollup]:
    """The project's roll-ups in the order of their files; `models` are the names of the others."""
    entries = [
        (document, index, entry)
        for document in sorted(project.properties, key=lambda each: each.file)
        for index, entry in enumerate(document.data.get("models") or ())
    ]
    described: dict[str, Declared] = {}
    for _, _, entry in entries:
        if ("rollup" in entry) != (entry["name"] in models):
            described.setdefault(entry["name"], _declared(entry))
    declared = {**dict.fromkeys(models, Declared({})), **described}
    for document, index, entry in entries:
        if "rollup" in entry:
            yield _Reader(document, index, entry, declared).read()


def _declared(entry: Mapping[str, Any]) -> Declared:
    columns = {each["name"]: each.get("data_type") or "" for each in entry.get("columns") or ()}
    rollup = entry.get("rollup")
    if rollup is None:
        return Declared(columns)
    every = rollup.get("every")
    made = {each: "" for key in COLUMNS for each in _made(rollup, key)}
    period = {every: TYPES[every]} if every else {}
    return Declared({**made, **columns, **period}, every)


def _made(rollup: Mapping[str, Any], key: str) -> list[str]:
    return [COLUMNS[key][1].format(name) for name in _names(rollup, key)]


def _names(rollup: Mapping[str, Any], key: str) -> list[str]:
    """One name or a list of them, as a list."""
    written = rollup.get(key) or []
    return [written] if isinstance(written, str) else written


class _Reader:
    """Reads one entry of a properties file."""

    def __init__(
        self,
        document: Document,
        index: int,
        entry: Mapping[str, Any],
        declared: Mapping[str, Declared],
    ) -> None:
        self._document = document
        self._at = ("models", index, "rollup")
        self._name = entry["name"]
        self._rollup: Mapping[str, Any] = entry["rollup"]
        self._from: str = self._rollup["from"]
        self._declared = declared.get(self._from)
        self._faults: list[Problem] = []

    def read(self) -> Rollup:
        outputs = self._distinct([*self._period(), *self._columns()])
        self._check()
        if not outputs and not self._faults:
            message = "the roll-up has no columns"
            self._fault(message, self._key(), "give it every, by, sum, count_distinct, min or max")
        lines = [(part, place) for text, place in self._lines(outputs) for part in text.split("\n")]
        return Rollup(
            name=self._name,
            file=self._document.file,
            text="".join(f"{text}\n" for text, _ in lines),
            lines=tuple(place for _, place in lines),
            faults=tuple(self._faults),
        )

    def _lines(self, outputs: list[Output]) -> Iterator[tuple[str, Place]]:
        yield "select", self._key()
        for output in outputs:
            comma = "," if output is not outputs[-1] else ""
            yield f"    {_literally(output.text)}{comma}", output.place
        yield f"from {{{{ ref({self._from!r}) }}}}", self._place("from")
        where = self._rollup.get("where", "").strip()
        # DuckDB notices only here what a condition lacks, or has too much of.
        end = self._place("where") if where else self._key()
        if where:
            yield "where" + _indented(where), self._place("where")
        if any(self._rollup.get(key) for key in ("every", "by")):
            yield "group by all", end
            yield "order by all", end

    def _period(self) -> Iterator[Output]:
        every = self._rollup.get("every")
        if every is None:
            return
        time = self._rollup.get("time") or self._likely_time()
        type_ = self._type(time)
        self._check_period(every, time, type_)
        column = quoted(time)
        if type_ in WITH_ZONE:
            column += " at time zone 'UTC'"
        cast = f"::{DATE}" if TYPES[every] == DATE else ""
        place = self._place("time" if "time" in self._rollup else "every")
        yield Output(f"date_trunc('{every}', {column}){cast}", every, place)

    def _likely_time(self) -> str:
        """The column that `every` cuts where the roll-up does not say so."""
        if self._declared is None:  # The place where the model is named tells that it is not there.
            return TIMES[0]
        by_name = {name.casefold(): name for name in self._declared.columns}
        for name in (*TIMES, self._declared.every or ""):
            if name in by_name:
                return by_name[name]
        kinds = {DATE, TIMESTAMP, *WITH_ZONE}
        likely = [name for name, type_ in self._declared.columns.items() if type_.upper() in kinds]
        hint = f"say time: {' or '.join(likely) or '…'}, or describe the model's {TIMES[0]} or day"
        message = f"which column of '{self._from}' is cut? None is described as {TIMES[0]} or day"
        self._fault(message, self._place("every"), hint)
        return TIMES[0]

    def _type(self, column: str) -> str:
        known = self._declared.columns if self._declared else {}
        return next(
            (known[name].upper() for name in known if name.casefold() == column.casefold()), ""
        )

    def _check_period(self, every: str, time: str, type_: str) -> None:
        place = self._place("every")
        shorter = self._declared.every if self._declared else None
        if shorter is not None and time == shorter and every not in MADE_OF[shorter]:
            message = f"'{self._from}' has a row for each {shorter}: these make up no {every}"
            able = [each for each in TYPES if each in MADE_OF[shorter]]
            self._fault(message, place, f"it can be: {', '.join(able)}")
        elif type_ == DATE and TYPES[every] == TIMESTAMP:
            message = f"'{time}' of '{self._from}' is a DATE: it has no {every}s"
            self._fault(message, place, "every: day, week or month, or another column as time")

    def _columns(self) -> Iterator[Output]:
        for key, (sql, alias) in COLUMNS.items():
            is_list = isinstance(self._rollup.get(key), list)
            for number, name in enumerate(_names(self._rollup, key)):
                place = self._place(key, number) if is_list else self._place(key)
                yield Output(sql.format(quoted(name)), alias.format(name), place)

    def _distinct(self, outputs: list[Output]) -> list[Output]:
        """The columns without those of a name that another one has, for which there is a fault."""
        kept: dict[str, Output] = {}
        for output in outputs:
            # DuckDB makes no difference between capital and small letters in a name.
            other = kept.setdefault(output.name.casefold(), output)
            if other is not output:
                message = f"the roll-up has two columns '{output.name}'"
                self._fault(message, output.place, f"the other one is asked for at {other.place}")
        return list(kept.values())

    def _check(self) -> None:
        if "time" in self._rollup and "every" not in self._rollup:
            place = self._document.key_place(*self._at, "time")
            self._fault("time is what every cuts, and there is no every", place, "add every")
        if ";" in NOT_SQL.sub("", self._rollup.get("where", "")):
            message = "where is one condition, without a semicolon"
            self._fault(message, self._place("where"), "leave out the semicolon and what follows")

    def _fault(self, message: str, place: Place, hint: str) -> None:
        self._faults.append(Problem(message, place, hint))

    def _place(self, *path: str | int) -> Place:
        return self._document.place(*self._at, *path)

    def _key(self) -> Place:
        return self._document.key_place(*self._at)


def _literally(text: str) -> str:
    """SQL as a template that gives it as it is."""
    return JINJA.sub("{{ '{' }}", text)


def _indented(condition: str) -> str:
    lines = condition.splitlines()
    return f" {condition}" if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)
