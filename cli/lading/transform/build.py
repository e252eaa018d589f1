"""Carrying out a plan: each node in a transaction of its own, side by side where the graph allows.

A model is made under its own name and tested before the transaction ends: whatever goes wrong,
the last good one is what others see, and what is on record of it stays true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from lading.errors import Place, UserError
from lading.transform.bind_messages import taken_apart
from lading.transform.contracts import check_contract
from lading.transform.kept_failures import SCHEMA as FAILURES
from lading.transform.kept_failures import forget_failures, save_failures, store_failures
from lading.transform.making import Changed, DueTest, Step
from lading.transform.materialise import SqlError, Written, materialise
from lading.transform.names import quoted
from lading.transform.standing import RELATIONS, landed_before, put_on_record, slices_since
from lading.transform.statements import explained
from lading.transform.test_runs import Locate, TestResult, run_test
from lading.transform.words import FILES
from lading.waiting import Interruptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.transform.graph import Graph
    from lading.transform.local_files import LocalFile
    from lading.transform.standing import Made

Status = Literal["ok", "error", "fail", "skipped", "up to date"]


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How one node went: `rows` of what was written, the reason of an error or a skip in
    `message`, why it was due in `because`. One whose test failed has the status `fail`.
    `started_at` (UTC) is None of what was not begun."""

    step: Step
    status: Status
    seconds: float = 0.0
    rows: int | None = None
    message: str = ""
    place: Place | None = None
    hint: str | None = None
    because: tuple[str, ...] = ()
    tests: tuple[TestResult, ...] = ()
    started_at: datetime | None = None

    @property
    def node(self) -> str:
        """The id of its node."""
        return self.step.node

    @property
    def is_good(self) -> bool:
        """Whether what reads it can be made."""
        return self.status in {"ok", "up to date"}


@dataclass(frozen=True, slots=True)
class Way:
    """How a plan is carried out: how many nodes at once, and whether a failure ends it."""

    run_id: str
    jobs: int = 1
    keep_going: bool = True


def build(
    graph: Graph,
    connection: DuckDBPyConnection,
    steps: Sequence[Step],
    way: Way,
    *,
    locate: Locate,
    files: Mapping[str, LocalFile] | None = None,
    on_node: Callable[[NodeResult], None] | None = None,
) -> tuple[NodeResult, ...]:
    """Carry out the steps; gives a result for each, in their order.

    A node that fails leaves what was there, and what waits for it is skipped (unless `way` keeps
    going, all that is left). `on_node` gets each result as it comes. `connection` is open for
    writing, with this package's tables in it and no transaction under way.
    """
    building = _Building(graph, connection, way, locate, files or {})
    for result in building.run(steps):
        if on_node is not None:
            on_node(result)
    return tuple(building.results[step.node] for step in steps)


