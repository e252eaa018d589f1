"""What a command leaves in `target/` for other programs: the manifest, its results, the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading import __version__
from lading.errors import LadingError
from lading.secrets import redact

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.context import Context
    from lading.pipeline.findings import CheckResult
    from lading.pipeline.steps import Blocked
    from lading.transform.build import NodeResult

MANIFEST, RUN_RESULTS, SCHEMAS = "manifest.json", "run_results.json", "schemas"
RESULTS_SCHEMA = "urn:lading:schema:run_results"
# A file's size and time of change, by which it is known again.
Stamp = tuple[int, ...]


def write_artifacts(context: Context) -> None:
    """Leave the manifest; one that is there, and made from the same, is not looked into."""
    path = context.project.target_path / MANIFEST
    key, stamp = _manifest_key(context), _stamp(path)
    known = context.cache.get("manifest", key, Stamp)
    if stamp is not None and known == stamp:
        return
    from lading.pipeline.manifest import manifest

    write(path, _text_of(manifest(context, key)))
    context.cache.put("manifest", key, _stamp(path))
    context.cache.save()


def write_results(
    context: Context,
    command: str,
    nodes: Sequence[NodeResult] = (),
    junit: str | None = None,
    *,
    extraction: Extraction | None = None,
    checks: Sequence[CheckResult] = (),
    blocked: Sequence[Blocked] = (),
    error: LadingError | None = None,
) -> None:
    """Leave the manifest and how all that a command did went, and on request the tests' results
    as JUnit XML. `error` is what ended the command."""
    from lading.pipeline.nodes import nodes_of
    from lading.pipeline.results import of_blocked, of_checks, of_extraction, of_nodes

    write_artifacts(context)
    results = [
        *(of_extraction(extraction) if extraction is not None else ()),
        *of_nodes(nodes),
        *(of_checks(checks, nodes_of(context)) if checks else ()),
        *of_blocked(blocked),
    ]
    document = {
        "metadata": {
            "schema": RESULTS_SCHEMA,
            "lading_version": __version__,
            "generated_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "command": command,
            "run_started_at": f"{context.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "project": context.project.name,
            "target": context.project.target.name,
            "error": None if error is None else error.message,
        },
        "results": [each.as_json() for each in results],
    }
    write(context.project.target_path / RUN_RESULTS, _text_of(document))
    if junit is not None:
        from lading.pipeline.junit import junit_xml

        write(Path(junit), junit_xml(results, context.now.astimezone(UTC)))


@contextmanager
def reporting(context: Context, command: str) -> Iterator[None]:
    """Leave the error that ends a command early in its results."""
    try:
        yield
    except LadingError as error:
        write_results(context, command, error=error)
        raise


def write_schemas(context: Context) -> None:
    """Leave the JSON Schemas of all files, for editors and for readers of the artifacts."""
    from importlib.resources import files

    for shipped in files("lading.project").joinpath(SCHEMAS).iterdir():
        path = context.project.target_path / SCHEMAS / shipped.name
        text = shipped.read_text("utf-8")
        if shipped.name.endswith(".json") and _text(path) != text:
            write(path, text.removesuffix("\n"))


def write(path: Path, text: str) -> None:
    """Put a file there whole or not at all, without a secret in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(redact(text) + "\n", "utf-8")
    beside.replace(path)


def _text_of(document: Mapping[str, Any]) -> str:
    """JSON with line breaks, which `json` itself writes many times slower than without."""
    import msgspec

    try:
        return msgspec.json.format(json.dumps(document), indent=1)
    except msgspec.DecodeError:  # infinity, or one half of a character, which JSON does not know
        return json.dumps(document, indent=1)


def _text(path: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8")
    return None


def _manifest_key(context: Context) -> str:
    from lading.pipeline.nodes import nodes_key
    from lading.project.cache import entry_key

    project = context.project
    return entry_key(nodes_key(context), project.name, project.version, project.target.name)


def _stamp(path: Path) -> Stamp | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None
