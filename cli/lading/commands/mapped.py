"""What a mapping made of records, on stdout: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

import click

from lading.commands.output import complain, count, say, show_problems

if TYPE_CHECKING:
    from lading.mapping.trials import Trial
    from lading.pipeline.landed_rows import Slice
    from lading.pipeline.playground import Gave, Shown, Tally, Tried, Wish

WIDEST = 160


def show_faults(trials: Sequence[Trial]) -> None:
    """The expressions that do not compile, with their lines. They are warnings here."""
    for trial in trials:
        show_problems(replace(each, severity="warning") for each in trial.problems)


class Text:
    """A paragraph for each record."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._position = -1

    def __enter__(self) -> Text:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def begin(self, trial: Trial) -> None:
        self._position = -1
        if self._wish.explain is None:
            self._entitle(trial)

    def _entitle(self, trial: Trial) -> None:
        resource = trial.resource
        title = click.style(resource.name, bold=True)
        about = click.style(f"{resource.kind}, {resource.place}", dim=True)
        say(f"{title}  {about}")

    def tell(
        self, trial: Trial, shown: Shown, gives: Sequence[Gave], slices: Sequence[Slice]
    ) -> None:
        if self._position < 0 and self._wish.explain is not None:
            self._entitle(trial)
        if shown.outcome.position != self._position:
            self._position = shown.outcome.position
            row = _on_one_line(shown.row)
            whole = self._wish.explain is not None
            said = click.style(row if whole else _shortened(row), dim=True)
            say(f"  row {self._position}  {said}")
        say(f"    {_headline(shown)}")
        width = max((len(each.path) for each in gives), default=0)
        for each in gives:
            _say_gave(each, width)
        for slice_ in slices:
            say(f"      {click.style('from', dim=True)} {_slice(slice_)}")

    def end(self, tried: Tried) -> None:
        _complain(tried)
        explains = self._wish.explain is not None
        if explains and not tried.tally.entities:
            return
        if self._wish.unmapped:
            fields = ", ".join(tried.unmapped) or "-"
            say(f"  {click.style('no expression reads:', fg='yellow')} {fields}")
        said = "" if explains else f"  {_counts(tried.tally)}."
        if tried.more:
            said += f"  There are more rows than --limit {self._wish.limit}."
        say(f"{said}\n" if said else "")


