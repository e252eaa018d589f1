"""Where the value of an expression comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.transform.decoded import ANY_KEY, ELEMENT
from lading.transform.lineage_json import at_path, shape_of
from lading.transform.lineage_scopes import Scope
from lading.transform.lineage_values import KEYS, NOTHING, Value, list_of, listed, merged

if TYPE_CHECKING:
    from sqlglot import exp

QUERIES = frozenset({"select", "subquery", "union", "except", "intersect", "values", "pivot"})
SILENT = frozenset(
    {"literal", "null", "boolean", "var", "datatype", "star", "identifier", "where", "exists"}
)

# Functions and operators by the names of sqlglot's classes, or their own where it has no class.
# Those that give their first argument as it is, or a part of it:
FIRSTS = """
    alias paren cast trycast try ignorenulls respectnulls anyvalue any_value arbitrary first last
    firstvalue lastvalue nthvalue min max mode filter order parsejson to_json json collate
    list_sort array_sort arraysort list_reverse_sort array_reverse_sort list_reverse array_reverse
    arrayreverse list_distinct arraydistinct array_distinct arrayslice list_slice array_slice
    arrayfilter list_filter array_filter list_resize
"""
# Those that give any of their arguments:
CHOICES = """
    coalesce greatest least distinct arrayconcat list_concat list_cat array_concat array_cat
    map_concat json_merge_patch lag lead
