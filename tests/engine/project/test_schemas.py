"""The published JSON Schemas: that they are some, help whoever edits, and fit the shipped files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

REPOSITORY = Path(__file__).resolve().parents[3]
WRITTEN = (
    "project",
    "sources",
    "properties",
    "unit_tests",
    "mapping",
    "mapping_tests",
    "blueprint",
)
READ = ("manifest", "plan", "run_results", "status")
OURS = {
    "project": ["project.yml"],
    "sources": ["sources/*.yml"],
    "properties": ["models/**/*.yml"],
    "unit_tests": ["tests/models/*.yml"],
    "mapping_tests": ["tests/mappings/*.yml"],
    "mapping": ["mappings/*.yml"],
    "blueprint": ["mappings/blueprints/*.yml"],
}


def schema(name: str) -> dict[str, Any]:
    text = files("lading.project").joinpath(f"schemas/{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


class Loader(yaml.SafeLoader):
    """Bare dates are text."""


Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def properties(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that a schema knows, but for those of conditions."""
    if not isinstance(found, dict):
        return
    for key, each in found.get("properties", {}).items():
        yield f"{path}/{key}", each
        yield from properties(each, f"{path}/{key}")
    for name, each in found.get("$defs", {}).items():
        yield from properties(each, name)
    for keyword in ("items", "additionalProperties", "then", "else"):
        yield from properties(found.get(keyword), f"{path}/{keyword}")
    for keyword in ("anyOf", "oneOf"):
        for number, each in enumerate(found.get(keyword, ())):
            yield from properties(each, f"{path}/{number}")


def test_there_is_a_schema_for_each_file() -> None:
    there = {each.name for each in files("lading.project").joinpath("schemas").iterdir()}
    assert there == {f"{name}.json" for name in (*WRITTEN, *READ)}


@pytest.mark.parametrize("name", [*WRITTEN, *READ])
def test_each_is_a_schema_with_a_name_of_its_own(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:lading:schema:{name}"
    assert found["title"]


@pytest.mark.parametrize("name", [*WRITTEN, *READ])
def test_each_key_says_what_it_is_for(name: str) -> None:
    found = list(properties(schema(name)))
    assert len(found) > 5
    assert [path for path, each in found if not each.get("description")] == []


@pytest.mark.parametrize("name", [*WRITTEN, *READ])
def test_each_reference_leads_somewhere(name: str) -> None:
    found = schema(name)
    text = json.dumps(found)
    used = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert used == set(found.get("$defs", {}))


@pytest.mark.parametrize("name", WRITTEN)
def test_the_shipped_files_fit(name: str) -> None:
    validator = Draft202012Validator(schema(name))
    paths = [path for pattern in OURS[name] for path in REPOSITORY.glob(pattern)]
    assert paths
    for path in paths:
        data = yaml.load(path.read_text("utf-8"), Loader)
        assert [error.message for error in validator.iter_errors(data)] == [], path
        data["no_such_key"] = 1
        assert not validator.is_valid(data)
