"""What can be asked."""

from typing import Any

import strawberry
from graphql import get_named_type
from sqlalchemy import literal_column

from app.customers.measures import references
from app.customers.rules import email_of, phone_of
from app.customers.search import terms as search_terms
from app.platform.ids import PublicId
from app.platform.refusals import BadInput, Problems
from app.platform.text import clean_ref
from app.query import question as q
from app.scores.policy import proposed
from schema.catalogue import Metric, catalogue
from schema.context import asked
from schema.enums import ArchivedScope
from schema.fields import PAGING, REQUIRED, asking
from schema.groups import CustomerDimension, CustomerGroupOrder, CustomerGroups, groups
from schema.inputs import CustomerFactsInput, CustomerLookup, PolicySetInput, PurchaseLookup, TouchpointLookup
from schema.mutation import plain
from schema.node import Node
from schema.plan import Planner, Selected
from schema.relationships import Relationship
from schema.roots import by_ids, connection, listing, lookup, organization
from schema.scalars import CurrencyCode, DateTime
from schema.scenario import columns
from schema.scores import CustomerValue, Lifecycle, Policy
from schema.types import (
    Customer,
    CustomerConnection,
    Purchase,
    PurchaseConnection,
    Touchpoint,
    TouchpointConnection,
)
from schema.types import (
    listing as rows_listing,
)


@strawberry.type(
    description="Whose data this is. Days, and the money of facts and sums, are in its time zone and currency."
)
class Organization(Node):
    id: strawberry.ID = strawberry.field(description="Opaque; take only what was issued.")
    name: str = strawberry.field(description="As it was created.")
    time_zone: str = strawberry.field(description="Of the IANA database, like Europe/Paris.")
    reporting_currency: CurrencyCode = strawberry.field(description="ISO 4217, like EUR.")


@strawberry.type(description="Who asks.")
class Viewer:
    organization: Organization = strawberry.field(description="Whose data is seen.")
    scopes: list[str] = strawberry.field(description="What the key may do: read, write, admin.")


@strawberry.type(description="The judgements that the policy makes of those facts.")
class CustomerScenario:
    lifecycle: Lifecycle = strawberry.field(description="Where such a customer would stand.")
    relationship: Relationship = strawberry.field(description="How close such a customer would be.")
    value: CustomerValue = strawberry.field(description="What such a customer would be worth.")


Organization.by_name = Viewer.by_name = True  # type: ignore[attr-defined]

AS_OF = (
    DateTime | None,
    None,
    "Everything below as of that instant; not in the future. Names and profile are as they are now.",
)
ARCHIVED = (ArchivedScope, ArchivedScope.EXCLUDE, "Whether archived customers are among them.")


async def _node(info: strawberry.Info, id: str) -> Any:
    return (await by_ids(info, [id]))[0]


async def _nodes(info: strawberry.Info, ids: list[str]) -> Any:
    return await by_ids(info, ids)


async def _viewer(info: strawberry.Info) -> Any:
    request = asked(info)
    return {"organization": organization(request), "scopes": sorted(request.caller.scopes)}


async def _catalogue(info: strawberry.Info) -> Any:
    asked(info).caller.require("read")
    return catalogue(info._raw_info.schema)


# ------------------------------------------------------------------ lookups


async def _customer(info: strawberry.Info, by: Any, as_of: Any = None) -> Any:
    request = asked(info)
    planner = await request.planner(info)
    instant = as_of
    if _given(by.id):
        public = PublicId.parse(by.id)
        if public is None or public.prefix != "cus":
            return None
        instant = as_of if as_of is not None else public.at
        if as_of is None and instant is not None and instant > planner.now:
            return None
    planner.set_as_of(instant)
    where = _who(planner, by)
    return None if where is None else await lookup(info, where, planner)


def _given(value: Any) -> bool:
    return value is not strawberry.UNSET and value is not None


def _live(ref: Any) -> Any:
    # Written as the partial index has it; SQLite would not know it in `live = 1`.
    return literal_column(f"{ref.live.table.name}.live")


_LIVE_REFS = q.Relation(references, "id", "customer_id", only=lambda ref, _: [_live(ref)], selective=True)


