"""Models, as make would make them: what is stale of what is wanted, and its tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lading import log

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context, Work
    from lading.pipeline.watching import Watcher
    from lading.transform.build import NodeResult
    from lading.transform.making import Step
    from lading.transform.standing import Standing
    from lading.transform.test_runs import TestResult

KEPT, NONE_YET = "the last good one stays", "there is no good one yet"
OUTCOMES = {"pass": "PASS", "warn": "WARN", "fail": "FAIL", "error": "ERROR"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to build: `targets` are nodes that bring all that they need, `nodes` and `tests` those
    that a selection names (None: all); in what way; `jobs` at once, or as many as the target has
    threads."""

    targets: frozenset[str] | None = None
    nodes: frozenset[str] | None = None
    tests: frozenset[str] | None = None
    force: bool = False
    full_refresh: bool = False
    keep_going: bool = True
    jobs: int | None = None


ALL = Wish()


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, and why it is due, in words."""

    step: Step
    because: tuple[str, ...]


def plan_build(context: Context, wish: Wish = ALL) -> tuple[Planned, ...]:
    """What a build would do now, and why; looks at the database, which need not be there yet."""
    from lading.transform.build import in_words
    from lading.transform.standing import Standing

    if not context.database.path.exists():
        steps = _plan(context, wish, Standing(files=context.file_versions), "planned")
        return tuple(Planned(step, in_words(step)) for step in steps)
    with context.database.reading() as connection:
        steps = _plan(context, wish, _look(context, connection), "planned")
        return tuple(Planned(step, in_words(step, connection)) for step in steps)


def build(
    work: Work, watcher: Watcher, wish: Wish = ALL, *, name_passed: bool = True
) -> tuple[NodeResult, ...]:
    """Make what is stale of the models that are wanted, each after those that it reads, and run
    their tests before they take the place of older ones.

    What depends on one that failed is left out. Gives a result for every wanted node. Tests that
    passed have a line of their own if `name_passed`; else they are counted with their model.
    """
    from lading.pipeline.artifacts import write_artifacts
    from lading.pipeline.compiled import write_compiled
    from lading.transform.build import Way
    from lading.transform.build import build as carry_out

    context = work.context
    write_compiled(context, [model.id for model in context.graph.models.values()])
    write_artifacts(context)
    with context.database.writing() as connection:
        steps = _plan(context, wish, _look(context, connection), work.run.id)
        total = len(steps) + sum(len(step.tests) for step in steps)
        watcher.start("models", total, "models and tests")
        teller = _Teller(total, watcher.advance, log.info if name_passed else log.debug)
        work.so_far.nodes_left = len(steps)

        def note(result: NodeResult) -> None:
            work.so_far.nodes.append(result)
            work.so_far.nodes_left -= 1
            teller.tell(result)

        results = carry_out(
            context.graph,
            connection,
            steps,
            Way(work.run.id, wish.jobs or context.project.target.threads, wish.keep_going),
            locate=context.locate,
            files=context.files,
            on_node=note,
        )
    work.incomplete |= any(not each.is_good for each in results)
    return results


def is_due(step: Step) -> bool:
    """Whether there is anything to do."""
    return step.action != "nothing"


def up_to_date(steps: Sequence[Step]) -> tuple[NodeResult, ...]:
    """The results of a plan with nothing to do."""
    from lading.transform.build import NodeResult

    teller = _Teller(len(steps), lambda name, number: None)
    results = tuple(NodeResult(step, "up to date") for step in steps)
    for result in results:
        teller.tell(result)
    return results


def summary(results: Sequence[NodeResult]) -> str:
    """The last line, with dbt's counts: of nodes that were due, and of their tests."""
    counts = Counter[str]()
    for node in results:
        if node.step.action != "test" or node.status == "skipped":
            counts[node.status] += 1
        counts.update(each.outcome for each in node.tests)
    errors = counts["error"] + counts["fail"]
    passed = counts["ok"] + counts["pass"]
    return (
        f"Done. PASS={passed} WARN={counts['warn']} ERROR={errors} SKIP={counts['skipped']} "
        f"NO-OP={counts['up to date']} TOTAL={counts.total()}"
    )


