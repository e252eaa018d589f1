"""What a shell may complete a command line with: names of the project beside those of commands and
options.

A shell asks with every press of a key. So nothing here raises or prints anything but answers, the
database stays closed, and what was worked out of the files is kept in `target/` for the next time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

if TYPE_CHECKING:
    import click

    from lading.transform.nodes import Node

    Items = list[CompletionItem[str]]
    # As click calls it: with the context, what is completed, and how it begins.
    Complete = Callable[[click.Context, object, str], Items]

# The environment variable by which a shell asks; its value is `<shell>_complete`.
VARIABLE = "_LADING_COMPLETE"
PROGRAM = "lading"
SHELLS = ("bash", "zsh", "fish")
# What is put before a term to have more than it: `+name`, `2+name`, `@name`.
BEFORE_TERM = re.compile(r"@|[0-9]*\+")
SHOWN_AT_ONCE = ("model", "mapping", "source")
# At these bash begins a new word, and takes what comes after them alone for what is completed.
BREAKS = "@=:"

BASH = """\
%(complete_func)s() {
    local answer
    COMPREPLY=()
    while IFS= read -r answer; do
        case $answer in
            plain,*) COMPREPLY+=("${answer#plain,}") ;;
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
        esac
    done < <(LADING_LINE="${COMP_LINE:0:COMP_POINT}" LADING_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """As click has it, for words with a colon in them as well: `mapping:claude_cost_record`."""

    source_template = BASH

    @staticmethod
    def _check_version() -> None:
        """The script is for whoever asks for it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one that it stands at."""
        line = os.environ["LADING_LINE"]
        words = split_arg_string(line)[1:]
        incomplete = "" if line[-1:].isspace() or not words else words.pop()
        value = incomplete.partition("=")[2] if incomplete.startswith("-") else incomplete
        at = max(value.rfind(each) for each in BREAKS if each in os.environ["LADING_BREAKS"] + "\0")
        self._known = value[: at + 1]
        return words, incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        """What comes after the last character at which bash begins a new word."""
        return f"{item.type},{item.value.removeprefix(self._known)}"


add_completion_class(Bash)


def script(program: click.Command, shell: str) -> str:
    """What a shell has to run to complete a program's command lines."""
    made = get_completion_class(shell)
    assert made is not None
    return made(program, {}, PROGRAM, VARIABLE).source()


def answer(program: click.Command, asked: str) -> str:
    """What a shell is told; nothing where there is nothing to say, for whatever reason."""
    from lading.commands.options import completers

    made = get_completion_class(asked.removesuffix("_complete"))
    known = {"target": targets, "NODES": nodes, "STREAM": streams, "FILE": a_file, "DIR": a_folder}
    completers.update({name: partial(_of_option, complete) for name, complete in known.items()})
    try:
        with redirect_stderr(StringIO()):
            return "" if made is None else made(program, {}, PROGRAM, VARIABLE).complete()
    except (Exception, SystemExit):  # noqa: BLE001 - whoever presses a key does not wait for a reason
        return ""


def _of_option(complete: Complete, ctx: click.Context, incomplete: str) -> Items:
    return complete(ctx, ctx.command, incomplete)


def nodes(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """Terms of a selection: names of nodes, and `method:value`; the last of several."""
    before, comma, last = incomplete.rpartition(",")
    plus = BEFORE_TERM.match(last)
    head = before + comma + (plus[0] if plus else "")
    begun = incomplete[len(head) :]
    return [
        CompletionItem(head + term, help=about)
        for term, about in _terms(_known_nodes(ctx), begun)
        if term.startswith(begun)
    ]


def resources(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """Resources of the mappings, by their names and kinds."""
    found = [node for node in _known_nodes(ctx).values() if node.resource_type == "mapping"]
    names = [node.name for node in found] + [node.kinds[0] for node in found if node.kinds]
    return _beginning_with(names, incomplete)


def streams(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """Streams of the sources."""
    found = (node for node in _known_nodes(ctx).values() if node.resource_type == "source")
    return _beginning_with((node.name.partition(".")[2] for node in found), incomplete)


def targets(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """Targets of project.yml."""
    from lading.commands.options import project_folder
    from lading.project.documents import read_document
    from lading.project.load import FILE

    text = (project_folder(ctx) / FILE).read_text("utf-8")
    return _beginning_with(read_document(FILE, text).data["targets"], incomplete)


def a_file(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """A file, which the shell knows better."""
    return [CompletionItem(incomplete, type="file")]


def a_folder(ctx: click.Context, asked: object, incomplete: str) -> Items:
    """A folder, which the shell knows better."""
    return [CompletionItem(incomplete, type="dir")]


def _beginning_with(names: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(each) for each in dict.fromkeys(names) if each.startswith(incomplete)]


def _terms(known: Mapping[str, Node], begun: str) -> Iterator[tuple[str, str | None]]:
    """Terms that may be meant, each with a word on what it is."""
    from lading.commands import listing

    method, colon, _ = begun.partition(":")
    ids = [each for each in known if begun or known[each].resource_type in SHOWN_AT_ONCE]
    types = (known[each].resource_type for each in ids)
    found: dict[str, str] = dict(zip(listing.text(known, ids), types, strict=True))
    yield from sorted(found.items(), key=_models_first)
    if colon:
        values = _values(known, method)
        terms = (f"{method}:{value}" for value in values)
        yield from ((term, None) for term in terms if term not in found)


def _models_first(labelled: tuple[str, str]) -> tuple[int, str]:
    label, kind = labelled
    place = SHOWN_AT_ONCE.index(kind) if kind in SHOWN_AT_ONCE else len(SHOWN_AT_ONCE)
    return place, label


def _values(known: Mapping[str, Node], name: str) -> Iterable[str]:
    """What can stand behind the colon of a method."""
    from lading.transform.selecting.methods import methods

    method = methods(None).get(name)
    if method is None:
        return ()
    words = (word for node in known.values() for word in method.words(node))
    return sorted({*method.allowed, *words})


def _known_nodes(ctx: click.Context) -> Mapping[str, Node]:
    """The nodes of the project that the command line names; of one whose files are wrong, the
    models that it has."""
    from datetime import UTC, datetime

    from lading.commands.options import project_folder
    from lading.errors import UserError
    from lading.pipeline.context import open_context
    from lading.pipeline.nodes import nodes_of

    root, params = project_folder(ctx), ctx.params
    variables: dict[str, Any] = {**(params.get("vars_") or {}), **(params.get("var") or {})}
    try:
        context = open_context(
            root,
            target=params.get("target"),
            variables=variables,
            now=params.get("now") or datetime.now(UTC),
        )
    except UserError:
        return _models(ctx)
    with context.jq:
        return nodes_of(context)


def _models(ctx: click.Context) -> Mapping[str, Node]:
    from lading.commands.options import project_folder
    from lading.project.environment import read_environment
    from lading.project.load import load_project
    from lading.transform.nodes import Node

    root = project_folder(ctx)
    project, _ = load_project(root, environment=read_environment(root))
    files = project.models if project is not None else ()
    return {
        f"model.{each.name}": Node(f"model.{each.name}", each.name, "model", each.file, (), "")
        for each in files
    }