def _who(planner: Planner, by: Any) -> q.Where | None:
    put = planner.values.put
    if _given(by.id):
        public = PublicId.parse(by.id)
        return q.Compare("id", "eq", put("by_id", public.key)) if public else None
    if _given(by.external_ref):
        return q.Related(_LIVE_REFS, _ref(planner, by.external_ref, "system", "value"))
    unarchived = q.Compare("archived_at", "is_null")
    if _given(by.email):
        email = email_of(by.email)
        return q.All((unarchived, q.Compare("email", "eq", put("by_email", email)))) if email else None
    phone = phone_of(by.phone)
    return q.All((unarchived, q.Compare("phone", "eq", put("by_phone", phone)))) if phone else None


def _ref(planner: Planner, ref: Any, system: str, value: str) -> q.Where:
    """The external reference that is asked for, in these nodes of the row."""
    # As it would have been stored: trimmed and composed.
    stored = clean_ref(Problems(), {"system": ref.system, "value": ref.value})
    if stored is None:
        return q.AnyOf(())
    put = planner.values.put
    return q.All(
        (
            q.Compare(system, "eq", put("by_system", stored["system"])),
            q.Compare(value, "eq", put("by_value", stored["value"])),
        )
    )


def _one_by(prefix: str, live: q.Where) -> Any:
    async def found(info: strawberry.Info, by: Any) -> Any:
        planner = await asked(info).planner(info)
        if _given(by.id):
            public = PublicId.parse(by.id)
            if public is None or public.prefix != prefix or (public.at is not None and public.at > planner.now):
                return None
            planner.set_as_of(public.at)
            return await lookup(info, q.Compare("id", "eq", planner.values.put("by_id", public.key)), planner)
        return await lookup(info, q.All((live, _ref(planner, by.external_ref, "ref_system", "ref_value"))), planner)

    return found


# ------------------------------------------------------------------ lists


async def _customers(info: strawberry.Info, search: str | None = None, as_of: Any = None, **_: Any) -> Any:
    if search is None or not search.strip():
        return await connection(info, as_of=as_of)
    if len(search) > 1000 or "\0" in search:
        raise BadInput("A search has at most 1,000 characters, and no NUL.")
    terms = search_terms(search)
    return await connection(info, as_of=as_of, terms=terms or None, nothing=not terms)


async def _rows(info: strawberry.Info, **_: Any) -> Any:
    return await connection(info)


# ------------------------------------------------------------------ policy and scenario


async def _policy(info: strawberry.Info, version: int | None = None) -> Any:
    planner = await asked(info).planner(info)
    where: q.Where = q.Compare("in_force", "eq", planner.values.put("by_force", 1))
    if version is not None:
        where = q.Compare("version", "eq", planner.values.put("by_version", version))
    return await lookup(info, where, planner)


async def _policies(info: strawberry.Info) -> Any:
    return await listing(info, await asked(info).planner(info))


async def _scenario(info: strawberry.Info, facts: Any, policy: Any = None) -> Any:
    request = asked(info)
    planner = await request.planner(info)
    raw = info._raw_info
    selected = Selected(str(raw.path.key), raw.field_name, list(raw.field_nodes))
    definition = raw.parent_type.fields[raw.field_name]
    given = planner.arguments(raw.parent_type, selected)
    typed = plain(definition.args["facts"].type, given["facts"])
    values = planner.values.given
    values |= {
        f"fact_{key}": value for key, value in columns(typed, planner.values.today, planner.values.exponent).items()
    }
    if given.get("policy") is not None:
        change = plain(definition.args["policy"].type, given["policy"])
        now_in_force = await request.policy_columns()
        problems = Problems()
        proposal = proposed(problems, now_in_force, change, planner.caller.org.exponent)
        if problems:
            raise BadInput(
                "This policy is inconsistent: " + " ".join(dict.fromkeys(problem.message for problem in problems.found))
            )
        values |= {f"policy_{key}": value for key, value in {**now_in_force, **proposal}.items()}
    of: Any = get_named_type(raw.return_type)
    fields: list[q.Item] = []
    for each in planner.below(selected.nodes, of):
        if each.name == "__typename":
            fields.append(q.Said(each.key, f'"{of.name}"'))
        else:
            inner: Any = get_named_type(of.fields[each.name].type)
            fields.append(q.Part(each.key, planner.items(inner, each.nodes, each.key)))
    question = q.Scenario("customer", tuple(fields), given.get("policy") is not None, planner.clock)
    return await request.read(question, values)


