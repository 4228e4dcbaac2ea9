"""What each root field asks: its arguments as a question, with the values of its parameters.

Both lanes ask here: the one that sends the statement's JSON as it comes, and the one that graphql-core completes.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from graphql import GraphQLObjectType, get_named_type
from sqlalchemy import literal_column

from app.customers.measures import references
from app.customers.rules import email_of, phone_of
from app.customers.search import terms as search_terms
from app.platform.ids import PublicId, digits_of
from app.platform.refusals import BadInput, Problems
from app.platform.text import clean, clean_ref
from app.query import question as q
from app.scores.policy import proposed
from schema.fields import Entity
from schema.given import Anew, NeedsMore, Parameters, plain
from schema.plan import Planner, python_class
from schema.scenario import columns
from schema.selection import Selected

Given = Mapping[str, Any]
# (planner, field, the type it returns, its arguments) -> the question; None when there is nothing to ask, which is null.
Ask = Callable[[Planner, Selected, GraphQLObjectType, Given], q.Question | None]


# ------------------------------------------------------------------ one row

ID = q.Compare("id", "eq", "by_id")
_NUMBER = q.Compare("number", "eq", "by_number")


def lookup(planner: Planner, selected: Selected, of: GraphQLObjectType, where: q.Where) -> q.Lookup:
    """The one row that passes; null for none and for several."""
    fields = planner.walked(selected.key, lambda: planner.items(of, selected.nodes, selected.key))
    clock = planner.clock

    def made(fields: q.Fields) -> q.Lookup:
        entity: Entity = python_class(of).entity
        return q.Lookup(entity.shape.name, fields, where, clock)

    found: q.Lookup = fields.asked((where, clock), made)
    return found


def _issued(planner: Planner, selected: Selected, of: GraphQLObjectType, text: str, prefix: str) -> q.Lookup | None:
    """The row with that id, at the instant that is asked for, or else that the id carries."""
    if planner.values.takes is not None:
        planner.values.made("by_id", text, partial(_row, prefix))
        return lookup(planner, selected, of, ID)
    public = PublicId.parse(text)
    if public is None or public.prefix != prefix:
        return None
    if planner.as_of is None:
        if public.at is not None and public.at > planner.now:
            return None
        planner.set_as_of(public.at)
    planner.values.put("by_id", public.key)
    return lookup(planner, selected, of, ID)


def _row(prefix: str, _: Parameters, text: str) -> str:
    digits = digits_of(text, prefix)
    if digits is None:
        raise Anew
    return digits


def by_id(prefix: str) -> Ask:
    """A row by its id alone."""

    def ask(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
        return _issued(planner, selected, of, given["id"], prefix)

    return ask


def customer(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
    by = given["by"]
    planner.set_as_of(given.get("asOf"))
    if by.get("id") is not None:
        return _issued(planner, selected, of, by["id"], "cus")
    where = _who(planner, by)
    return None if where is None else lookup(planner, selected, of, where)


def account(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
    by = given["by"]
    planner.set_as_of(given.get("asOf"))
    if by.get("id") is not None:
        return _issued(planner, selected, of, by["id"], "acc")
    # As it would have been stored: trimmed and composed.
    number = clean(Problems(), by["number"])
    return lookup(planner, selected, of, _NUMBER) if number and planner.values.put("by_number", number) else None


def _live(ref: Any) -> Any:
    # Written as the partial index has it; SQLite would not know it in `live = 1`.
    return literal_column(f"{ref.live.table.name}.live")


_LIVE_REFS = q.Relation(references, "id", "customer_id", only=lambda ref, _: [_live(ref)], selective=True)
_NOT_ARCHIVED = q.Compare("archived_at", "is_null")


def _who(planner: Planner, by: Given) -> q.Where | None:
    put = planner.values.put
    if by.get("externalRef") is not None:
        return q.Related(_LIVE_REFS, _ref(planner, by["externalRef"], "system", "value"))
    if by.get("email") is not None:
        email = email_of(by["email"])
        return q.All((_NOT_ARCHIVED, q.Compare("email", "eq", put("by_email", email)))) if email else None
    phone = phone_of(by["phone"])
    return q.All((_NOT_ARCHIVED, q.Compare("phone", "eq", put("by_phone", phone)))) if phone else None


def _ref(planner: Planner, ref: Given, system: str, value: str) -> q.Where:
    """The external reference that is asked for, in these nodes of the row."""
    # As it would have been stored: trimmed and composed.
    stored = clean_ref(Problems(), {"system": ref["system"], "value": ref["value"]})
    if stored is None:
        return q.AnyOf(())
    put = planner.values.put
    return q.All(
        (
            q.Compare(system, "eq", put("by_system", stored["system"])),
            q.Compare(value, "eq", put("by_value", stored["value"])),
        )
    )


def one_by(prefix: str, live: q.Where) -> Ask:
    """A row by its id, or by its external reference while it is `live`."""

    def ask(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
        by = given["by"]
        if by.get("id") is None:
            where = q.All((live, _ref(planner, by["externalRef"], "ref_system", "ref_value")))
            return lookup(planner, selected, of, where)
        return _issued(planner, selected, of, by["id"], prefix)

    return ask


# ------------------------------------------------------------------ lists


def rows(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question:
    planner.set_as_of(given.get("asOf"))
    return connected(planner, planner.connection(given, selected, of))


def connected(planner: Planner, many: q.Many) -> q.Question:
    clock = planner.clock
    fields: Any = many.fields
    found: q.Question = fields.asked((many, clock), lambda _: q.Connection(many, clock))
    return found


def customers(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question:
    planner.set_as_of(given.get("asOf"))
    terms = terms_of(given)
    many = planner.connection(given, selected, of, terms or None)
    if terms is not None and not terms:
        many = q.Many(many.key, many.shape, None, many.fields, many.page, q.AnyOf(()))
    return connected(planner, many)


def terms_of(given: Given) -> list[Any] | None:
    """The terms of a search; None without one, empty when nobody can be found by it."""
    search = given.get("search")
    if search is None or not search.strip():
        return None
    if len(search) > 1000 or "\0" in search:
        raise BadInput("A search has at most 1,000 characters, and no NUL.")
    return list(search_terms(search))


# ------------------------------------------------------------------ policy and scenario


def policy(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question:
    version = given.get("version")
    if version is None:
        return lookup(planner, selected, of, q.Compare("in_force", "eq", planner.values.put("by_force", 1)))
    return lookup(planner, selected, of, q.Compare("version", "eq", planner.values.put("by_version", version)))


def every(planner: Planner, selected: Selected, of: GraphQLObjectType, _: Given) -> q.Question:
    """All rows, where they are few."""
    entity: Entity = python_class(of).entity
    items = planner.walked(selected.key, lambda: planner.items(of, selected.nodes, selected.key))
    order = tuple(q.Order(node, falls) for node, falls in entity.default_order)
    return q.Listing(entity.shape.name, items, order, None, planner.clock)


def scenario(
    planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given, in_force: Given | None = None
) -> q.Question:
    """`in_force`: the thresholds as stored, over which a proposed policy is laid. Raises NeedsMore without them."""
    definition = planner.schema.query_type.fields[selected.name]  # type: ignore[union-attr]
    typed = plain(definition.args["facts"].type, given["facts"])
    values = planner.values.given
    values |= {
        f"fact_{key}": value for key, value in columns(typed, planner.values.today, planner.values.exponent).items()
    }
    if given.get("policy") is not None:
        if in_force is None:
            raise NeedsMore
        change = plain(definition.args["policy"].type, given["policy"])
        problems = Problems()
        proposal = proposed(problems, in_force, change, planner.caller.org.exponent)
        if problems:
            raise BadInput(
                "This policy is inconsistent: " + " ".join(dict.fromkeys(problem.message for problem in problems.found))
            )
        values |= {f"policy_{key}": value for key, value in {**in_force, **proposal}.items()}
    fields = planner.walked(
        selected.key, lambda: [_judged(planner, of, each) for each in planner.below(selected.nodes, of)]
    )
    return q.Scenario("customer", fields, given.get("policy") is not None, planner.clock)


def _judged(planner: Planner, of: GraphQLObjectType, selected: Selected) -> q.Item:
    if selected.name == "__typename":
        return q.Said(selected.key, f'"{of.name}"')
    inner: Any = get_named_type(of.fields[selected.name].type)
    return q.Part(selected.key, planner.items(inner, selected.nodes, selected.key))
