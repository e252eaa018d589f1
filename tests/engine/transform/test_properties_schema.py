from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from jsonschema import Draft202012Validator

from lading.project.check import check_document, schema_text
from lading.project.documents import read_document

WHOLE = """
    version: 2
    models:
      - name: claude-usage-record
        description: Usage.
        config: {materialized: table, tags: [daily]}
        columns:
          - {name: day, description: The UTC day., data_type: DATE}
          - name: tokens
        kind:
          aliases: [claude-platform-usage-record]
          asks: {stream: usage_messages, width: bucketWidth, dimensions: groupBy, start: [since]}
          selector:
            since: {type: timestamp, required: true, description: From when.}
            on: {type: date}
            timeFrame: {type: days, default: 30}
            bucketWidth: {type: choice, values: [1h, 1d], default: 1d}
            groupBy: {type: choices, values: [model], default: []}
            word: {type: text, default: ''}
          exactly_one_of: [[timeFrame, since]]
      - name: other
        kind: {}
    """


def problems(text: str) -> list[str]:
    document = read_document("models/a.yml", dedent(text))
    return [str(problem) for problem in check_document(document, "properties")]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text("properties")))


def test_it_takes_all_that_there_is() -> None:
    assert problems(WHOLE) == []


def test_it_takes_the_projects_own_properties() -> None:
    models = Path(__file__).parents[3] / "models"
    found = {file.name: problems(file.read_text("utf-8")) for file in models.rglob("*.yml")}
    assert found
    assert not any(found.values())


@pytest.mark.parametrize(
    ("written", "wrong", "problem"),
    [
        ("version:", "versoin:", "models/a.yml:2:1: unknown key 'versoin'"),
        ("description: Usage", "desciption: Usage", "models/a.yml:5:5: unknown key 'desciption'"),
        ("materialized: table", "materialised: table", "unknown key 'materialised'"),
        ("tags: [daily]", "tags: {daily: 1}", "'tags' must be"),
        ("columns:", "colums:", "did you mean 'columns'?"),
        ("data_type: DATE", "type: DATE", "unknown key 'type'"),
        ("data_type: DATE", "data_test: [not_null]", "unknown key 'data_test'"),
        ("- name: tokens", "- description: no name", "the key 'name' is missing"),
        ("materialized: table", "materialized: tabel", "it is one of: view, table, incremental"),
        ("aliases: [", "alias: [", "did you mean 'aliases'?"),
        ("stream: usage_messages, ", "", "the key 'stream' is missing"),
        ("start: [since]", "start: since", "'start' must be a list"),
        ("type: days", "type: day", "it is one of: timestamp, date, days, choice, choices, text"),
        ("type: days, ", "", "the key 'type' is missing"),
        ("values: [1h, 1d], ", "", "the key 'values' is missing"),
        ("required: true", "required: sure", "'required' must be true or false"),
        ("required: true", "requird: true", "did you mean 'required'?"),
        ("[[timeFrame, since]]", "[timeFrame, since]", "must be a list"),
    ],
)
def test_it_is_closed(written: str, wrong: str, problem: str) -> None:
    assert written in WHOLE
    found = problems(WHOLE.replace(written, wrong, 1))
    assert [each for each in found if problem in each] == found
    assert found
