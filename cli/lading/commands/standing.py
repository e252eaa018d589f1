"""How `lading status` is said: as text, as Markdown and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.commands.output import say

if TYPE_CHECKING:
    from lading.pipeline.books import Status
    from lading.pipeline.context import Context


def show_status(context: Context, status: Status, output: str, *, every_refused: bool) -> None:
    """All parts, one after the other. JSON has every refused entity in any case."""
    from lading.commands.sections import as_markdown, as_text
    from lading.commands.status_sections import sections

    if output == "json":
        import json

        from lading.pipeline.books_json import plain, status_json

        say(json.dumps(status_json(context, status), indent=2, default=plain))
    elif output == "markdown":
        project = context.project
        heading = f"lading status of {project.name} ({project.target.name})"
        say(as_markdown(heading, sections(status, every_refused=every_refused)))
    else:
        say(as_text(sections(status, every_refused=every_refused)))
