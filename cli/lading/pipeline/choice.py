"""Which nodes of the graph a person means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.pipeline.building import Wish
    from lading.pipeline.context import Context
    from lading.transform.nodes import Node
    from lading.transform.selection import State


@dataclass(frozen=True, slots=True)
class Choice:
    """What `--select` and its likes say."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    state: State | None = None
    allow_empty: bool = False

    @property
    def is_made(self) -> bool:
        """Whether they say anything."""
        return bool(self.select or self.exclude)

    def ids(
        self, nodes: Mapping[str, Node], more: Sequence[str] = (), *, tests: bool = False
    ) -> tuple[str, ...]:
        """The chosen nodes, of all of them when nothing is said; with `more` terms, and with the
        tests that read them.

        Raises:
            UserError: a term that means nothing, or no node.
        """
        from lading.transform.selection import select

        include = (*more, *self.select)
        return select(
            nodes, include, self.exclude, self.state, tests=tests, allow_empty=self.allow_empty
        )

    def wish(self, context: Context, targets: Sequence[str], **ways: Any) -> Wish:
        """What to build: `targets` bring what they need; what is chosen stands alone.

        Raises:
            UserError: something that means nothing, or no node.
        """
        from lading.pipeline.building import Wish

        wish = Wish(**ways)
        if not targets and not self.is_made:
            return wish
        from lading.pipeline.nodes import nodes_of
        from lading.transform.selecting.reach import edges, reached
        from lading.transform.selection import select

        nodes = nodes_of(context)
        if targets:
            named = select(nodes, targets, state=self.state, allow_empty=self.allow_empty)
            wish = replace(wish, targets=frozenset(reached(named, edges(nodes).parents)))
        if self.is_made:
            ids = frozenset(self.ids(nodes, tests=True))
            tests = frozenset(each for each in ids if each.startswith("test."))
            wish = replace(wish, nodes=ids, tests=tests)
        return wish
