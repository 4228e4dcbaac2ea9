"""How what can be asked of a row rests on each other, what-ifs included.

A node is a column, a fact, a measure; `stage~purchase_stage` is the stage measured over the facts as a purchase
would leave them,
`n:stage.purchase` how many purchases that takes, and `r:stage` which rung of the ladder decided.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import FromClause, select

from app.query.fact import constant
from app.query.measure import Expression, Noted, Step
from app.query.shape import Shape

Resolve = Callable[[str], Expression]

# The node that holds which rung of a ladder decided, as its place.
DECIDING = "r:"


class Row:
    """What a rule is given as `c`: columns, facts and measures by attribute."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    def __getattr__(self, key: str) -> Expression:
        return self._resolve(key)

    def latest(self, key: str, size: int) -> list[Expression]:
        return [self._resolve(f"{key}_{n}") for n in range(1, size + 1)]


class Thresholds:
    """What a rule is given as `p`: the policy in force, and the clock."""

    def __init__(self, policy: FromClause, today: Expression, now: Expression) -> None:
        self._policy = policy
        self.today, self.now = today, now
        # Whether a threshold was asked for.
        self.touched = False

    def __getattr__(self, key: str) -> Expression:
        return select(self._policy.c[key]).scalar_subquery()


class Joined(Thresholds):
    """The same where the policy is one of the sources: shorter, and as good once the rows are few."""

    def __getattr__(self, key: str) -> Expression:
        self.touched = True
        return self._policy.c[key]


@dataclass(frozen=True)
class WhatIf:
    """Facts or measures as some steps of a measure would leave them. How often a step is needed is a node of its
    own."""

    name: str
    measure: str
    steps: tuple[Step, ...]

    def needed(self, step: Step) -> str:
        return f"n:{self.measure}.{step.key}"


class Graph:
    """How the nodes of a shape rest on each other, what-ifs included."""

    def __init__(self, shape: Shape, what_ifs: Iterable[WhatIf] = ()) -> None:
        self.shape = shape
        self.what_ifs = {what_if.name: what_if for what_if in what_ifs}
        self.needed = {each.needed(step): step for each in self.what_ifs.values() for step in each.steps}
        self._needs: dict[str, frozenset[str]] = {}
        self._heights: dict[str, int] = {}
        self._changed: dict[str, dict[str, frozenset[str]]] = {}

    def needs(self, node: str) -> frozenset[str]:
        """The nodes that an expression names; none for what is stored."""
        if node not in self._needs:
            self._needs[node] = self._find_needs(node)
        return self._needs[node]

    def _find_needs(self, node: str) -> frozenset[str]:
        if node.startswith(DECIDING):
            return self.shape.measures[node.removeprefix(DECIDING)].needs
        if node in self.needed:
            row = Noted()
            self.needed[node].needed(row, Noted())
            return frozenset(row.asked)
        key, _, what_if = node.partition("~")
        if not what_if:
            return self.shape.measures[key].needs if key in self.shape.measures else frozenset()
        changes = self.changes(what_if)
        if key in changes:
            return changes[key]
        return frozenset(self.under(need, what_if) for need in self.shape.measures[key].needs)

    def changes(self, what_if: str) -> dict[str, frozenset[str]]:
        """What it changes, and the nodes that each change names."""
        if what_if not in self._changed:
            self._changed[what_if] = found = {}
            for step in self.what_ifs[what_if].steps:
                row = Noted()
                changed = step.change(row, Noted(), constant(1))
                for key in changed:
                    found[key] = frozenset(row.asked | {self.what_ifs[what_if].needed(step)})
        return self._changed[what_if]

    def under(self, key: str, what_if: str) -> str:
        """The node that stands for `key` once the what-if holds: itself when nothing of it changes."""
        changes = self.changes(what_if)
        if key in changes:
            return f"{key}~{what_if}"
        if key in self.shape.measures and any(
            self.under(need, what_if) != need for need in self.shape.measures[key].needs
        ):
            return f"{key}~{what_if}"
        return key

    def closure(self, nodes: Iterable[str]) -> set[str]:
        """The nodes and all they rest on."""
        found: set[str] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(self.needs(node))
        return found

    def height(self, node: str) -> int:
        """0 for what is stored; otherwise one more than the highest that it names."""
        if node not in self._heights:
            needs = self.needs(node)
            stored = not needs and self.shape.is_stored(node)
            self._heights[node] = 0 if stored else 1 + max((self.height(need) for need in needs), default=0)
        return self._heights[node]

    def expression(self, node: str, resolve: Resolve, p: Thresholds) -> Expression:
        """What a node is, over the nodes it names."""
        if node.startswith(DECIDING):
            ladder = self.shape.measures[node.removeprefix(DECIDING)]
            return ladder.deciding(Row(resolve), p)
        if node in self.needed:
            return self.needed[node].needed(Row(resolve), p)
        key, _, what_if = node.partition("~")
        if not what_if:
            return self.shape.measures[key].value(Row(resolve), p)
        if key in self.changes(what_if):
            for step in self.what_ifs[what_if].steps:
                n = resolve(self.what_ifs[what_if].needed(step))
                changed = step.change(Row(resolve), p, n)
                if key in changed:
                    return changed[key]
        return self.shape.measures[key].value(Row(lambda need: resolve(self.under(need, what_if))), p)
