"""Which parts of a row a JQ expression reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lading.mapping.jq_syntax import HERE, UPDATES, Node, NotUnderstoodError, parse
from lading.mapping.jq_tokens import Token, tokens

Path = tuple[str, ...]

# Any element of a list, or any value of an object.
ELEMENT = "[]"
# Bounds for expressions that call themselves, and for those that are no JQ.
MOST_STEPS, MOST_CALLS, MOST_TOKENS = 5000, 12, 300

# What these give has nothing to do with `.`, only with their arguments.
WITHOUT_INPUT = frozenset(
    {"empty", "null", "true", "false", "now", "nan", "infinite", "env", "range"}
)
WITHOUT_INPUT |= {"input", "inputs", "halt"}
SAME = frozenset(
    {"values", "nulls", "scalars", "strings", "numbers", "booleans", "arrays", "objects"}
    | {"iterables", "debug", "stderr", "sort", "unique", "reverse"}
)
ONE_OF = frozenset({"first", "last", "add", "min", "max"})


def read_paths(expression: str, items: str | None = None, name: str = "item") -> tuple[Path, ...]:
    """The paths of a row that an expression reads, sorted. `()` is all of the row.

    With `items` (a resource's `itemsToParse`), what it gives is read through `.item`, or another
    `name`; its paths are those in the row that was split. Of a text that is no JQ the longest part
    from its beginning that is JQ counts.
    """
    row = Value(frozenset({()}))
    if items is None:
        used = _used(expression, row)
    else:
        elements = _value(items, row, Reading()).step(ELEMENT)
        used = _used(expression, Value(row.paths, {name: elements}))
        used = {path for path in used if path[:1] != (name,)}
    return tuple(sorted({_of_a_row(path) for path in used}))


def _used(expression: str, row: Value) -> set[Path]:
    reading = Reading()
    reading.use(_value(expression, row, reading))
    return reading.used


def _value(expression: str, row: Value, reading: Reading) -> Value:
    tree = _understood(tokens(expression))
    try:
        return NOTHING if tree is None else reading.value(tree, row, Environment())
    except RecursionError:
        return row


def _understood(found: list[Token]) -> Node | None:
    for end in (len(found), *range(min(len(found) - 1, MOST_TOKENS), 0, -1)):
        try:
            return parse(found[:end])
        except (NotUnderstoodError, RecursionError):
            continue
    return None


def _of_a_row(path: Path) -> Path:
    """A row is no list: of its values in turn, each is read."""
    return () if path[:1] == (ELEMENT,) else path


@dataclass(frozen=True, slots=True)
class Value:
    """What a value is: what stands at one of these paths, or what was built with these fields."""

    paths: frozenset[Path] = frozenset()
    fields: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def step(self, name: str) -> Value:
        inner = [
            child for key, child in self.fields.items() if ELEMENT in (name, key) or key == name
        ]
        return merged([Value(frozenset((*path, name) for path in self.paths)), *inner])


NOTHING = Value()


def merged(values: Iterable[Value]) -> Value:
    several = [each for each in values if each.paths or each.fields]
    if len(several) <= 1:
        return several[0] if several else NOTHING
    fields: dict[str, list[Value]] = {}
    for each in several:
        for key, child in each.fields.items():
            fields.setdefault(key, []).append(child)
    paths = frozenset().union(*(each.paths for each in several))
    return Value(paths, {key: merged(children) for key, children in fields.items()})


@dataclass(frozen=True, slots=True)
class Function:
    """A function of an expression, or an argument for one, with what it sees."""

    parameters: tuple[str, ...]
    body: Node
    environment: Environment
    is_argument: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    variables: Mapping[str, Value] = field(default_factory=dict)
    functions: Mapping[tuple[str, int], Function] = field(default_factory=dict)
    calls: int = 0

    def with_variables(self, variables: Mapping[str, Value]) -> Environment:
        return replace(self, variables={**self.variables, **variables})

    def with_function(self, name: str, function: Function) -> Environment:
        key = (name, len(function.parameters))
        return replace(self, functions={**self.functions, key: function})


@dataclass(slots=True)
class Reading:
    """Goes through an expression; `used` are the paths of values that came to something."""

    used: set[Path] = field(default_factory=set)
    steps: int = 0

    def use(self, *values: Value) -> Value:
        """Something is made of these values."""
        for each in values:
            self.used |= each.paths
            self.use(*each.fields.values())
        return NOTHING

    def value(self, node: Node, here: Value, sees: Environment) -> Value:
        self.steps += 1
        if self.steps > MOST_STEPS:
            return self.use(here)
        special = KINDS.get(node.kind)
        if special is not None:
            return special(self, node, here, sees)
        # comma, either, interpolated: what one of them may give
        return merged(self.value(each, here, sees) for each in node.parts)

    def field(self, node: Node, here: Value, sees: Environment) -> Value:
        return self.value(node.parts[0], here, sees).step(node.text)

    def each(self, node: Node, here: Value, sees: Environment) -> Value:
        return self.value(node.parts[0], here, sees).step(ELEMENT)

    def index(self, node: Node, here: Value, sees: Environment) -> Value:
        base, index = self.value(node.parts[0], here, sees), node.parts[1]
        if index.kind == "text":
            return base.step(index.text)
        self.use(self.value(index, here, sees))
        return base.step(ELEMENT)

    def slice(self, node: Node, here: Value, sees: Environment) -> Value:
        self.use(*(self.value(each, here, sees) for each in node.parts[1:]))
        return self.value(node.parts[0], here, sees)

    def pipe(self, node: Node, here: Value, sees: Environment) -> Value:
        left, right = node.parts
        return self.value(right, self.value(left, here, sees), sees)

    def operator(self, node: Node, here: Value, sees: Environment) -> Value:
        if node.text in UPDATES:
            target, new = node.parts
            changed = self.value(target, here, sees)
            self.use(self.value(new, changed if node.text == "|=" else here, sees))
            return here
        values = [self.value(each, here, sees) for each in node.parts]
        # objects can be added and multiplied, and have their fields then
        return merged(values) if node.text in {"+", "*"} else self.use(*values)

    def variable(self, node: Node, here: Value, sees: Environment) -> Value:
        return sees.variables.get(node.text, NOTHING)

    def binding(self, node: Node, here: Value, sees: Environment) -> Value:
        source, *patterns, body = node.parts
        value = self.value(source, here, sees)
        bound = {name: each for pattern in patterns for name, each in _bound(pattern, value)}
        return self.value(body, here, sees.with_variables(bound))

    def loop(self, node: Node, here: Value, sees: Environment) -> Value:
        """`reduce` and `foreach`: what is kept from round to round may come from any round."""
        source, pattern, start, *steps = node.parts
        bound = dict(_bound(pattern, self.value(source, here, sees)))
        kept = self.value(start, here, sees)
        inner = sees.with_variables(bound)
        for _ in range(2):
            made = kept
            for step in steps:
                made = self.value(step, made, inner)
            kept = merged([kept, made])
        return kept

    def condition(self, node: Node, here: Value, sees: Environment) -> Value:
        *turns, otherwise = node.parts
        self.use(*(self.value(each, here, sees) for each in turns[::2]))
        return merged(self.value(each, here, sees) for each in (*turns[1::2], otherwise))

    def array(self, node: Node, here: Value, sees: Environment) -> Value:
        return _listed(merged(self.value(each, here, sees) for each in node.parts))

    def object(self, node: Node, here: Value, sees: Environment) -> Value:
        fields: dict[str, Value] = {}
        for key, value in (member.parts for member in node.parts):
            if key.kind != "text":
                self.use(self.value(key, here, sees))
            name = key.text if key.kind == "text" else ELEMENT
            fields[name] = merged([fields.get(name, NOTHING), self.value(value, here, sees)])
        return Value(fields=fields)

    def definition(self, node: Node, here: Value, sees: Environment) -> Value:
        body, rest = node.parts
        name, *parameters = node.names
        function = Function(tuple(parameters), body, sees)
        return self.value(rest, here, sees.with_function(name, function))

    def descend(self, node: Node, here: Value, sees: Environment) -> Value:
        return self.use(here)

    def call(self, node: Node, here: Value, sees: Environment) -> Value:
        function = sees.functions.get((node.text, len(node.parts)))
        if function is not None:
            return self._own(node, function, here, sees)
        if (known := CALLS.get((node.text, len(node.parts)))) is not None:
            return known(self, node.parts, here, sees)
        if node.text in SAME and not node.parts:
            return here
        if node.text in ONE_OF and not node.parts:
            return here.step(ELEMENT)
        for number, argument in enumerate(node.parts):
            # what replaces a match sees what the match captured
            is_replacement = number and node.text in {"sub", "gsub"}
            self.use(self.value(argument, NOTHING if is_replacement else here, sees))
        return NOTHING if node.text in WITHOUT_INPUT else self.use(here)

    def _own(self, node: Node, function: Function, here: Value, sees: Environment) -> Value:
        """A function that the expression defines, or an argument within one."""
        if sees.calls > MOST_CALLS:
            return self.use(here)
        inner = replace(function.environment, calls=sees.calls + 1)
        if not function.is_argument:
            inner = inner.with_function(node.text, function)
        for name, argument in zip(function.parameters, node.parts, strict=True):
            if name.startswith("$"):
                inner = inner.with_variables({name: self.value(argument, here, sees)})
            inner = inner.with_function(
                name.lstrip("$"), Function((), argument, sees, is_argument=True)
            )
        return self.value(function.body, here, inner)

    def of_elements(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        return self.value(parts[0], here.step(ELEMENT), sees)

    def chosen(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        """`select(f)`."""
        self.use(self.value(parts[0], here, sees))
        return here

    def arranged(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        """`sort_by(f)`: the same list, by what its elements have."""
        self.use(self.of_elements(parts, here, sees))
        return here

    def last(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        """`limit(n; f)`: what the last argument gives."""
        self.use(*(self.value(each, here, sees) for each in parts[:-1]))
        return self.value(parts[-1], here, sees)

    def asked(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        """`any(f)` and `any(generator; f)`."""
        elements = self.value(parts[0], here, sees) if len(parts) > 1 else here.step(ELEMENT)
        return self.use(self.value(parts[-1], elements, sees))

    def deleted(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        self.value(parts[0], here, sees)
        return here

    def has(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        return self.use(self.index(Node("index", parts=(HERE, parts[0])), here, sees))

    def getpath(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        """What is at a path that is written out; of any other, all is read."""
        value = here
        for step in _members(parts[0]):
            value = self.index(Node("index", parts=(HERE, step)), value, sees)
        return value

    def with_entries(self, parts: Nodes, here: Value, sees: Environment) -> Value:
        return _from_entries(_listed(self.value(parts[0], _entry(here), sees)))


def _bound(pattern: Node, value: Value) -> Iterator[tuple[str, Value]]:
    if pattern.kind == "variable":
        yield pattern.text, value
        return
    if pattern.kind in {"field", "each"}:
        value = value.step(pattern.text if pattern.kind == "field" else ELEMENT)
    for each in pattern.parts:
        yield from _bound(each, value)


def _listed(element: Value) -> Value:
    return Value(fields={ELEMENT: element})


def _entry(value: Value) -> Value:
    return Value(fields={"key": Value(value.paths), "value": value.step(ELEMENT)})


def _from_entries(entries: Value) -> Value:
    entry = entries.step(ELEMENT)
    return Value(entry.step("key").paths, {ELEMENT: entry.step("value")})


def _members(array: Node) -> list[Node]:
    """The members of an array that is written out."""
    found: list[Node] = []
    left = list(array.parts) if array.kind == "array" else [array]
    while left:
        node = left.pop()
        left.extend(node.parts if node.kind == "comma" else ())
        found += [] if node.kind == "comma" else [node]
    return found[::-1]


Nodes = tuple[Node, ...]
Call = Callable[[Reading, Nodes, Value, Environment], Value]

KINDS: Mapping[str, Callable[[Reading, Node, Value, Environment], Value]] = {
    "here": lambda reading, node, here, sees: here,
    "field": Reading.field,
    "each": Reading.each,
    "index": Reading.index,
    "slice": Reading.slice,
    "pipe": Reading.pipe,
    "operator": Reading.operator,
    "variable": Reading.variable,
    "as": Reading.binding,
    "loop": Reading.loop,
    "if": Reading.condition,
    "array": Reading.array,
    "object": Reading.object,
    "def": Reading.definition,
    "descend": Reading.descend,
    "call": Reading.call,
}

CALLS: Mapping[tuple[str, int], Call] = {
    ("map", 1): lambda reading, parts, here, sees: _listed(reading.of_elements(parts, here, sees)),
    ("map_values", 1): lambda reading, parts, here, sees: _listed(
        reading.of_elements(parts, here, sees)
    ),
    ("select", 1): Reading.chosen,
    ("sort_by", 1): Reading.arranged,
    ("unique_by", 1): Reading.arranged,
    ("group_by", 1): lambda reading, parts, here, sees: _listed(
        reading.arranged(parts, here, sees)
    ),
    ("min_by", 1): lambda reading, parts, here, sees: reading.arranged(parts, here, sees).step(
        ELEMENT
    ),
    ("max_by", 1): lambda reading, parts, here, sees: reading.arranged(parts, here, sees).step(
        ELEMENT
    ),
    **{(name, 1): Reading.last for name in ("first", "last", "add")},
    **{(name, 2): Reading.last for name in ("limit", "skip", "nth")},
    **{(name, arity): Reading.asked for name in ("any", "all") for arity in (1, 2)},
    ("del", 1): Reading.deleted,
    ("has", 1): Reading.has,
    ("getpath", 1): Reading.getpath,
    ("to_entries", 0): lambda reading, parts, here, sees: _listed(_entry(here)),
    ("from_entries", 0): lambda reading, parts, here, sees: _from_entries(here),
    ("with_entries", 1): Reading.with_entries,
    # an argument's value alone, whatever `.` is
    ("error", 1): lambda reading, parts, here, sees: reading.use(
        reading.value(parts[0], here, sees)
    ),
}