class _Building:
    """A plan under way."""

    def __init__(
        self,
        graph: Graph,
        connection: DuckDBPyConnection,
        way: Way,
        locate: Locate,
        files: Mapping[str, LocalFile],
    ) -> None:
        self.results: dict[str, NodeResult] = {}
        self._graph = graph
        self._connection = connection
        self._way = way
        self._locate = locate
        self._files = files
        self._there: dict[tuple[str, str], str] = {}
        self._cursors: list[DuckDBPyConnection] = []

    def run(self, steps: Sequence[Step]) -> Iterator[NodeResult]:
        """Each result as it comes."""
        rows = self._connection.execute(RELATIONS).fetchall()
        self._there = {(schema.lower(), name.lower()): kind for schema, name, kind in rows}
        self._make_schemas(steps)
        yield from self._side_by_side(steps)

    def _make_schemas(self, steps: Sequence[Step]) -> None:
        """Two transactions that make the same schema at once would be in each other's way."""
        due = [step for step in steps if step.action == "make"]
        schemas = {step.model.schema if step.model is not None else FILES for step in due}
        schemas |= {FAILURES for step in steps if _stores(step)}
        for schema in sorted(schemas):
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")

    def _without_work(self, step: Step) -> NodeResult | None:
        """The result of a step that has nothing to do, or that must not be done."""
        reason = self._reason_to_skip(step)
        if reason is not None:
            return NodeResult(step, "skipped", message=reason)
        return NodeResult(step, "up to date") if step.action == "nothing" else None

    def _side_by_side(self, steps: Sequence[Step]) -> Iterator[NodeResult]:
        """Also where there is one at a time: DuckDB, with several threads of its own, does not
        hear a Ctrl-C in the thread that waits for a query."""
        left = {step.node: step for step in steps}
        running: dict[Future[NodeResult], Step] = {}
        due = sum(step.action != "nothing" for step in steps)
        jobs = max(1, min(self._way.jobs, due))
        idle = [self._cursor() for _ in range(jobs)]
        busy: dict[str, DuckDBPyConnection] = {}
        with ThreadPoolExecutor(jobs) as pool, Interruptions() as interruptions:
            try:
                while left or running:
                    for step in self._ready(left.values(), running.values()):
                        if (result := self._without_work(step)) is not None:
                            del left[step.node]
                            self.results[step.node] = result
                            yield result
                        elif idle:
                            del left[step.node]
                            busy[step.node] = idle.pop()
                            future = pool.submit(self._carry_out, step, busy[step.node])
                            running[future] = step
                    for future in interruptions.first_of(running) if running else ():
                        step = running.pop(future)
                        idle.append(busy.pop(step.node))
                        self.results[step.node] = future.result()
                        yield self.results[step.node]
            finally:
                self._stop(running)

    def _stop(self, running: Iterable[Future[NodeResult]]) -> None:
        """End what is still running, if anything is, and let go of the database."""
        left = set(running)
        while left:
            # One that is between two statements does not feel it.
            for cursor in self._cursors:
                cursor.interrupt()
            left = wait(left, timeout=0.1).not_done
        for cursor in self._cursors:
            cursor.close()

    def _cursor(self) -> DuckDBPyConnection:
        cursor = self._connection.cursor()
        cursor.execute("SET errors_as_json = true")
        self._cursors.append(cursor)
        return cursor

    def _ready(self, left: Collection[Step], running: Collection[Step]) -> list[Step]:
        """Those that nothing keeps waiting which is still to come; one at a time, the next."""
        if self._way.jobs == 1:
            return [] if running else list(islice(left, 1))
        to_come = {step.node for step in (*left, *running)}
        return [step for step in left if not to_come.intersection(step.after)]

    def _reason_to_skip(self, step: Step) -> str | None:
        failed = [each for each in self.results.values() if each.status in {"error", "fail"}]
        if failed and not self._way.keep_going:
            return f"stopped after '{_name(failed[0].node)}' failed"
        bad = [
            each
            for node in step.needs
            if (each := self.results.get(node)) is not None and not each.is_good
        ]
        # What failed tells more than what was left out because of it.
        bad.sort(key=lambda each: each.status == "skipped")
        if not bad:
            return None
        happened = "was skipped" if bad[0].status == "skipped" else "failed"
        return f"'{_name(bad[0].node)}' {happened}"

    def _carry_out(self, step: Step, cursor: DuckDBPyConnection) -> NodeResult:
        import duckdb

        started, started_at = perf_counter(), datetime.now(UTC)
        because = in_words(step, cursor)
        with TemporaryDirectory() if _stores(step) else _nowhere() as folder:
            kept: list[tuple[DueTest, Path]] = []
            try:
                # Within, since a Ctrl-C is raised as soon as it has begun.
                cursor.execute("BEGIN TRANSACTION")
                written = self._write(step, cursor)
                tests = self._test(step, cursor, Path(folder), kept)
                good = not any(each.outcome in {"fail", "error"} for each in tests)
                if good:
                    seconds = perf_counter() - started
                    rows = _entries(step, written, tests)
                    put_on_record(cursor, rows, seconds, self._way.run_id)
                cursor.execute("COMMIT" if good else "ROLLBACK")
            except SqlError as refused:
                _roll_back(cursor)
                result = self._refused(step, refused)
            except UserError as error:
                _roll_back(cursor)
                result = _wrong(step, error)
            except duckdb.Error as error:
                _roll_back(cursor)
                place = Place(step.model.file) if step.model is not None else None
                result = NodeResult(step, "error", message=explained(error, "")[0], place=place)
            except BaseException:
                _roll_back(cursor)
                raise
            else:
                _keep_failures(step, cursor, kept)
                result = NodeResult(step, "ok" if good else "fail", rows=written.rows, tests=tests)
        if result.status == "fail":
            failed = [each for each in result.tests if each.outcome in {"fail", "error"}]
            result = replace(result, message=f"{failed[0].test.name} failed", rows=None)
        seconds = perf_counter() - started
        return replace(result, seconds=seconds, because=because, started_at=started_at)

    def _write(self, step: Step, cursor: DuckDBPyConnection) -> Written:
        if step.action != "make":
            return Written(None)
        if step.model is None:
            from lading.transform.local_tables import load

            return Written(load(cursor, self._files[step.node]))
        key = step.model.schema.lower(), step.model.name.lower()
        landed = landed_before(cursor, step.node) if step.model.config.is_incremental else {}
        written = materialise(
            cursor,
            step.model,
            self._there.get(key),
            in_full=step.in_full,
            is_undated=step.is_undated,
            landed=landed,
        )
        if step.model.config.contract:
            check_contract(cursor, step.model, self._graph)
        return written

    def _test(
        self,
        step: Step,
        cursor: DuckDBPyConnection,
        folder: Path,
        kept: list[tuple[DueTest, Path]],
    ) -> tuple[TestResult, ...]:
        results = []
        for number, due in enumerate(step.tests):
            if any(not self._is_good(read) for read in due.test.depends_on):
                continue  # one that only warns; what else would keep the step from being done
            result = run_test(cursor, due.test, self._locate)
            results.append(result)
            if result.outcome == "error":
                break  # and with it the transaction
            if result.stored:
                kept.append((due, folder / f"{number}.parquet"))
                save_failures(cursor, due.test, kept[-1][1])
        return tuple(results)

    def _is_good(self, node: str) -> bool:
        return (result := self.results.get(node)) is None or result.is_good

    def _refused(self, step: Step, refused: SqlError) -> NodeResult:
        error = refused.__cause__
        model = step.model
        if model is None or not isinstance(error, Exception):
            raise refused
        message, offset = explained(error, refused.sql)
        place, hint = Place(model.file), None
        if offset is not None and offset >= refused.offset:
            place, hint = self._graph.locate(model.name, offset - refused.offset)
        elif not model.file.endswith(".sql"):
            place, _ = self._graph.locate(model.name, 0)
        said, more, _ = taken_apart(message)
        hint = "; ".join(filter(None, [more, hint])) or None
        return NodeResult(step, "error", message=said, place=place, hint=hint)


