"""What is to be imported: mappings and blueprints out of files, or of an integration in Port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from lading.errors import Place, UserError
from lading.project.documents import Document, KeyPath, read_document

if TYPE_CHECKING:
    from lading.port.client import PortClient

Body = Mapping[str, Any]
# Below these an answer of Port's API, or an export, has what it is about.
WRAPPERS = ("integration", "blueprint", "blueprints")
FORMS = "a mapping has resources:, a blueprint identifier: and schema:"


@dataclass(frozen=True, slots=True)
class Found:
    """A mapping or a blueprint, and where it stands."""

    body: Body
    document: Document
    at: KeyPath

    def place(self, *path: str | int) -> Place:
        """The line of the value at `path` within it. Without a column it is not shown: another
        tool's file may have a secret anywhere."""
        return replace(self.document.place(*self.at, *path), column=None)


@dataclass(frozen=True, slots=True)
class Given:
    """All that is to be imported; `origin` says in words where the mapping comes from."""

    origin: str
    mapping: Found | None
    blueprints: tuple[Found, ...]


def read_given(files: Iterable[tuple[str, str]]) -> Given:
    """What files hold, by their names and texts: at most one mapping, and any number of blueprints.

    Raises:
        UserError: one does not parse, or holds neither; or there are several mappings.
    """
    mappings: list[Found] = []
    blueprints: list[Found] = []
    for name, text in files:
        document = read_document(name, text)
        for found in _within(document, document.data, ()):
            (mappings if "resources" in found.body else blueprints).append(found)
    if len(mappings) > 1:
        place, first = mappings[1].place("resources"), mappings[0].place("resources")
        hint = "import one after the other, each under a --name of its own"
        raise UserError(
            f"this is a second mapping; the first is at {first}", place=place, hint=hint
        )
    mapping = mappings[0] if mappings else None
    origin = PurePath(mapping.document.file).name if mapping else ""
    return Given(origin, mapping, tuple(blueprints))


def _within(document: Document, data: Any, at: KeyPath) -> Iterator[Found]:
    if isinstance(data, list):
        for index, each in enumerate(data):
            yield from _within(document, each, (*at, index))
        return
    if isinstance(data, dict):
        if isinstance(data.get("resources"), list):
            yield Found(data, document, at)
            return
        if isinstance(data.get("config"), dict):
            yield Found({"resources": [], **data["config"]}, document, (*at, "config"))
            return
        if isinstance(data.get("identifier"), str) and isinstance(data.get("schema"), dict):
            yield Found(data, document, at)
            return
        if wrapped := [key for key in WRAPPERS if key in data]:
            for key in wrapped:
                yield from _within(document, data[key], (*at, key))
            return
    raise UserError(
        "this is neither a mapping nor a blueprint", place=document.place(*at), hint=FORMS
    )


def read_integration(client: PortClient, identifier: str) -> Given:
    """The mapping of an integration in Port, and the blueprints that it names, as Port has them.

    Raises:
        UserError: Port has no such integration, or it has no mapping.
        ServerError: Port is not to be had.
    """
    from lading.port.shown_integrations import shown_integration

    integration = shown_integration(client, identifier)
    kind = str(integration.get("installationAppType") or "unknown")
    document = Document(f"integration {identifier}", integration, {}, {})
    config = integration.get("config")
    if not isinstance(config, dict) or not config.get("resources"):
        raise UserError(
            f"the integration '{identifier}' has no mapping in Port",
            hint="if its mapping is a file, import that: `lading import --from FILE`",
        )
    bodies = (client.blueprint(name) for name in _blueprints_of(config))
    found = tuple(Found(body, document, ()) for body in bodies if body is not None)
    origin = f"the integration {identifier} ({kind}) in Port"
    return Given(origin, Found(config, document, ("config",)), found)


def _blueprints_of(config: Body) -> Iterable[str]:
    """Those that the mapping names; one that an expression works out is not known."""
    from lading.mapping.expressions import constant, double_quoted

    names: dict[str, None] = {}
    for resource in config["resources"]:
        for mapping in mappings_of(resource):
            if (name := constant(double_quoted(str(mapping.get("blueprint", ""))))) is not None:
                names[name] = None
    return names


def mappings_of(resource: Any) -> Iterator[Body]:
    """The mappings of a resource, as far as it has the shape of one."""
    found = resource
    for key in ("port", "entity", "mappings"):
        found = found.get(key) if isinstance(found, dict) else None
    several = found if isinstance(found, list) else [found]
    yield from (each for each in several if isinstance(each, dict))