"""
FIRST, ANY_OF = frozenset(FIRSTS.split()), frozenset(CHOICES.split())
FIRST_MADE_WITH_OTHERS = frozenset({"nullif", "argmax", "argmin"})
DECODERS = frozenset(
    {"fromjson", "from_json", "from_json_strict", "json_transform", "json_transform_strict"}
)
EXTRACTED = "jsonextract jsonextractscalar json_extract json_extract_string json_value"
TOLD = "jsontype json_type jsonkeys json_keys json_exists json_array_length"
PARTS = "list_extract array_extract list_element structextract struct_extract map_extract_value"
TRANSFORMED = "transform list_transform list_apply array_transform array_apply apply"
EXTRACTS, TOLD_OF_JSON = frozenset(EXTRACTED.split()), frozenset(TOLD.split())
ELEMENTS, TRANSFORMS = frozenset(PARTS.split()), frozenset(TRANSFORMED.split())
REDUCTIONS = frozenset({"list_reduce", "array_reduce", "reduce"})
RANKS = frozenset({"rownumber", "rank", "denserank", "percentrank", "cumedist", "ntile"})


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Reads expressions; `rows` reads the queries within them."""

    rows: Callable[[exp.Expr, Scope], Value]

    def value(self, node: exp.Expr | None, scope: Scope) -> Value:
        """What an expression is made of. sqlglot reads some that DuckDB does not, such as
        `* replace *`, which lack an operand."""
        if node is None:
            return NOTHING
        name = function_name(node)
        if name in SILENT:
            return scope.parameter(node.name) or NOTHING if name == "identifier" else NOTHING
        if name in QUERIES:
            return self._first_column(node, scope)
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, node, scope)
        return self.call(name, list(node.iter_expressions()), scope)

    def call(self, name: str, arguments: list[exp.Expr], scope: Scope) -> Value:
        """A function or an operator."""
        if name == "error" or not arguments:
            return NOTHING
        if name in FIRST:
            return self.value(arguments[0], scope)
        if name in TRANSFORMS:
            return listed(self._lambda(arguments, scope))
        if name in REDUCTIONS:
            return self._lambda(arguments, scope).computed
        special = CALLS.get(name)
        values = [self.value(each, scope) for each in arguments]
        return special(values, arguments) if special else merged(values).computed

    def _first_column(self, node: exp.Expr, scope: Scope) -> Value:
        rows = self.rows(node, scope)
        first = next(iter(rows.fields.values()), NOTHING)
        return merged([first, Value(rows.origins)])

    def _lambda(self, arguments: list[exp.Expr], scope: Scope) -> Value:
        """What a lambda gives for the elements of a list."""
        values = self.value(arguments[0], scope)
        if len(arguments) < 2 or arguments[1].key != "lambda":
            return merged(self.value(each, scope) for each in arguments).computed
        names = [each.name for each in arguments[1].expressions]
        element = values.step(ELEMENT)
        return self.value(arguments[1].this, scope.with_parameters(names, [element, element]))

    def arrow(self, node: exp.Expr, scope: Scope) -> Value:
        """`j -> 'a'`, which sqlglot takes for a lambda where it is an argument."""
        base = scope.resolve([node.expressions[0].name]) if len(node.expressions) == 1 else NOTHING
        return self._behind_arrow(base, node.this, scope)

    def _behind_arrow(self, base: Value, node: exp.Expr, scope: Scope) -> Value:
        if node.key == "literal":
            return at_path(base, node)
        if node.key in EXTRACTS:
            return at_path(self._behind_arrow(base, node.this, scope), node.expression)
        return merged([base, self.value(node, scope)]).computed

    def column(self, node: exp.Expr, scope: Scope) -> Value:
        if node.this.key == "star":
            return NOTHING
        return scope.resolve([part.name for part in node.parts])  # type: ignore[attr-defined]

    def dot(self, node: exp.Expr, scope: Scope) -> Value:
        field = node.expression
        if field.key == "identifier":
            return self._base(node.this, scope).step(field.name)
        first = _as_column(node.this) if node.this.key == "identifier" else node.this
        return self.call(function_name(field), [first, *field.iter_expressions()], scope)

    def _base(self, node: exp.Expr, scope: Scope) -> Value:
        return scope.resolve([node.name]) if node.key == "identifier" else self.value(node, scope)

    def case(self, node: exp.Expr, scope: Scope) -> Value:
        """The results, and the conditions if they choose between results: an `error` is none."""
        branches = node.args.get("ifs") or [node]
        default = node.args.get("default") or node.args.get("false")
        results = [each.args.get("true") for each in branches] + [default]
        values = [self.value(each, scope) for each in results if each is not None]
        if sum(not _is_error(each) for each in results) > 1:
            asked = [each.this for each in branches]
            asked += [node.this] if node.key == "case" and node.this else []
            values += [self.value(each, scope).computed for each in asked]
        return merged(values)

    def struct(self, node: exp.Expr, scope: Scope) -> Value:
        return Value(fields=self._fields(node.expressions, scope))

    def _fields(self, expressions: Iterable[exp.Expr], scope: Scope) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        for number, each in enumerate(expressions, 1):
            named = each.key in {"propertyeq", "jsonkeyvalue", "alias"}
            key = each.alias if each.key == "alias" else each.this.name if named else str(number)
            value = each.expression if named and each.key != "alias" else each
            fields[key] = self.value(value, scope)
        return fields

    def map_literal(self, node: exp.Expr, scope: Scope) -> Value:
        """`map {'a': x}`; a key that is no constant is any key."""
        fields: dict[str, list[Value]] = {}
        for each in node.this.expressions:
            constant = each.key == "propertyeq" and each.this.key == "literal"
            key = each.this.name if constant else ANY_KEY
            fields.setdefault(key, []).append(self.value(each.expression, scope))
            if not constant:
                fields.setdefault(KEYS, []).append(self.value(each.this, scope).computed)
        return Value(fields={key: merged(values) for key, values in fields.items()})

    def map(self, node: exp.Expr, scope: Scope) -> Value:
        keys, values = node.args.get("keys"), node.args.get("values")
        if keys is None or values is None:
            return NOTHING
        named = self.value(keys, scope).step(ELEMENT).computed
        return Value(fields={KEYS: named, ANY_KEY: self.value(values, scope).step(ELEMENT)})

    def list(self, node: exp.Expr, scope: Scope) -> Value:
        written = node.expressions
        if len(written) == 1 and written[0].key in QUERIES | {"comprehension"}:
            return listed(self.value(written[0], scope))
        return list_of(self.value(each, scope) for each in written)

    def comprehension(self, node: exp.Expr, scope: Scope) -> Value:
        element = self.value(node.args["iterator"], scope).step(ELEMENT)
        return self.value(node.this, scope.with_parameters([node.expression.name], [element]))

    def bracket(self, node: exp.Expr, scope: Scope) -> Value:
        value = self._base(node.this, scope)
        index = node.expressions[0] if node.expressions else None
        if index is None or index.key == "slice":
            return value
        # sqlglot counts elements from 0
        return _element(value, index, first=0)

    def window(self, node: exp.Expr, scope: Scope) -> Value:
        """The function's arguments; a rank has none, and is made of what orders the rows."""
        if function_name(node.this) not in RANKS:
            return self.value(node.this, scope)
        select = node.parent_select
        named = select.args.get("windows") or [] if select and node.alias else []
        windows = [node, *(each for each in named if each.name == node.alias)]
        return merged(self._ordering(each.args.get("order"), scope) for each in windows)

    def struct_with(self, node: exp.Expr, scope: Scope) -> Value:
        """`struct_insert(s, k := v)` and `struct_update`."""
        first, *others = node.expressions
        value, fields = self.value(first, scope), self._fields(others, scope)
        return Value(value.origins, {**value.fields, **fields}, value.shape)

    def is_test(self, node: exp.Expr, scope: Scope) -> Value:
        """Whether what a query builds is NULL has nothing to do with its fields."""
        value = self.value(node.this, scope)
        asks_for_null = node.key == "is" and node.expression.key == "null"
        other = NOTHING if asks_for_null else self.value(node.expression, scope)
        return merged([Value(value.origins) if asks_for_null else value, other]).computed

    def columns(self, node: exp.Expr, scope: Scope) -> Value:
        return scope.each_column

    def within_group(self, node: exp.Expr, scope: Scope) -> Value:
        """`percentile_cont(0.5) within group (order by x)` is made of x."""
        value = self.value(node.this, scope)
        return value if value.origins or value.fields else self._ordering(node.expression, scope)

    def _ordering(self, order: exp.Expr | None, scope: Scope) -> Value:
        keys = order.expressions if order is not None else []
        return merged(self.value(each.this, scope) for each in keys).computed