def _root(returns: Any, arguments: dict[str, Any], resolve: Any, description: str) -> Any:
    return strawberry.field(resolver=asking(returns, arguments, resolve), description=description)


_SEARCH = "Words in name, email, phone and external references, best match first; several must all be found; a blank text asks for everybody."


@strawberry.type(description="What can be asked.")
class Query:
    node: Node | None = _root(
        Node | None,
        {"id": (strawberry.ID, REQUIRED, "Of whatever has one.")},
        _node,
        "Whatever has that id; null for all others alike.",
    )
    nodes: list[Node | None] = _root(
        list[Node | None],
        {"ids": (list[strawberry.ID], REQUIRED, "At most 100.")},
        _nodes,
        "Whatever has those ids, in their order; null for all others.",
    )
    viewer: Viewer = _root(Viewer, {}, _viewer, "Who asks.")
    metric_catalog: list[Metric] = _root(
        list[Metric], {}, _catalogue, "Every measure: what it means, and how it is asked."
    )
    policy: Policy | None = _root(
        Policy | None,
        {"version": (int | None, None, "That one; left out, the one in force.")},
        _policy,
        "In force now, or that version.",
    )
    policies: list[Policy] = _root(list[Policy], {}, _policies, "Every version, oldest first.")
    customer: Customer | None = _root(
        Customer | None,
        {"by": (CustomerLookup, REQUIRED, "Who is meant."), "as_of": AS_OF},
        _customer,
        "One customer; null when there is none.",
    )
    customers: CustomerConnection = _root(  # type: ignore[valid-type]
        CustomerConnection,
        {
            **PAGING,
            **rows_listing("Customer"),
            "search": (str | None, None, _SEARCH),
            "archived": ARCHIVED,
            "as_of": AS_OF,
        },
        _customers,
        "Customers, oldest first unless ordered otherwise.",
    )
    customer_groups: CustomerGroups = _root(
        CustomerGroups,
        {
            "by": (list[CustomerDimension], REQUIRED, "Which dimensions."),
            "where": (rows_listing("Customer")["where"][0], None, "Only those that pass."),
            "order_by": (list[CustomerGroupOrder] | None, None, "By these, then by the keys."),
            "first": (int | None, None, "At most so many groups, 1 to 1,000."),
            "archived": ARCHIVED,
            "as_of": AS_OF,
        },
        groups,
        "Customers counted and summed by any set of dimensions. No dimension: no rows, only all.",
    )
    customer_scenario: CustomerScenario = _root(
        CustomerScenario,
        {
            "facts": (CustomerFactsInput, REQUIRED, "What is known of the customer."),
            "policy": (PolicySetInput | None, None, "What of the policy in force is to be otherwise."),
        },
        _scenario,
        "What would be said of a customer of whom just this is known, under today's policy or a proposed one.",
    )
    touchpoint: Touchpoint | None = _root(
        Touchpoint | None,
        {"by": (TouchpointLookup, REQUIRED, "Which one.")},
        _one_by("tou", q.All(())),
        "One touchpoint; null when there is none.",
    )
    touchpoints: TouchpointConnection = _root(  # type: ignore[valid-type]
        TouchpointConnection,
        {**PAGING, **rows_listing("Touchpoint")},
        _rows,
        "Touchpoints, latest first unless ordered otherwise.",
    )
    purchase: Purchase | None = _root(
        Purchase | None,
        {"by": (PurchaseLookup, REQUIRED, "Which one.")},
        _one_by("pur", q.Compare("voided_at", "is_null")),
        "One purchase; null when there is none.",
    )
    purchases: PurchaseConnection = _root(  # type: ignore[valid-type]
        PurchaseConnection,
        {**PAGING, **rows_listing("Purchase")},
        _rows,
        "Purchases, latest first unless ordered otherwise.",
    )