def _entries(
    step: Step, written: Written, tests: Sequence[TestResult]
) -> Iterator[tuple[str, Made, int | None]]:
    """What goes on record of a step that went well: the node, and the tests that were run."""
    if step.action == "make" and step.made is not None:
        yield step.node, step.made, written.rows
    run = {each.test.name for each in tests}
    for due in step.tests:
        if due.test.name in run:
            yield f"test.{due.test.name}", due.made, None


def _wrong(step: Step, error: UserError) -> NodeResult:
    """The result of a file that can't be read, or of a model that is not what it is said to be."""
    first = error.problems[0]
    message = "; ".join(each.message for each in error.problems)
    hints = "; ".join(dict.fromkeys(each.hint for each in error.problems if each.hint))
    return NodeResult(step, "error", message=message, place=first.place, hint=hints or None)


def _keep_failures(
    step: Step, cursor: DuckDBPyConnection, kept: Sequence[tuple[DueTest, Path]]
) -> None:
    for due, path in kept:
        store_failures(cursor, due.test, path)
    stored = {due.test.name for due, _ in kept}
    for due in step.tests:
        if due.test.store_failures and due.test.name not in stored:
            forget_failures(cursor, due.test)


def in_words(step: Step, cursor: DuckDBPyConnection | None = None) -> tuple[str, ...]:
    """Why a step is due; new slices are counted in the database, if there is one."""
    return tuple(_said(each, cursor) for each in step.because)


def _said(reason: str | Changed, cursor: DuckDBPyConnection | None) -> str:
    if isinstance(reason, str):
        return reason
    if not reason.stream or cursor is None:
        return f"{reason.name} changed"
    number = slices_since(cursor, reason.stream, reason.since or "0001-01-01")
    if not number:
        return f"{reason.name} changed"
    return f"{reason.name} has {number:,} new {'slice' if number == 1 else 'slices'}"


def _stores(step: Step) -> bool:
    return any(due.test.store_failures for due in step.tests)


@contextmanager
def _nowhere() -> Iterator[str]:
    yield ""


def _roll_back(cursor: DuckDBPyConnection) -> None:
    import duckdb

    # Nothing is left to roll back when the commit itself failed.
    with suppress(duckdb.Error):
        cursor.execute("ROLLBACK")


def _name(node: str) -> str:
    return node.partition(".")[2]