def function_name(node: exp.Expr) -> str:
    return str(node.this).lower() if node.key == "anonymous" else node.key


def _as_column(name: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.Column(this=name.copy())


def _is_error(node: exp.Expr | None) -> bool:
    return node is not None and function_name(node) == "error"


def _element(value: Value, index: exp.Expr, first: int = 1) -> Value:
    if index.key == "literal" and index.is_string:
        return value.step(index.name)
    if index.key == "literal" and index.name.isdecimal() and ANY_KEY not in value.fields:
        return value.step(f"[{int(index.name) + 1 - first}]")
    return value.step(ANY_KEY if ANY_KEY in value.fields else ELEMENT)


def _extracted(values: list[Value], arguments: list[exp.Expr]) -> Value:
    """A value within JSON; what can't be followed leads to the last that could."""
    if len(arguments) < 2:
        return values[0]
    return at_path(values[0], arguments[1])


def _decoded(values: list[Value], arguments: list[exp.Expr]) -> Value:
    shape = shape_of(arguments[1].name) if len(arguments) > 1 else None
    return Value(values[0].origins, values[0].fields, shape)


def _map_entries(values: list[Value], _: list[exp.Expr]) -> Value:
    return listed(Value(fields={"key": _keys_of(values[0]), "value": values[0].step(ANY_KEY)}))


def _keys_of(value: Value) -> Value:
    return merged([value.fields.get(KEYS, NOTHING), Value(value.origins).computed])


def _from_entries(values: list[Value], _: list[exp.Expr]) -> Value:
    """A map of the structs of a list, whose first fields are the keys."""
    entry = values[0].step(ELEMENT)
    key, value = entry.members[:2] if len(entry.members) > 1 else ("key", "value")
    return Value(fields={KEYS: entry.step(key).computed, ANY_KEY: entry.step(value)})


def _appended(values: list[Value], _: list[exp.Expr]) -> Value:
    return merged([values[0], *map(listed, values[1:])])


def _prepended(values: list[Value], arguments: list[exp.Expr]) -> Value:
    # array_prepend has its arguments the other way round than sqlglot's class
    is_called_so = arguments[0].parent is not None and arguments[0].parent.key == "arrayprepend"
    return _appended(values if is_called_so else values[::-1], arguments)


def _told_of_json(values: list[Value], arguments: list[exp.Expr]) -> Value:
    found = _extracted(values, arguments)
    if found.fields:
        return Value(fields={key: child.computed for key, child in found.fields.items()})
    return found.computed


Call = Callable[[list[Value], "list[exp.Expr]"], Value]

CALLS: Mapping[str, Call] = {
    **dict.fromkeys(ANY_OF, lambda values, _: merged(values)),
    **dict.fromkeys(
        FIRST_MADE_WITH_OTHERS,
        lambda values, _: merged([values[0], *(each.computed for each in values[1:])]),
    ),
    **dict.fromkeys(DECODERS, _decoded),
    **dict.fromkeys(EXTRACTS, _extracted),
    **dict.fromkeys(TOLD_OF_JSON, _told_of_json),
    **dict.fromkeys(ELEMENTS, lambda values, arguments: _element(values[0], arguments[-1])),
    **dict.fromkeys(
        ("element_at", "map_extract"),
        lambda values, arguments: listed(_element(values[0], arguments[-1])),
    ),
    **dict.fromkeys(("explode", "unnest"), lambda values, _: values[0].step(ELEMENT)),
    **dict.fromkeys(
        ("arrayagg", "list", "array_agg", "json_group_array"), lambda values, _: listed(values[0])
    ),
    **dict.fromkeys(
        ("flatten", "arrayflatten"), lambda values, _: listed(values[0].step(ELEMENT).step(ELEMENT))
    ),
    **dict.fromkeys(("mapkeys", "map_keys"), lambda values, _: listed(_keys_of(values[0]))),
    **dict.fromkeys(("mapvalues", "map_values"), lambda values, _: listed(values[0].step(ANY_KEY))),
    **dict.fromkeys(("mapfromentries", "map_from_entries"), _from_entries),
    **dict.fromkeys(("arrayappend", "list_append", "array_append"), _appended),
    **dict.fromkeys(("arrayprepend", "list_prepend", "array_prepend"), _prepended),
    **dict.fromkeys(("jsonarray", "json_array"), lambda values, _: list_of(values)),
    "map_entries": _map_entries,
    "json_group_object": lambda values, _: Value(
        fields={KEYS: values[0].computed, ANY_KEY: values[-1]}
    ),
}

SPECIAL: Mapping[str, Callable[[Evaluator, Any, Scope], Value]] = {
    "column": Evaluator.column,
    "dot": Evaluator.dot,
    "lambda": Evaluator.arrow,
    "case": Evaluator.case,
    "if": Evaluator.case,
    "struct": Evaluator.struct,
    "tuple": Evaluator.struct,
    "row": Evaluator.struct,
    "jsonobject": Evaluator.struct,
    "tomap": Evaluator.map_literal,
    "map": Evaluator.map,
    "array": Evaluator.list,
    "comprehension": Evaluator.comprehension,
    "bracket": Evaluator.bracket,
    "window": Evaluator.window,
    "struct_insert": Evaluator.struct_with,
    "struct_update": Evaluator.struct_with,
    "is": Evaluator.is_test,
    "columns": Evaluator.columns,
    "withingroup": Evaluator.within_group,
}
