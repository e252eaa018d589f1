"""The prompt that `lading query` opens where nothing was asked: question after question.

The database is open while a question is answered, and not while a person reads or thinks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from lading.commands.asked import Placed, answers, print_questions
from lading.commands.output import complain, remark, say, show_problems, table_lines
from lading.commands.paging import sheet, show
from lading.commands.prompt_words import is_whole, suggestions
from lading.commands.rows import FORMATS, print_records
from lading.errors import LadingError, UserError, nearest
from lading.warehouse.catalog import Catalog, Relation, read_catalog

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from lading.pipeline.asking import Desk

ASK, GO_ON = "lading> ", "   ...> "
HELP = (
    (".help", "what can be typed here"),
    (".tables [PATTERN]", "the tables and views: all, or those like marts.* or cost"),
    (".schema NAME", "the columns of one, their types, and what they mean"),
    (".named [NAME] [VAR=VALUE …]", "the questions of queries/, or one of them asked"),
    (".mode [FORMAT]", f"how rows are printed: {', '.join(FORMATS)}"),
    (".pager [on|off]", "whether what is larger than the screen goes through $PAGER"),
    (".quit", "leave; so does Ctrl-D"),
)
RULES = """\
A question is SQL. It is asked with Enter once it ends with a semicolon, or after an empty line; Tab
completes words, tables and columns. Ctrl-C stops the answer, or empties the line.
The database is opened for each question, for reading: what SET changes lasts for one."""


class Prompt:
    """A prompt with a project's database behind it; `output` is how rows are printed."""

    def __init__(self, desk: Desk, output: str) -> None:
        self._desk = desk
        self._output = output
        self._is_paged = True
        self._catalog = Catalog()
        self._commands: dict[str, Callable[[Sequence[str]], None]] = {
            ".help": self._help,
            ".tables": self._tables,
            ".schema": self._schema,
            ".named": self._named,
            ".mode": self._mode,
            ".pager": self._pager,
            ".quit": self._quit,
            ".exit": self._quit,
        }

    def run(self) -> None:
        """Take questions until a person has no more.

        Raises:
            DatabaseError: there is no database.
        """
        if not self._desk.database.path.exists():
            with self._desk.database.reading():
                return
        self._look_around()
        session = _session(self)
        remark(f"{self._desk.database.path.name}, for reading; .help tells what can be typed here")
        with suppress(EOFError):
            while True:
                try:
                    text = session.prompt(ASK).strip()
                except KeyboardInterrupt:
                    continue
                self._take(text)

    def _take(self, text: str) -> None:
        """Do what was typed; whatever goes wrong with it, the prompt stays."""
        try:
            if text.startswith("."):
                self._command(text)
            elif text.strip("; \n\t"):
                self._ask(text)
        except KeyboardInterrupt:
            remark("stopped")
        except LadingError as error:
            show_problems(error.problems)
        except OSError as error:
            complain(str(error), code="files")

    def _command(self, text: str) -> None:
        name, *about = text.rstrip(";").split()
        if name not in self._commands:
            raise UserError(f"there is no '{name}' here", hint=nearest(name, self._commands))
        self._commands[name](about)

    def _ask(self, sql: str, placed: Placed | None = None) -> None:
        """Answer a question: with the database while it is worked out, without it when it is
        read."""
        began = perf_counter()
        with sheet() as written:
            rows = 0
            with self._desk.database.reading() as connection:
                self._catalog = read_catalog(connection)
                for columns, records in answers(connection, sql, placed):
                    counted = _Counted(records)
                    print_records(columns, counted, self._output, written)
                    rows += counted.number
            took = perf_counter() - began
            show(written, paged=self._is_paged)
        remark(f"{rows:,} {'row' if rows == 1 else 'rows'} in {took:.2f} s")

    def _look_around(self) -> None:
        """Learn what can be completed; if somebody writes just now, with the first question."""
        with suppress(LadingError), replace(self._desk.database, wait=0.0).reading() as connection:
            self._catalog = read_catalog(connection)

    def _help(self, about: Sequence[str]) -> None:
        width = max(len(command) for command, _ in HELP)
        for command, meaning in HELP:
            say(f"{command:<{width}}  {meaning}")
        say(RULES)

    def _tables(self, about: Sequence[str]) -> None:
        from fnmatch import fnmatchcase

        wanted = about[0].casefold() if about else "*"
        pattern = wanted if any(each in wanted for each in "*?[") else f"*{wanted}*"
        with self._desk.database.reading() as connection:
            self._catalog = read_catalog(connection)
        found = [
            (each.path, each.kind, each.rows)
            for each in self._catalog.relations.values()
            if fnmatchcase(each.path.casefold(), pattern)
        ]
        if not found:
            raise UserError(f"nothing is called like '{wanted}'", hint=".tables lists all")
        self._print(("name", "kind", "rows"), found)

    def _schema(self, about: Sequence[str]) -> None:
        relation = self._relation(" ".join(about))
        said = self._desk.described(relation.schema, relation.name)
        rows = [(name, kind, said.get(name, "")) for name, kind in relation.columns]
        headings = ("column", "type", "meaning")
        if self._output != "table":
            self._print(headings, rows)
            return
        with sheet() as written:
            for lines in table_lines(headings, rows, indent=0):
                written.writelines(f"{line}\n" for line in lines)
            show(written, paged=self._is_paged)

    def _relation(self, name: str) -> Relation:
        with self._desk.database.reading() as connection:
            self._catalog = read_catalog(connection)
        found = self._catalog.found(name.strip())
        if found is None:
            known = self._catalog.relations
            alike = known if "." in name else [each.name for each in known.values()]
            those = [each for each, one in known.items() if one.name.casefold() == name.casefold()]
            hint = f"it is one of {', '.join(those)}" if those else nearest(name, alike)
            raise UserError(f"which table is '{name}'?", hint=hint)
        return found

    def _named(self, about: Sequence[str]) -> None:
        if not about:
            print_questions(self._desk, "table", sys.stdout)
            return
        name, *given = about
        pairs = [each.partition("=") for each in given]
        if bad := [each for each in pairs if not each[1] or not each[0]]:
            raise UserError(f"'{bad[0][0]}' is no NAME=VALUE")
        question = self._desk.named(name, {key: value for key, _, value in pairs})
        self._ask(question.sql, question.placed)

    def _mode(self, about: Sequence[str]) -> None:
        if about and about[0] not in FORMATS:
            raise UserError(f"there is no format '{about[0]}'", hint=nearest(about[0], FORMATS))
        self._output = about[0] if about else self._output
        say(f"rows are printed as {self._output}")

    def _pager(self, about: Sequence[str]) -> None:
        if about and about[0] not in {"on", "off"}:
            raise UserError(f"'{about[0]}' is neither on nor off")
        self._is_paged = about[0] == "on" if about else self._is_paged
        say(f"the pager is {'on' if self._is_paged else 'off'}")

    def _quit(self, about: Sequence[str]) -> None:
        raise EOFError

    def _print(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        with sheet() as written:
            print_records(columns, rows, self._output, written)
            show(written, paged=self._is_paged)

    def abouts(self) -> dict[str, Sequence[str]]:
        """What each command may be about."""
        relations = tuple(self._catalog.relations)
        known: dict[str, Sequence[str]] = dict.fromkeys(self._commands, ())
        return {
            **known,
            ".tables": relations,
            ".schema": relations,
            ".named": tuple(self._desk.questions),
            ".mode": FORMATS,
            ".pager": ("on", "off"),
        }

    @property
    def catalog(self) -> Catalog:
        """What there was in the database when it was last looked at."""
        return self._catalog


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Any:
        for row in self._rows:
            self.number += 1
            yield row


def _session(prompt: Prompt) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import ColorDepth

    return PromptSession(
        history=_history(),
        completer=_completer(prompt),
        complete_while_typing=False,
        key_bindings=_keys(),
        multiline=True,
        prompt_continuation=GO_ON,
        color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
        enable_history_search=True,
    )


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _completer(prompt: Prompt) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        def get_completions(self, document: Document, complete_event: object) -> Any:
            before, after = document.text_before_cursor, document.text_after_cursor
            for each in suggestions(before, after, prompt.catalog, prompt.abouts()):
                yield Completion(each.text, -each.replaces, display_meta=each.meta)

    return Words()


def _history() -> History:
    """What was asked before, of this user alone; secrets are masked in it. Where nothing can be
    written, it lasts as long as the prompt."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from lading.secrets import redact

    class Kept(FileHistory):
        def store_string(self, string: str) -> None:
            with suppress(OSError):
                super().store_string(redact(string))

    path = history_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return Kept(str(path))


def history_path() -> Path:
    """Where the questions are kept: in the user's folder of states, as the XDG rules name it."""
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "lading" / "query_history"
