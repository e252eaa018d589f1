"""Whatever a resource of another integration looks like, it is taken over or there is a reason."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.errors import UserError
from lading.mapping.importing.resources import Known, take_over
from lading.mapping.kinds import all_kinds
from lading.project.environment import Environment
from lading.project.load import load_project

PATHS = "/v1/organizations"
KINDS = (
    *("claude-usage-record", "claude-cost-record", "claude-code-analytics", "claude-ai-x"),
    *(f"{PATHS}/usage_report/messages?bucket_width=1d", f"https://host{PATHS}/cost_report"),
    *(f"{PATHS}/usage_report/claude_code", f"{PATHS}/users", f"{PATHS}/me", "http://[bad/"),
)
WORDS = (
    ".a",
    ".data[]",
    ".data[].results[]",
    '"x"',
    ".data[] | .x",
    "2026-02-01",
    "now",
    ".id | (",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=3,
)


def having(*names: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping with some of these keys, or nothing of the kind."""
    values = {**dict.fromkeys(names, ANYTHING), **known}
    return st.fixed_dictionaries({}, optional=values) | ANYTHING


PARAMETERS = ("starting_at", "ending_at", "bucket_width", "group_by[]", "limit", "models")
SELECTOR = having(
    *("query", "data_path", "headers", "method", "endpoint", "startingDate"),
    query_params=having(*PARAMETERS),
)
MAPPINGS = having("identifier", "blueprint", "title", "properties", "relations", "operation")
PORT = having(
    *("itemsToParse", "itemsToParseTopLevelTransform"),
    entity=having(mappings=MAPPINGS | st.lists(MAPPINGS, max_size=2)),
)
RESOURCES = having(kind=st.sampled_from(KINDS) | ANYTHING, selector=SELECTOR, port=PORT)
# Those that come far enough for what they ask for to be looked at.
REQUESTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "selector": having("query", "data_path", query_params=having(*PARAMETERS)),
        "port": st.fixed_dictionaries({"entity": st.fixed_dictionaries({"mappings": MAPPINGS})}),
    }
)


@cache
def known() -> Known:
    root = Path(__file__).parents[3]
    project, problems = load_project(root, environment=Environment({}))
    assert project is not None, problems
    return Known.of(project, all_kinds(project))


@settings(max_examples=150)
@given(RESOURCES | REQUESTS)
def test_anything_is_taken_over_or_refused_in_words(written: Any) -> None:
    try:
        taken = list(take_over(written, known()))
    except UserError as error:
        assert error.message  # noqa: PT017 - that it is raised is one of the two outcomes
        return
    assert taken
    for each in taken:
        assert each.resource["kind"] in known().kinds
        assert list(each.resource)[-1] == "port"