def said(step: Step) -> str:
    """What a node is, in words: `table marts.usage_by_day`."""
    if step.model is not None:
        return f"{step.model.materialized} {step.model.relation}"
    if step.node.startswith("test."):
        return "what no model makes"
    name = step.node.removeprefix("source.")
    return f"source {name}" if step.made is None else f"file {name}"


def _plan(context: Context, wish: Wish, there: Standing, run_id: str) -> tuple[Step, ...]:
    from lading.transform.making import Wanted, plan
    from lading.transform.ordering import needed, order

    order_of = order(context.graph, context.tests)
    nodes = frozenset(order_of)
    if wish.targets is not None:
        nodes = needed(order_of, wish.targets)
    if wish.nodes is not None:
        nodes &= wish.nodes
    wanted = Wanted(nodes, wish.tests, wish.force, wish.full_refresh)
    return plan(context.graph, context.tests, there, wanted, run_id)


def _look(context: Context, connection: DuckDBPyConnection) -> Standing:
    from lading.transform.standing import standing

    others = [other for model in context.graph.models.values() for other in model.others]
    return standing(connection, others, context.file_versions)


class _Teller:
    """Tells each node and each test as it ends, with dbt's words."""

    def __init__(
        self,
        total: int,
        advance: Callable[[str, int], None],
        say_passed: Callable[..., None] = log.info,
    ) -> None:
        self._total = total
        self._number = 0
        self._advance = advance
        self._say_passed = say_passed

    def tell(self, result: NodeResult) -> None:
        """A line for each test, and one for the node if it was to be made or is up to date."""
        for test in result.tests:
            self._say_test(test)
        # Tests that were due and did not come to run are part of the total.
        self._number += len(result.step.tests) - len(result.tests)
        self._number += 1
        self._advance("models", 1 + len(result.step.tests))
        if result.step.action != "test" or result.status == "skipped":
            self._say_node(result)

    def _say_node(self, result: NodeResult) -> None:
        about = f"{self._number} of {self._total}"
        took = f"[{result.seconds:.2f}s]"
        name = said(result.step)
        because = f" because {', '.join(result.because)}" if result.because else ""
        fields = {
            "node": result.node,
            "status": result.status,
            "seconds": round(result.seconds, 3),
            **({"because": list(result.because)} if result.because else {}),
        }
        if result.status == "ok":
            found = [_count(result.rows, "row")] if result.rows is not None else []
            found += [_count(len(result.tests), "test")] if result.tests else []
            brackets = f" ({', '.join(found)})" if found else ""
            text = f"{about} OK {name}{brackets}{because} {took}"
            log.info("node", text, rows=result.rows, **fields)
        elif result.status == "up to date":
            log.info("node", f"{about} UP TO DATE {name}", **fields)
        elif result.status == "skipped":
            log.warning("node", f"{about} SKIP {name}: {result.message}", **fields)
        elif result.status == "fail":
            kept = NONE_YET if "it is new" in result.because else KEPT
            log.error("node", f"{about} FAIL {name}: {result.message}; {kept} {took}", **fields)
        else:
            place = f"{result.place}: " if result.place else ""
            hint = f" ({result.hint})" if result.hint else ""
            text = f"{about} ERROR {name}: {place}{result.message}{hint} {took}"
            log.error("node", text, place=str(result.place or ""), **fields)

    def _say_test(self, result: TestResult) -> None:
        self._number += 1
        say: Mapping[str, Callable[..., None]] = {"warn": log.warning, "pass": self._say_passed}
        message = f": {result.message}" if result.message else ""
        say.get(result.outcome, log.error)(
            "test",
            f"{self._number} of {self._total} {OUTCOMES[result.outcome]} {result.test.name}"
            f"{message} [{result.seconds:.2f}s]",
            test=result.test.name,
            outcome=result.outcome,
            failures=result.failures,
            seconds=round(result.seconds, 3),
            **({"place": str(result.place)} if result.place else {}),
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
