"""JQ's grammar: an expression as a tree, for looking at what it reads. Nothing here runs JQ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lading.mapping.jq_tokens import CLOSING_QUOTE, Token

UPDATES = frozenset({"=", "|=", "+=", "-=", "*=", "/=", "%=", "//="})
# Operators from the loosest to the tightest, below `|`, `,` and `//`.
LEVELS: tuple[frozenset[str], ...] = (
    UPDATES,
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)


class NotUnderstoodError(Exception):
    """These tokens are no expression."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression, by `kind`:

    - `here` is `.`, `text` and `number` are constants, `interpolated` a text with expressions
    - `field`, `each`, `index` and `slice` begin with what they are taken from
    - `pipe`, `comma`, `either` (of which the values come) and `operator`
    - `as`: a source, patterns and what sees them; `reduce`, `foreach`: a source, a pattern, steps
    - `def`: a body and what sees it, `names` are the function's and its parameters'
    - `if`: conditions and results in turns, at last what is else
    - `call`, `variable`, `array`, `object` (of `member`s: key and value), `descend` (`..`)

    In a pattern `field`, `each` and `index` have the pattern for what they lead to.
    """

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()


HERE = Node("here")
END = Token("end", "")


def parse(tokens: Sequence[Token]) -> Node:
    """The tree of an expression.

    Raises:
        NotUnderstoodError: the tokens are not one expression.
    """
    reader = Reader(tokens)
    tree = reader.pipe()
    if reader.here is not END:
        raise NotUnderstoodError
    return tree


@dataclass(slots=True)
class Reader:
    """Reads tokens, one after another."""

    tokens: Sequence[Token]
    at: int = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def take(self, *kinds: str) -> str:
        token = self.here
        if kinds and token.kind not in kinds:
            raise NotUnderstoodError
        self.at += 1
        return token.text

    def found(self, *texts: str) -> str:
        """The next token, taken, if it is one of these marks or words; '' otherwise."""
        is_one = self.here.kind in {"mark", "word"} and self.here.text in texts
        return self.take() if is_one else ""

    def want(self, *texts: str) -> str:
        if text := self.found(*texts):
            return text
        raise NotUnderstoodError

    def several(self, one: Callable[[], Node], separator: str, closing: str) -> tuple[Node, ...]:
        """One or more, up to what closes them."""
        parts = [one()]
        while self.found(separator):
            parts.append(one())
        self.want(closing)
        return tuple(parts)

    def pipe(self) -> Node:
        left = self._comma()
        return Node("pipe", parts=(left, self.pipe())) if self.found("|") else left

    def _comma(self) -> Node:
        left = self._either()
        while self.found(","):
            left = Node("comma", parts=(left, self._either()))
        return left

    def _either(self) -> Node:
        left = self._level(0)
        more = self.found("//", "?//")
        return Node("either", parts=(left, self._either())) if more else left

    def _level(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._operand()
        left = self._level(level + 1)
        while mark := self.found(*LEVELS[level]):
            left = Node("operator", mark, (left, self._level(level + 1)))
        return left

    def _operand(self) -> Node:
        if self.found("-"):
            return Node("operator", "-", (self._operand(),))
        term = self.term()
        if not self.found("as"):
            return term
        patterns = self.several(self.pattern, "?//", "|")
        return Node("as", parts=(term, *patterns, self.pipe()))

    def term(self) -> Node:
        """What is tightest, with all that is taken from it."""
        term = self._first()
        while True:
            if self.here.kind == "field":
                term = Node("field", self.take()[1:], (term,))
            elif self.here.text == "." and self._is_suffix(self.at + 1):
                self.take()
                term = self._suffix(term)
            elif self.here == Token("mark", "["):
                term = self._suffix(term)
            elif not self.found("?"):
                return term

    def _is_suffix(self, at: int) -> bool:
        following = self.tokens[at] if at < len(self.tokens) else END
        return following.kind == "text" or following == Token("mark", "[")

    def _suffix(self, term: Node) -> Node:
        """A text or brackets."""
        if self.here.kind == "text":
            return Node("index", parts=(term, self._text()))
        self.want("[")
        if self.found("]"):
            return Node("each", parts=(term,))
        if self.found(":"):
            return Node("slice", parts=(term, *self.several(self.pipe, "", "]")))
        index = self.pipe()
        if not self.found(":"):
            self.want("]")
            return Node("index", parts=(term, index))
        ends = () if self.found("]") else self.several(self.pipe, "", "]")
        return Node("slice", parts=(term, index, *ends))

    def _first(self) -> Node:
        kind, text = self.here.kind, self.here.text
        if kind == "text":
            return self._text()
        if kind == "field":
            return Node("field", self.take()[1:], (HERE,))
        if kind in {"number", "variable"}:
            return Node(kind, self.take())
        if kind == "format":
            self.take()
            return self._text() if self.here.kind == "text" else Node("call", text)
        reading = FIRSTS.get(text) if kind in {"word", "mark"} else None
        if reading is not None:
            self.take()
            return reading(self)
        return self._call()

    def _text(self) -> Node:
        text, within = self.take("text"), []
        while self.found("("):
            within.append(self.pipe())
            self.want(")")
        self.take(CLOSING_QUOTE)
        return Node("interpolated" if within else "text", text, tuple(within))

    def dot(self) -> Node:
        return self._suffix(HERE) if self._is_suffix(self.at) else HERE

    def descend(self) -> Node:
        return Node("descend")

    def parenthesis(self) -> Node:
        return self.several(self.pipe, "", ")")[0]

    def array(self) -> Node:
        return Node("array", parts=() if self.found("]") else self.several(self.pipe, "", "]"))

    def object(self) -> Node:
        members = []
        while not self.found("}"):
            members.append(self._member())
            if not self.found(","):
                self.want("}")
                break
        return Node("object", parts=tuple(members))

    def _member(self) -> Node:
        key = self._key()
        if not self.found(":"):
            value = key if key.kind == "variable" else Node("index", parts=(HERE, key))
            return Node("member", parts=(Node("text", key.text.lstrip("$")), value))
        value = self._either()
        while self.found("|"):
            value = Node("pipe", parts=(value, self._either()))
        return Node("member", parts=(key, value))

    def _key(self) -> Node:
        if self.here.kind == "text":
            return self._text()
        if self.here.kind == "variable":
            return Node("variable", self.take())
        if self.found("("):
            return self.parenthesis()
        return Node("text", self.take("word", "number", "format"))

    def pattern(self) -> Node:
        """What `as` binds: a variable, or those in an array or an object."""
        if self.here.kind == "variable":
            return Node("variable", self.take())
        if self.want("[", "{") == "[":
            return Node("pattern", parts=self.several(self._element, ",", "]"))
        return Node("pattern", parts=self.several(self._property, ",", "}"))

    def _element(self) -> Node:
        return Node("each", parts=(self.pattern(),))

    def _property(self) -> Node:
        key = self._key()
        bound = (key,) if key.kind == "variable" else ()
        if bound and not self.found(":"):
            return Node("field", key.text[1:], bound)
        if not bound:
            self.want(":")
        kind, text = ("field", key.text.lstrip("$")) if key.kind != "interpolated" else ("each", "")
        return Node(kind, text, (*bound, self.pattern()))

    def _call(self) -> Node:
        name = self.take("word")
        if name in RESERVED:
            raise NotUnderstoodError
        arguments = self.several(self.pipe, ";", ")") if self.found("(") else ()
        return Node("call", name, arguments)

    def condition(self) -> Node:
        parts = [self.pipe(), self._then()]
        while (word := self.want("elif", "else", "end")) == "elif":
            parts += [self.pipe(), self._then()]
        return Node(
            "if", parts=(*parts, self.several(self.pipe, "", "end")[0] if word == "else" else HERE)
        )

    def _then(self) -> Node:
        self.want("then")
        return self.pipe()

    def attempt(self) -> Node:
        body = self.term()
        return Node("either", parts=(body, self.term())) if self.found("catch") else body

    def loop(self) -> Node:
        source = self.term()
        self.want("as")
        pattern = self.pattern()
        self.want("(")
        return Node("loop", parts=(source, pattern, *self.several(self.pipe, ";", ")")))

    def label(self) -> Node:
        self.take("variable")
        self.want("|")
        return self.pipe()

    def leave(self) -> Node:
        self.take("variable")
        return Node("call", "empty")

    def definition(self) -> Node:
        names = [self.take("word")]
        if self.found("("):
            names.append(self.take("word", "variable"))
            while self.found(";"):
                names.append(self.take("word", "variable"))
            self.want(")")
        self.want(":")
        body = self.several(self.pipe, "", ";")[0]
        return Node("def", parts=(body, self.pipe()), names=tuple(names))


RESERVED = frozenset({"then", "elif", "else", "end", "as", "catch", "and", "or"})
FIRSTS: Mapping[str, Callable[[Reader], Node]] = {
    ".": Reader.dot,
    "..": Reader.descend,
    "(": Reader.parenthesis,
    "[": Reader.array,
    "{": Reader.object,
    "if": Reader.condition,
    "try": Reader.attempt,
    "reduce": Reader.loop,
    "foreach": Reader.loop,
    "label": Reader.label,
    "break": Reader.leave,
    "def": Reader.definition,
}
