"""A resource as ONE JQ program: for each row one text with everything that became of it.

The text has a line for each record of the row (a row is one record, unless `itemsToParse` splits
it). The first character says what the line is:

    [   the values of all expressions, in order: nothing failed
    {   {"guarded": [...]}: for each expression a list that begins with its value, if there is
        one, or the error's text
    -   the selector gave false
    !   the selector gave neither true nor false; the reason follows as JSON text
    ~   the row could not be split; the reason follows as JSON text

Each expression stands in the program once, as the body of a function, and only if it compiles
alone: a text with an unmatched parenthesis never gets here. An expression that does not compile
is a function that fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lading.mapping.expressions import CLOSE, CONFINED, Expression, Fault, gives_one_value
from lading.mapping.outline import Outline, Shape, Split

WORDS = 'def lading_words: if type == "string" then . else tojson end;'

ENTITY = """\
def lading_entity:
  . as $record
  | try ([{plain}] | tojson)
    catch ($record | {{guarded: [
      {guarded}
    ]}} | tojson);"""

SELECT = """\
def lading_record:
  (try {selected} catch null) as $selected
  | if $selected == true then lading_entity
    elif $selected == false then "-"
    else
      "!" + (try ([{some}]
          | if . == [] then "gave nothing" else "gave " + (.[0] | tojson)[:100] end
        ) catch ("failed: " + lading_words) | tojson)
    end;"""

SPLIT = """\
def lading_row:
  . as $row
  | (try [{some}] catch ("itemsToParse failed: " + lading_words)) as $items
  | if ($items | type) == "string" then "~" + ($items | tojson)
    elif ($items[0] | type) != "array" then
      "~" + ("itemsToParse gave \\($items[0] | type), not a list" | tojson)
    elif $items[0] == [] then ""
    else
      (try [first(lading_left)] catch lading_words) as $left
      | if ($left | type) == "string" then "~" + ($left | tojson)
        elif ($left[0] | type) != "object" then
          "~" + ("itemsToParse leaves \\($left[0] | type) of the record, not an object" | tojson)
        else
          reduce ($items[0][] | $left[0] + {{ {name}: . }} | lading_record) as $line
            (""; . + $line + "\\n")
        end
    end;"""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled resource: the JQ text, the path of each value in its answers, and the entity's
    shape, which refers to the values by number."""

    text: str
    paths: tuple[str, ...]
    shape: Mapping[str, Shape]


def fuse(outline: Outline, broken: Mapping[str, Fault]) -> Program:
    """The program of a resource; `broken` has the texts that do not compile, and why."""
    parts = [
        CONFINED,
        WORDS,
        _function("lading_selector", outline.selector, broken),
        *(_function(f"lading_{number}", each, broken) for number, each in _numbered(outline)),
        _entity(outline, broken),
        SELECT.format(
            selected=_first("lading_selector", outline.selector, broken),
            some=_some("lading_selector", outline.selector, broken),
        ),
        *(_split(outline.split, broken) if outline.split else ()),
        "lading_row" if outline.split else "lading_record",
    ]
    paths = tuple(each.path for each in outline.values)
    return Program("\n".join(parts) + "\n", paths, outline.shape)


def _numbered(outline: Outline) -> enumerate[Expression]:
    return enumerate(outline.values)


def _function(name: str, each: Expression, broken: Mapping[str, Fault]) -> str:
    if each.text in broken:
        reason = json.dumps(f"does not compile: {broken[each.text]}")
        return f"def {name}: error({reason}); # {json.dumps(each.path)}"
    return f"def {name}: ( # {json.dumps(each.path)}\n{each.text}{CLOSE};"


def _some(name: str, each: Expression, broken: Mapping[str, Fault]) -> str:
    """A call of the function that gives its first value, and more only where JQ leaves no choice:
    `?//` takes the leaving of `first` for an error, and tries its other patterns."""
    surely_one = each.text in broken or gives_one_value(each.text)
    return name if surely_one or "?//" in each.text else f"first({name})"


def _first(name: str, each: Expression, broken: Mapping[str, Fault]) -> str:
    """The first value of a function, or null. The brackets hold even against an expression that
    raises what JQ itself raises to leave a label: `error({__jq: 0})` gives no value at all."""
    if each.text in broken or gives_one_value(each.text):
        return name
    return f"[{_some(name, each, broken)}][0]"


def _entity(outline: Outline, broken: Mapping[str, Fault]) -> str:
    """All values in one go, and one by one when any of them failed."""
    plain = [_first(f"lading_{n}", each, broken) for n, each in _numbered(outline)]
    guarded = [
        f"(try [{_some(f'lading_{n}', each, broken)}] catch lading_words)"
        for n, each in _numbered(outline)
    ]
    return ENTITY.format(plain=", ".join(plain), guarded=",\n      ".join(guarded))


def _split(split: Split, broken: Mapping[str, Fault]) -> tuple[str, str, str]:
    left = "def lading_left: .;"
    if split.left is not None:
        left = _function("lading_left", split.left, broken)
    items = _function("lading_items", split.items, broken)
    some = _some("lading_items", split.items, broken)
    return items, left, SPLIT.format(some=some, name=json.dumps(split.name))