class Json:
    """One object; each entity on a line of its own, as soon as it is there."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._last: str | None = None
        self._explained: list[str] = []
        self._tried: list[Tried] = []

    def __enter__(self) -> Json:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()

    def begin(self, trial: Trial) -> None:
        """Nothing is said before the first entity."""

    def tell(
        self, trial: Trial, shown: Shown, gives: Sequence[Gave], slices: Sequence[Slice]
    ) -> None:
        from lading.mapping.evaluate import Mapped
        from lading.pipeline.playground import entity_json

        if isinstance(shown.outcome, Mapped):
            say(OPENING if self._last is None else f"{self._last},")
            self._last = entity_json(trial, shown.outcome.entity)
        if self._wish.explain is not None:
            self._explained.append(_explained_json(trial, shown, slices))

    def end(self, tried: Tried) -> None:
        _complain(tried)
        self._tried.append(tried)

    def _finish(self) -> None:
        from lading.pipeline.playground import exact_json

        tallies = [each.tally for each in self._tried]
        errors = [
            f"{each.trial.resource.name}: {error}"
            for each in self._tried
            for error in each.tally.selector_errors
        ]
        paths = dict.fromkeys(path for each in tallies for path in each.misconfigured)
        parts = {
            "misconfigured": exact_json(list(paths)),
            "selector_errors": exact_json(errors),
            "dropped": str(sum(each.dropped for each in tallies)),
        }
        if self._wish.explain is not None:
            parts["explained"] = f"[{', '.join(self._explained)}]"
        if self._wish.unmapped:
            fields = {each.trial.resource.name: each.unmapped for each in self._tried}
            parts["unmapped"] = exact_json(fields)
        start = f"{OPENING}]" if self._last is None else f"{self._last}\n]"
        rest = ",\n".join(f'"{key}": {text}' for key, text in parts.items())
        say(f"{start},\n{rest}}}")


OPENING = '{"entities": ['
PRINTERS: dict[str, type[Text] | type[Json]] = {"text": Text, "json": Json}


def _headline(shown: Shown) -> str:
    """What became of the record."""
    from lading.mapping import evaluate
    from lading.pipeline.playground import exact_json

    match shown.outcome:
        case evaluate.Mapped(entity=entity):
            identifier = entity.identifier
            named = identifier if isinstance(identifier, str) else exact_json(identifier)
            return click.style(f"{entity.blueprint} {_on_one_line(named)}", fg="green", bold=True)
        case evaluate.Filtered():
            return click.style("filtered: selector.query gave false", fg="yellow")
        case evaluate.Dropped(path=path, message=message):
            return click.style(f"dropped: {path} {_said(message)}", fg="red")
        case evaluate.Skipped(message=message) | evaluate.Faulty(message=message):
            word = "skipped" if isinstance(shown.outcome, evaluate.Skipped) else "error"
            return click.style(f"{word}: {_on_one_line(message)}", fg="red")


def _say_gave(each: Gave, width: int) -> None:
    from lading.pipeline.playground import exact_json

    path = each.path.ljust(width)
    if each.why_not is None:
        say(f"      {path}  {_on_one_line(exact_json(each.value))}")
        return
    expression = click.style(_shortened(_on_one_line(each.expression)), dim=True)
    say(f"      {path}  {click.style(_said(each.why_not), fg='red')}  {expression}")


def _said(message: str) -> str:
    """Why there is no value: an error in jq's words, or that there was none."""
    plain = message.startswith(("gave ", "does not compile: "))
    return _on_one_line(message if plain else f"failed: {message}")


def _counts(tally: Tally) -> str:
    said = f"{count(tally.rows, 'row')}: {count(tally.entities, 'entity', 'entities')}"
    more = (
        (tally.filtered, "filtered"),
        (tally.dropped, "dropped"),
        (len(tally.selector_errors), "failed"),
    )
    return ", ".join((said, *(f"{number:,} {word}" for number, word in more if number)))


def _slice(slice_: Slice) -> str:
    return (
        f"raw.{slice_.stream}, {_utc(slice_.starting_at)} to {_utc(slice_.ending_at)}: "
        f"{count(slice_.records, 'record')} that run {slice_.run_id} fetched at "
        f"{_utc(slice_.fetched_at)}, request {slice_.request}"
    )


def _explained_json(trial: Trial, shown: Shown, slices: Sequence[Slice]) -> str:
    from lading.pipeline.playground import exact_json

    behind = [
        {
            "stream": each.stream,
            "request": each.request,
            "starting_at": _utc(each.starting_at),
            "ending_at": _utc(each.ending_at),
            "records": each.records,
            "fetched_at": _utc(each.fetched_at),
            "run_id": each.run_id,
        }
        for each in slices
    ]
    name, position = exact_json(trial.resource.name), shown.outcome.position
    parts = f'"resource": {name}, "row": {position}, "record": {shown.row}'
    return f'{{{parts}, "slices": {exact_json(behind)}}}'


def _utc(moment: object) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _complain(tried: Tried) -> None:
    if tried.failed is not None:
        for each in tried.failed.problems:
            message = f"{tried.trial.resource.name}: {each.message}"
            complain(message, code="mapping_failed", place=each.place, hint=each.hint)


def _on_one_line(text: str) -> str:
    """As a terminal may have it: nothing in it moves the cursor or changes a colour."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else f"\\u{ord(each):04x}"
        for each in text
    )


def _shortened(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
