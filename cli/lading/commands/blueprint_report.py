"""How the project's blueprints stand to Port's: as text, as data, and as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lading.commands.output import count

if TYPE_CHECKING:
    from lading.port.blueprint_plan import Addition, BlueprintPlan, Difference

WIDTH = 80
MOST_SHOWN = 60
PLAIN = re.compile(r"[\w@.+:/-]+")


def blueprint_lines(plans: Sequence[BlueprintPlan], extend: bool = False) -> tuple[str, ...]:
    """What is to be said of the blueprints that are not as the project has them, in lines of 80
    characters; `extend` says whether additions are made."""
    from textwrap import wrap

    return tuple(
        line
        for mark, name, said in _sentences(plans, extend)
        for line in wrap(
            f"{mark} blueprint {name}{said}",
            WIDTH,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def blueprint_markdown(plans: Sequence[BlueprintPlan], extend: bool = False) -> tuple[str, ...]:
    """The same as items of a Markdown list."""
    return tuple(
        f"- {_code(mark)} blueprint {_code(name)}{_escaped(said)}"
        for mark, name, said in _sentences(plans, extend)
    )


def blueprint_data(plans: Sequence[BlueprintPlan]) -> list[dict[str, Any]]:
    """All of the plans, unchanged ones too, as JSON may have them."""
    return [
        {
            "blueprint": plan.name,
            "file": plan.file,
            "action": plan.action,
            "additions": [_addition_data(each) for each in plan.additions],
            "differences": [_difference_data(each) for each in plan.differences],
        }
        for plan in plans
    ]


def _addition_data(addition: Addition) -> dict[str, Any]:
    return {
        "path": addition.path,
        "kind": addition.kind,
        "name": addition.name,
        "definition": addition.definition,
    }


def _difference_data(difference: Difference) -> dict[str, Any]:
    return {
        "path": difference.path,
        "project": difference.project,
        "port": difference.port,
        "why": difference.why,
        "line": difference.place.line,
    }


def _sentences(plans: Sequence[BlueprintPlan], extend: bool) -> Iterator[tuple[str, str, str]]:
    """A mark, a blueprint's name, and what follows."""
    for plan in plans:
        if plan.held is None:
            properties = (plan.blueprint.body.get("schema") or {}).get("properties") or {}
            yield "+", plan.name, f" ({count(len(properties), 'property', 'properties')})"
        if plan.additions:
            yield _of_additions(plan, extend)
        for each in plan.differences:
            yield "!", plan.name, f" differs: {_of_difference(plan, each)}; left alone"


def _of_additions(plan: BlueprintPlan, extend: bool) -> tuple[str, str, str]:
    if extend:
        return "~", plan.name, f": {', '.join(f'+ {_added(each)}' for each in plan.additions)}"
    them = "it" if len(plan.additions) == 1 else "them"
    lacking = ", ".join(map(_added, plan.additions))
    return "!", plan.name, f" lacks {lacking}; --apply-blueprints adds {them}"


def _added(addition: Addition) -> str:
    about = "to " if addition.kind == "relation" else ""
    key = "target" if addition.kind in {"relation", "aggregation property"} else "type"
    if addition.kind == "mirror property":
        key = "path"
    value = addition.definition.get(key)
    return f"{addition.kind} {addition.name}" + (f" ({about}{_shown(value)})" if value else "")


def _of_difference(plan: BlueprintPlan, difference: Difference) -> str:
    if difference.why is not None:
        return f"{difference.path} is in {plan.file} alone, and not added: {difference.why}"
    port, project = _shown(difference.port), _shown(difference.project)
    return f"{difference.path} is {port} in Port, {project} in {plan.file}"


def _shown(value: Any) -> str:
    """A value as JSON, bare if it is a word, cut where it gets long."""
    if value is None:
        return "absent"
    if isinstance(value, str) and PLAIN.fullmatch(value):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"


def _escaped(text: str) -> str:
    """What Markdown would take for markup, a mention or a table's edge, as it stands."""
    return re.sub(r"([\\`*_\[\]<>|#~@])", r"\\\1", text)
