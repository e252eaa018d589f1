"""Building a graph in a database, as tests want it: all of it, or some models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from lading.errors import Place
from lading.transform.build import NodeResult, Way
from lading.transform.build import build as carry_out
from lading.transform.data_test import DataTest
from lading.transform.graph import Graph
from lading.transform.making import Wanted, plan
from lading.transform.standing import standing
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_RUNS = count()


def build(
    graph: Graph,
    connection: DuckDBPyConnection,
    names: Iterable[str] | None = None,
    *,
    jobs: int = 1,
    keep_going: bool = True,
    on_node: Callable[[NodeResult], None] | None = None,
    force: bool = False,
    full_refresh: bool = False,
    tests: Sequence[DataTest] = (),
) -> tuple[NodeResult, ...]:
    """Make what is stale of these models, or of all."""
    prepare(connection, [])
    models = [model for model in graph.models.values() if not model.is_resource]
    nodes = {model.id for model in models} if names is None else {f"model.{x}" for x in names}
    others = [other for model in models for other in model.others]
    there = standing(connection, others, {})
    wanted = Wanted(frozenset(nodes), None, force, full_refresh)
    run_id = f"run-{next(_RUNS)}"
    steps = plan(graph, tests, there, wanted, run_id)
    return carry_out(
        graph, connection, steps, Way(run_id, jobs, keep_going), locate=nowhere, on_node=on_node
    )


def nowhere(test: DataTest, offset: int) -> tuple[Place, str | None]:
    return test.place, None
