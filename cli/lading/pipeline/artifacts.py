"""What a command leaves in `target/` for other programs: the manifest, its results, the SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading import __version__
from lading.secrets import redact

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.transform.build import NodeResult
    from lading.transform.test_runs import TestResult

RUN_RESULTS = "run_results.json"


def write_results(
    context: Context, command: str, nodes: Sequence[NodeResult], junit: str | None = None
) -> None:
    """Leave how each node and each test went, and on request the tests' results as JUnit XML."""
    results = [entry for node in nodes for entry in _entries(node)]
    document = {
        "metadata": {
            "lading_version": __version__,
            "generated_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "command": command,
            "run_started_at": f"{context.now:%Y-%m-%dT%H:%M:%SZ}",
            "target": context.project.target.name,
        },
        "results": results,
    }
    write(context.project.target_path / RUN_RESULTS, json.dumps(document, indent=1))
    if junit is not None:
        write(Path(junit), junit_xml([each for node in nodes for each in node.tests]))


def write(path: Path, text: str) -> None:
    """Put a file there whole or not at all, without a secret in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(redact(text) + "\n", "utf-8")
    beside.replace(path)


def _entries(node: NodeResult) -> Iterator[Mapping[str, Any]]:
    if node.step.action != "test":
        yield {
            "unique_id": node.node,
            "status": node.status,
            "execution_time": round(node.seconds, 6),
            "rows": node.rows,
            "message": node.message or None,
            "place": str(node.place) if node.place else None,
            "because": list(node.because),
        }
    for test in node.tests:
        yield {
            "unique_id": f"test.{test.test.name}",
            "status": test.outcome,
            "execution_time": round(test.seconds, 6),
            "failures": test.failures,
            "message": test.message or None,
            "place": str(test.test.place),
            "stored": test.stored or None,
        }


def junit_xml(tests: Sequence[TestResult]) -> str:
    """Results of tests in the form that CI servers read."""
    from xml.etree import ElementTree as tree

    bad = {"fail": "failure", "error": "error"}
    suite = tree.Element(
        "testsuite",
        name="lading",
        tests=str(len(tests)),
        failures=str(sum(each.outcome == "fail" for each in tests)),
        errors=str(sum(each.outcome == "error" for each in tests)),
        skipped="0",
        time=f"{sum(each.seconds for each in tests):.3f}",
    )
    for each in tests:
        about = each.test.attached_to or each.test.test
        case = tree.SubElement(
            suite, "testcase", classname=about, name=each.test.name, time=f"{each.seconds:.3f}"
        )
        case.set("file", each.test.place.file)
        if each.outcome in bad:
            found = tree.SubElement(case, bad[each.outcome], message=each.message)
            found.text = "\n".join("  ".join(row) for row in each.sample)
        elif each.outcome == "warn":
            tree.SubElement(case, "system-out").text = f"warning: {each.message}"
    suites = tree.Element("testsuites")
    suites.append(suite)
    tree.indent(suites)
    return tree.tostring(suites, encoding="unicode", xml_declaration=True)
