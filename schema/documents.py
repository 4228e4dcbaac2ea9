"""Documents and their operations: parsed, validated and bounded once, and kept with what was planned of them."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from schema import access, bounds
from schema.answer import MOST_ERRORS
from schema.cost import Price
from schema.request import Refusal
from schema.scalars import parse_day, parse_decimal, parse_instant, parse_safe
from schema.schema import coverage, graphql_schema

MOST_TOKENS, LONGEST_NAME = 2_000, 100
# Few sets of scopes are ever given.
MOST_VERDICTS = 64


def _small(value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise GraphQLError("Int cannot represent it.")
    return value


# Kinds of variables that are one value: Python's type for what is sent, and how that is read where it is not taken as
# it is.
_SIMPLE: dict[str, tuple[type, Callable[[Any], Any] | None]] = {
    "ID": (str, None),
    "String": (str, None),
    "Boolean": (bool, None),
    "Int": (int, _small),
    "SafeInt": (int, parse_safe),
    "DateTime": (str, parse_instant),
    "Date": (str, parse_day),
    "Decimal": (str, parse_decimal),
}


class Invalid(Exception):
    """A document that is none."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code, self.errors = code, errors


@dataclass
class Operation:
    """One operation of a document. `plans`: what the byte lane has made of it, by the values of its directives;
    `verdicts`: whether it may be asked, by the scopes of who asks."""

    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    plans: dict[Any, Any] = field(default_factory=dict)
    verdicts: dict[frozenset[str], access.Verdict] = field(default_factory=dict)

    @cached_property
    def reads(self) -> bool:
        return self.node.operation is OperationType.QUERY

    @cached_property
    def told(self) -> tuple[str, str]:
        """Its kind and its name, as they may be logged."""
        return self.node.operation.value, self.node.name.value[:LONGEST_NAME] if self.node.name else ""

    def verdict(self, may: frozenset[str]) -> access.Verdict:
        """Whether a caller of these scopes may name what it names."""
        found = self.verdicts.get(may)
        if found is None:
            if len(self.verdicts) >= MOST_VERDICTS:
                self.verdicts.clear()
            found = self.verdicts[may] = access.judged(coverage, self.node, self.fragments, may)
        return found

    @cached_property
    def subscribes(self) -> bool:
        return self.node.operation is OperationType.SUBSCRIPTION

    @cached_property
    def price(self) -> Price:
        """What it may cost."""
        return Price(graphql_schema, self.node, self.fragments)

    @cached_property
    def _simple(self) -> list[tuple[str, type, Callable[[Any], Any] | None]] | None:
        """Its variables, each with how it is read, where all of them are one value each."""
        types = {each.variable.name.value: each.type for each in self.node.variable_definitions or ()}
        named = {name: type_.type if isinstance(type_, NonNullTypeNode) else type_ for name, type_ in types.items()}
        found = [
            (name, *_SIMPLE[type_.name.value])
            for name, type_ in named.items()
            if isinstance(type_, NamedTypeNode) and type_.name.value in _SIMPLE
        ]
        return found if len(found) == len(types) else None

    def coerced(self, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """The values of its variables as graphql-core coerces them, or what is wrong with them."""
        if self._simple is not None:
            coerced = {}
            try:
                for name, kind, read in self._simple:
                    value = given.get(name)
                    # What is missing, null, or of another type graphql-core judges.
                    if type(value) is not kind:
                        break
                    coerced[name] = value if read is None else read(value)
                else:
                    return VariableValues({}, coerced)
            except GraphQLError:
                pass  # in graphql-core's words
        return get_variable_values(graphql_schema, self.node.variable_definitions or (), given)


class Document:
    """A document that may be run. `hash`: SHA-256 of its text."""

    def __init__(self, node: DocumentNode, text: str) -> None:
        self.node = node
        self.hash = sha256(text.encode(errors="surrogatepass")).hexdigest()
        fragments = {each.name.value: each for each in node.definitions if isinstance(each, FragmentDefinitionNode)}
        self._operations = [
            Operation(each, fragments) for each in node.definitions if isinstance(each, OperationDefinitionNode)
        ]

    def operation(self, name: str | None) -> Operation:
        """The one of that name, or the only one; raises Refusal."""
        if name is None and len(self._operations) == 1:
            return self._operations[0]
        chosen = [
            each for each in self._operations if name is None or (each.node.name and each.node.name.value == name)
        ]
        if len(chosen) != 1:
            raise Refusal(
                400, "OPERATION_RESOLUTION_FAILURE", "Name one of the document's operations in `operationName`."
            )
        return chosen[0]


class Documents:
    """Documents that were seen before, up to so many characters of them in all."""

    def __init__(self, most: int = 1_000_000) -> None:
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._most, self._size = most, 0
        self.hits = self.misses = 0

    def known(self, text: str) -> Document | None:
        """A document that was seen before."""
        found = self._known.get(text)
        if found is not None:
            self.hits += 1
            self._known.move_to_end(text)
        return found

    def keep(self, text: str, made: Document) -> None:
        """Keep what `document` made; called where documents are looked up, so that no two threads change them."""
        self.misses += 1
        if self._known.setdefault(text, made) is not made:
            return
        self._size += len(text)
        while self._size > self._most:
            dropped, _ = self._known.popitem(last=False)
            self._size -= len(dropped)


def document(text: str) -> Document:
    """Raises Invalid with a syntax error, or with all that validation found; Refusal for what is too deep or too wide."""
    try:
        made = parse(text, max_tokens=MOST_TOKENS)
    except GraphQLSyntaxError as error:
        raise Invalid("GRAPHQL_PARSE_FAILED", [error]) from None
    except RecursionError:
        raise Refusal(400, "GRAPHQL_PARSE_FAILED", "The document nests too deeply.") from None
    try:
        bounds.shape(made)
    except bounds.TooMuch as too_much:
        raise Refusal(400, too_much.code, too_much.message) from None
    errors = validate(graphql_schema, made, max_errors=MOST_ERRORS)
    if errors:
        raise Invalid("GRAPHQL_VALIDATION_FAILED", errors)
    return Document(made, text)
