"""The cases of Port's own mapping engine, each by its number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lading.mapping.evaluate import Faulty, Mapped

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

CASES = json.loads((Path(__file__).parent / "conformance/mapping_cases.json").read_text())
REFUSED = [case for case in CASES if case["config_rejected"]]
CARRIED_OUT = [case for case in CASES if not case["config_rejected"]]


def name(case: dict[str, Any]) -> str:
    return f"{case['id']}-{case['group']}"


def as_doubles(value: Any) -> Any:
    """JSON with its numbers as the reference has them, truth values kept apart from them."""
    if isinstance(value, dict):
        return {key: as_doubles(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_doubles(each) for each in value]
    return value if value is None or isinstance(value, str | bool) else ("number", float(value))


@pytest.mark.parametrize("case", CARRIED_OUT, ids=name)
def test_case(case: dict[str, Any], mapping_desk: Desk) -> None:
    resource = mapping_desk.lenient({"resources": [{"kind": "k", **case["resource"]}]})
    found = mapping_desk.outcomes(resource, case["records"])

    entities = [each.entity.value() for each in found if isinstance(each, Mapped)]
    assert as_doubles(entities) == as_doubles(case["entities"])
    assert mapping_desk.failed(found) == case["misconfigured"]
    assert any(isinstance(each, Faulty) for each in found) == case["kind_error"]


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_case_that_is_no_mapping_at_all(case: dict[str, Any], mapping_desk: Desk) -> None:
    document = mapping_desk.document(json.dumps({"resources": [{"kind": "k", **case["resource"]}]}))

    assert [problem.severity for problem in mapping_desk.refusals(document)] == ["error"]


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 55
    assert [case["id"] for case in REFUSED] == [31, 40, 61, 64]
