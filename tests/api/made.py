"""Documents made from the schema: a field with its arguments and a selection below it, whatever the schema has."""

import random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
)

from schema.schema import graphql_schema

SCALARS: dict[str, list[Any]] = {
    "Int": [1, 3, 5, 20, 100, 0, -1, 101, 2**31 - 1, -(2**31)],
    "Float": [0, 0.5, -1.5, 1e300, 100, 1e-9],
    "Boolean": [True, False],
    "String": ["", "Ana", "a", "%", "\x00", "é", "王", "x" * 300, "pos", "2026-01-01"],
    "ID": ["", "x", "cus_" + "0" * 32, "tou_" + "f" * 32, "pur_" + "0" * 32 + "@0", "org_" + "1" * 32, "pol_@"],
    "DateTime": [
        "2026-01-01T00:00:00Z",
        "1850-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "x",
    ],
    "Date": ["2026-01-01", "0001-01-01", "9999-12-31", "2026-02-30"],
    "Decimal": ["1.00", "0", "-1", "99999999999999999999.999999999999", "0.000000000001", "NaN"],
    "SafeInt": [0, 2**53 - 1],
    "JSON": [{}, {"a": 1}, {"a": None, "b": [{}]}, {"\x00": 1}],
    "CurrencyCode": ["EUR", "JPY", "XXX", "eur", "KWD"],
}


class Maker:
    """Values and selections by dice. `ids`: some that are somebody's; `sound`: no value that is refused at the door."""

    def __init__(self, dice: random.Random, ids: list[str], *, sound: float = 0.9) -> None:
        self.dice, self.ids, self.sound = dice, ids, sound

    def document(self, operation: str, field: str | None = None) -> tuple[str, dict[str, Any]]:
        """A query or mutation of one field, and its variables."""
        root: Any = getattr(graphql_schema, f"{operation}_type")
        name = field or self.dice.choice(sorted(root.fields))
        definition = root.fields[name]
        variables, given, declared = {}, [], []
        for argument, of in definition.args.items():
            often = 0.05 if argument in ("after", "before", "last") else 0.4
            if isinstance(of.type, GraphQLNonNull) or self.dice.random() < often:
                variables[argument] = self.value(of.type, 4)
                declared.append(f"${argument}: {of.type}")
                given.append(f"{argument}: ${argument}")
        text = f"{operation} Made" + (f"({', '.join(declared)})" if declared else "")
        arguments = f"({', '.join(given)})" if given else ""
        directive = f' @idempotent(key: "k{self.dice.randrange(1000)}")' if operation == "mutation" else ""
        return f"{text} {{ {name}{arguments}{directive}{self.selection(definition.type, 3)} }}", variables

    def selection(self, type_: Any, depth: int) -> str:
        of = get_named_type(type_)
        if is_leaf_type(of):
            return ""
        if isinstance(of, GraphQLInterfaceType):
            # Not all of them: a document has so many words and no more.
            types = sorted(graphql_schema.get_possible_types(of), key=lambda one: one.name)
            some = self.dice.sample(types, min(len(types), 5))
            each = [self._below(one, depth, f"... on {one.name} ") for one in some]
            return " { __typename " + " ".join(each) + " }"
        return self._below(of, depth, " ")

    def _below(self, of: GraphQLObjectType, depth: int, before: str) -> str:
        # With a name for each type: the types of one interface may differ in what a field holds.
        sound = {
            name: field for name, field in of.fields.items() if not any(map(is_required_argument, field.args.values()))
        }
        leaves = [name for name, field in sound.items() if is_leaf_type(get_named_type(field.type))]
        others = [name for name in sound if name not in leaves]
        chosen = [f"{of.name}_{name}: {name}" for name in self.dice.sample(leaves, min(len(leaves), 4))]
        for name in self.dice.sample(others, min(len(others), 2)) if depth > 0 else ():
            below = self.selection(sound[name].type, depth - 1)
            # Objects have few aliases in a document.
            alias = f"{of.name}_{name}: " if before != " " else ""
            chosen.append(f"{alias}{name}{self._literals(sound[name])}{below}")
        return f"{before}{{ {' '.join(['__typename', *chosen])} }}"

    def _literals(self, field: Any) -> str:
        given = []
        if "first" in field.args and self.dice.random() < 0.5:
            given.append(f"first: {self.dice.choice([1, 2, 5])}")
        if "withinDays" in field.args and self.dice.random() < 0.5:
            given.append(f"withinDays: {self.dice.choice([0, 30, 400])}")
        if "asOf" in field.args and self.dice.random() < 0.5:
            given.append('asOf: "2026-01-01T00:00:00Z"')
        if "of" in field.args:
            given.append(f"of: {self.dice.choice(sorted(get_named_type(field.args['of'].type).values))}")
        return f"({', '.join(given)})" if given else ""

    def value(self, type_: Any, depth: int) -> Any:
        type_ = get_nullable_type(type_)
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type, depth) for _ in range(self.dice.choice([0, 1, 1, 2]))]
        if isinstance(type_, GraphQLEnumType):
            return self.dice.choice(sorted(type_.values)) if self.dice.random() < self.sound else "NOTHING"
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, depth)
        values = SCALARS[type_.name]
        if type_.name == "ID" and self.ids and self.dice.random() < 0.7:
            return self.dice.choice(self.ids)
        return self.dice.choice(values if self.dice.random() > self.sound else values[: max(2, len(values) // 2)])

    def _object(self, type_: GraphQLInputObjectType, depth: int) -> Any:
        if type_.is_one_of:
            name = self.dice.choice(sorted(type_.fields))
            return {name: self.value(type_.fields[name].type, depth - 1)}
        must = [name for name, field in type_.fields.items() if isinstance(field.type, GraphQLNonNull)]
        may = [name for name in type_.fields if name not in must]
        if depth <= 0:
            may = [name for name in may if is_leaf_type(get_named_type(type_.fields[name].type))]
        chosen = must + self.dice.sample(may, min(len(may), self.dice.choice([0, 1, 2, 3])))
        return {name: self.value(type_.fields[name].type, depth - 1) for name in chosen}
