"""The nodes of a project as text: names, JSON lines, a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from lading.transform.nodes import Node
from lading.transform.selecting.methods import bare_words
from lading.transform.selecting.reach import edges
from lading.transform.selecting.terms import PLAIN_NAME, term_of

BRANCH, LAST_BRANCH = "├── ", "└── "
BESIDE, BELOW_LAST = "│   ", "    "
SHOWN_ABOVE = " (above)"


def text(nodes: Mapping[str, Node], ids: Iterable[str]) -> list[str]:
    """A line for each id: a term that selects that node, and no other.

    A model goes by its name, unless something else goes by that too; all others have their type
    before it, as in `source:claude_platform.usage_messages`. A blank or a comma in a name becomes
    a '?', which then may select others.
    """
    labels = _labels(nodes)
    return [labels[each] for each in ids]


def json_lines(nodes: Mapping[str, Node], ids: Iterable[str]) -> list[str]:
    """A JSON object for each id, with all that is known of the node."""
    import json
    from dataclasses import asdict

    return [json.dumps(asdict(nodes[each]), ensure_ascii=False) for each in ids]


def tree(nodes: Mapping[str, Node], ids: Collection[str]) -> list[str]:
    """The nodes below what they read, from the sources down; under them what reads them.

    What none of these nodes precedes begins a tree of its own. A node that reads several stands
    in full under the first that is shown, and with a mark under the others.
    """
    labels, wanted = _labels(nodes), set(ids)
    ways = edges({each: nodes[each] for each in nodes if each in wanted})
    lines: list[str] = []
    shown: set[str] = set()
    waiting = [(each, "", "") for each in reversed(_roots(ways.parents))]
    while waiting:
        each, before, indent = waiting.pop()
        lines.append(f"{before}{labels[each]}{SHOWN_ABOVE if each in shown else ''}")
        if each not in shown:
            shown.add(each)
            waiting.extend(reversed(_branches(ways.children[each], indent)))
    return lines


def _roots(parents: Mapping[str, Iterable[str]]) -> list[str]:
    return [each for each, read in parents.items() if not read]


def _branches(children: Iterable[str], indent: str) -> list[tuple[str, str, str]]:
    """Each child with what stands before it, and before what is below it."""
    branches = [(each, indent + BRANCH, indent + BESIDE) for each in children]
    if branches:
        branches[-1] = (branches[-1][0], indent + LAST_BRANCH, indent + BELOW_LAST)
    return branches


def _labels(nodes: Mapping[str, Node]) -> dict[str, str]:
    meanings = Counter(word for node in nodes.values() for word in bare_words(node))
    return {
        each: node.name if _goes_by_its_name(node, meanings) else term_of(node)
        for each, node in nodes.items()
    }


def _goes_by_its_name(node: Node, meanings: Mapping[str, int]) -> bool:
    plain = PLAIN_NAME.fullmatch(node.name) is not None
    return node.resource_type == "model" and plain and meanings[node.name] == 1
