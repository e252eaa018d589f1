"""The figures of the report, each table by one query: exact, and as texts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report: the model that it is made from, and its query, in which `{mart}` is
    the model's relation. `needs` says what to do if the model has no rows."""

    model: str
    sql: str
    needs: str | None = None


TOKENS = """uncached_input_tokens + cache_creation_5m_input_tokens + cache_creation_1h_input_tokens
    + cache_read_input_tokens + output_tokens"""
BY_DESCRIPTION = (
    "have cost_report fetched by both: `extracts: [{group_by: [workspace_id, description], "
    "start: '2026-01-01'}]` of that stream in sources/"
)
USAGE_BY = "a mapping or an extract of usage_messages has to be grouped by"
SYNC = "`lading sync` fetches the report"

# In those by day the columns are day, key and value. What is not billed in dollars has no
# amount_usd; `other_currencies` counts it.
TABLES = {
    "spend_total": Table(
        "cost_by_day",
        """
        SELECT day, 'total', sum(amount_usd) FROM {mart}
        WHERE amount_usd IS NOT NULL GROUP BY day ORDER BY day
        """,
        SYNC,
    ),
    "spend_workspace": Table(
        "cost_by_day_and_workspace",
        """
        SELECT day, workspace_id, sum(amount_usd) FROM {mart}
        WHERE amount_usd IS NOT NULL GROUP BY ALL ORDER BY ALL
        """,
        BY_DESCRIPTION,
    ),
    "spend_model": Table(
        "cost_by_workspace_model_token_type",
        """
        SELECT day, coalesce(model, cost_type, 'unknown') AS key, sum(amount_usd) FROM {mart}
        WHERE amount_usd IS NOT NULL GROUP BY ALL ORDER BY ALL
        """,
        BY_DESCRIPTION,
    ),
    "other_currencies": Table(
        "cost_by_day",
        """
        SELECT currency, min(day), max(day), count(*) FROM {mart}
        WHERE amount_usd IS NULL GROUP BY ALL ORDER BY ALL
        """,
    ),
    "tokens_total": Table(
        "usage_by_day",
        f"SELECT day, 'total', sum({TOKENS}) FROM {{mart}} GROUP BY day ORDER BY day",
        SYNC,
    ),
    "tokens_kind": Table(
        "usage_by_day",
        """
        SELECT day, kind, sum(tokens) FROM (
            SELECT day, uncached_input_tokens AS uncached_input,
                cache_creation_5m_input_tokens + cache_creation_1h_input_tokens AS cache_write,
                cache_read_input_tokens AS cache_read, output_tokens AS output
            FROM {mart}
        ) UNPIVOT (tokens FOR kind IN (uncached_input, cache_write, cache_read, output))
        GROUP BY ALL ORDER BY ALL
        """,
        SYNC,
    ),
    "tokens_workspace": Table(
        "usage_by_day_and_workspace",
        f"SELECT day, workspace_id, sum({TOKENS}) FROM {{mart}} GROUP BY ALL ORDER BY ALL",
        f"{USAGE_BY} workspace_id",
    ),
    "tokens_model": Table(
        "usage_by_day_and_model",
        f"SELECT day, model, sum({TOKENS}) FROM {{mart}} GROUP BY ALL ORDER BY ALL",
        f"{USAGE_BY} model",
    ),
    "cache": Table(
        "cache_efficiency",
        """
        SELECT day, model, sum(cache_read_input_tokens), sum(cache_creation_input_tokens),
            sum(input_tokens)
        FROM {mart} GROUP BY ALL ORDER BY ALL
        """,
        f"{USAGE_BY} model",
    ),
    "prices": Table(
        "cost_per_million_tokens",
        """
        SELECT model, tokens, cost_usd, usd_per_million_input_tokens,
            usd_per_million_output_tokens, usd_per_million_tokens
        FROM {mart} ORDER BY tokens DESC, model
        """,
        BY_DESCRIPTION,
    ),
    "code": Table(
        "claude_code_daily",
        """
        SELECT day, count(DISTINCT (actor_type, actor_name)), sum(num_sessions), sum(lines_added),
            sum(lines_removed), sum(commits), sum(pull_requests), sum(tool_actions_accepted),
            sum(tool_actions_rejected)
        FROM {mart} GROUP BY day ORDER BY day
        """,
        SYNC,
    ),
    # Of the last 30 days of the report, which need not be those before the present.
    "code_actors": Table(
        "claude_code_daily",
        """
        SELECT actor_name, actor_type, count(DISTINCT day), sum(num_sessions) AS sessions,
            sum(lines_added), sum(lines_removed), sum(commits), sum(pull_requests),
            sum(tool_actions_accepted), sum(tool_actions_rejected)
        FROM {mart} WHERE day > (SELECT max(day) - 30 FROM {mart})
        GROUP BY actor_name, actor_type ORDER BY sessions DESC, actor_name, actor_type
        """,
        SYNC,
    ),
    "restatements": Table(
        "restatements",
        """
        SELECT restated_at, stream, starting_at, group_by, field, before, after, moved FROM {mart}
        ORDER BY restated_at DESC, stream, starting_at DESC, group_by, field LIMIT 200
        """,
    ),
    "workspaces": Table(
        "workspaces",
        """
        SELECT workspace_id, coalesce(any_value(name), workspace_id) FROM {mart}
        GROUP BY workspace_id ORDER BY workspace_id
        """,
    ),
}


def report(context: Context, connection: DuckDBPyConnection | None) -> Json:
    """Each table of the report with its rows, or with the reason why it has none."""
    return {
        name: {"rows": [], "reason": None, "hint": None, **_filled(context, connection, table)}
        for name, table in TABLES.items()
    }


def no_database(context: Context) -> Json:
    """Why there are no figures, and what makes some. Where the file would be is nobody's concern
    who looks at a site."""
    said = f"there is no database {context.database.path.name} yet"
    return {"reason": said, "hint": "`lading sync` makes it"}


def _filled(context: Context, connection: DuckDBPyConnection | None, table: Table) -> Json:
    import duckdb

    model = context.graph.models.get(table.model)
    if model is None:
        return {"reason": f"the project has no model {table.model}"}
    if connection is None:
        return no_database(context)
    try:
        rows = connection.execute(table.sql.format(mart=model.relation)).fetchall()
    except duckdb.CatalogException:
        said = f"{model.relation} has not been made yet"
        return {"reason": said, "hint": f"`lading build {model.name}` makes it"}
    except duckdb.BinderException:
        said = f"{model.relation} lacks columns that this is made from"
        return {"reason": said, "hint": "those of the model that lading ships are all needed"}
    if not rows:
        return {"reason": f"{model.relation} has no rows", "hint": table.needs}
    return {"rows": [[_written(value) for value in row] for row in rows]}


def _written(value: Any) -> Any:
    """Numbers as texts, which keep every digit of them; days and moments as in ISO 8601."""
    if isinstance(value, (Decimal, int)):
        written = f"{Decimal(value):f}"
        return written.rstrip("0").rstrip(".") if "." in written else written
    return value.isoformat() if hasattr(value, "isoformat") else value
