"""Contracts: that a model which was made has just the columns that its properties declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.errors import Problem, UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.transform.graph import Graph
    from lading.transform.model import Model


def check_contract(cursor: DuckDBPyConnection, model: Model, graph: Graph) -> None:
    """Hold the relation of a model to its contract.

    Raises:
        UserError: with every difference.
    """
    from lading.transform.materialise import columns_of
    from lading.transform.skeleton import contract_problems, type_names

    columns = columns_of(cursor, model.relation)
    found = contract_problems(columns, model.columns, type_names(cursor))
    if found:
        place = graph.compiler.declared_at(model.name)
        raise UserError(problems=[Problem(each.message, place, each.hint) for each in found])
