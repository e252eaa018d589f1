"""Numbers of files as they are written: a binary number may be another one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.project.documents import yaml_loader

if TYPE_CHECKING:
    import yaml

    from lading.project.documents import Document
    from lading.project.model import Project

PLAIN_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][-+]?[0-9]+)?")


def with_exact_numbers(project: Project, document: Document) -> Document:
    """The document with each number that has a point as the Decimal that is written there; as a
    binary number it may be another one."""
    import yaml

    if not _has_float(document.data):
        return document
    try:
        text = (project.root / document.file).read_text("utf-8")
        return replace(document, data=yaml.load(text, _exact_loader()))
    except (OSError, yaml.YAMLError):
        return document


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_float(each) for each in value.values())
    if isinstance(value, list):
        return any(_has_float(each) for each in value)
    return isinstance(value, float)


@cache
def _exact_loader() -> Any:
    class Loader(yaml_loader()):  # type: ignore[misc]
        pass

    def number(loader: Any, node: yaml.ScalarNode) -> Decimal | float:
        if PLAIN_NUMBER.fullmatch(node.value):
            return Decimal(node.value.replace("_", ""))
        return float(loader.construct_yaml_float(node))

    Loader.add_constructor("tag:yaml.org,2002:float", number)
    return Loader


def json_of(value: Any) -> str:
    """A value as JSON, each number as it was written."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(str(key))}:{json_of(each)}" for key, each in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(json_of(each) for each in value)}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False)
