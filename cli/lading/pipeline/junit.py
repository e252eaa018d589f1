"""Results of tests in the form that CI servers read.

GitLab knows a test by its `classname` and `name`, and shows the text of a failure and not its
`message`; Jenkins takes what stands before the last dot of the `classname` for a package, and
shows both. https://docs.gitlab.com/ci/testing/unit_test_reports
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from lading.pipeline.results import Result

BAD = {"fail": "failure", "error": "error"}
# What XML 1.0 can't hold, whatever way it is written.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[Result], started_at: datetime) -> str:
    """A test case for each test among the results."""
    from xml.etree import ElementTree as tree

    tests = [each for each in results if each.is_test]
    counts = {
        "tests": str(len(tests)),
        "failures": str(sum(each.status == "fail" for each in tests)),
        "errors": str(sum(each.status == "error" for each in tests)),
        "skipped": str(sum(each.status == "skipped" for each in tests)),
        "time": f"{sum(each.seconds or 0 for each in tests):.3f}",
    }
    suites = tree.Element("testsuites", {"name": "lading", **counts})
    moment = f"{started_at:%Y-%m-%dT%H:%M:%S}"
    suite = tree.SubElement(suites, "testsuite", {"name": "lading", **counts, "timestamp": moment})
    for each in tests:
        _add(suite, each)
    tree.indent(suites)
    return tree.tostring(suites, encoding="unicode", xml_declaration=True)


def _add(suite: Element, result: Result) -> None:
    from xml.etree import ElementTree as tree

    about = {"classname": result.about or f"lading.{result.kind}", "name": result.name}
    case = tree.SubElement(suite, "testcase", {**about, "time": f"{result.seconds or 0:.3f}"})
    if result.file:
        case.set("file", result.file)
    message = _clean(result.message)
    if result.status in BAD:
        found = tree.SubElement(case, BAD[result.status], message=message, type=result.status)
        found.text = _text(result)
    elif result.status == "skipped":
        tree.SubElement(case, "skipped", message=message)
    elif result.status == "warn":
        tree.SubElement(case, "system-out").text = f"warning: {_text(result)}"


def _text(result: Result) -> str:
    """All that a person has to know of it: where it stands, what is wrong, the rows."""
    place = f"{result.place}: " if result.place else ""
    lines = [f"{place}{result.message}", *result.details]
    if result.hint:
        lines.append(result.hint)
    if result.stored:
        lines.append(f"all failing rows: lading query 'FROM {result.stored}'")
    return _clean("\n".join(lines))


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
