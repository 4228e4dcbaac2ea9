"""The wall between organisations: what is another's is told like what is nobody's, to the byte, and is never changed.

Made from the schema: every query field and argument, every mutation, every place that takes an id.
"""

import json
import os
import random
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLList, get_named_type, get_nullable_type, is_required_input_field

from app.platform.ids import microseconds
from schema.schema import graphql_schema
from tests.api.acting import House, Shop, buy, by, contact, line, new_customer, ref, unknown
from tests.api.made import Maker
from tests.conftest import NOW

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"
CANARY = "qanary"
NAMES = count(1)
REFS = [ref("1"), ref("2", "web")]


class Two:
    """Who asks, and the other one: with the same references, and words that nobody else has."""

    def __init__(self, mine: Shop, theirs: Shop) -> None:
        self.mine, self.theirs = mine, theirs
        self.ids: dict[str, list[str]] = {}
        self.before: dict[str, list[Any]] = {}

    async def fill(self) -> None:
        for shop, word in ((self.mine, "own"), (self.theirs, CANARY)):
            email = f"{word}@example.com"
            customers = [
                await new_customer(shop, f"{word} {n}", email=email, externalRefs=[each]) for n, each in enumerate(REFS)
            ]
            await shop.done(
                "customerUpdate", {"customer": by(customers[0]), "set": {"city": word, "attributes": {word: word}}}
            )
            consent = {
                "customer": by(customers[0]),
                "purpose": "MARKETING",
                "channel": "EMAIL",
                "state": "GRANTED",
                "source": word,
            }
            words = (await shop.done("consentRecord", consent))["consent"]["id"]
            contacts = [
                await contact(shop, customers[0], kind, subject=f"{word} s", body=word, externalRef=ref(str(n)))
                for n, kind in enumerate(("NEED", "COMPLAINT", "NOTE"))
            ]
            lines = [line("10.00", name=f"{word} tea", sku=word, category=word)]
            purchases = [await buy(shop, customers[0], lines=lines, externalRef=ref(str(n))) for n in range(2)]
            money = {"amount": "1.00", "currency": "EUR"}
            refund = {"purchase": by(purchases[0]), "amount": money, "reason": word, "externalRef": ref("1")}
            refunds = (await shop.done("purchaseRefund", refund))["refund"]["id"]
            policy = (await shop.done("policyPublish", {"set": {"newDays": 30 if shop is self.mine else 31}}))[
                "policy"
            ]["id"]
            level = {"name": word, "rank": 1, "qualifyPoints": 0, "retainPoints": 0, "benefits": [word]}
            terms = {"name": word, "pointsName": word, "currency": "EUR", "earnRate": "1", "levels": [level]}
            program = (await shop.done("loyaltyProgramCreate", terms))["program"]["id"]
            cup = {"programId": program, "name": word, "points": 5}
            reward = (await shop.done("rewardCreate", cup))["reward"]["id"]
            member = {"programId": program, "customer": by(customers[0]), "number": word}
            account = (await shop.done("loyaltyAccountOpen", member))["account"]["id"]
            given = {"account": by(account), "points": 50, "reason": word}
            entry = (await shop.done("pointsEarn", given, key="e"))["entries"][0]["id"]
            spend = {"account": by(account), "spend": {"rewardId": reward}, "reason": word}
            redemption = (await shop.done("pointsRedeem", spend, key="r"))["redemption"]["id"]
            hold = {"account": by(account), "points": 5, "minutes": 60}
            reservation = (await shop.done("pointsReserve", hold, key="h"))["reservation"]["id"]
            about = {"name": word, "channel": "EMAIL", "purpose": "MARKETING", "objective": "WIN_BACK"}
            campaign, draft = [
                (await shop.do("campaignCreate", about | {"audience": {"city": {"eq": word}}}, "campaign { id }"))[
                    "campaign"
                ]
                for _ in range(2)
            ]
            await shop.do("campaignLaunch", campaign, "campaign { id }")
            asked = "query($id: ID!) { campaign(id: $id) { members { nodes { id } } } }"
            [member] = (await shop.ask(asked, id=campaign["id"]))["campaign"]["members"]["nodes"]
            saved = {"name": word, "description": word, "where": {"city": {"eq": word}}}
            segment = (await shop.do("segmentCreate", saved, "segment { id }"))["segment"]["id"]
            made = (await shop.do("apiKeyCreate", {"name": word, "scopes": ["read"]}, "key { id }"))["key"]["id"]
            self.ids = {
                "cam": [draft["id"], campaign["id"]],
                "mem": [member["id"]],
                "seg": [segment],
                "key": [made],
                "lpr": [program],
                "rew": [reward],
                "acc": [account],
                "ent": [entry],
                "red": [redemption],
                "res": [reservation],
                "cus": customers,
                "tou": contacts,
                "pur": purchases,
                "con": [words],
                "ref": [refunds],
                "pol": [policy],
            }
        asked = "{ viewer { organization { id } } }"
        self.ids["org"] = [(await self.theirs.ask(asked))["viewer"]["organization"]["id"]]
        self.before = self.theirs.rows()

    async def close(self) -> None:
        await self.mine.http.aclose()
        await self.theirs.http.aclose()

    async def told_alike(self, query: str, theirs: Any, nobodys: Any) -> str:
        """What both are answered: byte by byte the same but for ids that are new, and without a word of the other's."""
        answers = []
        for variables in (theirs, nobodys):
            response = await self.mine.http.post(
                "/graphql", json={"query": query, "variables": variables}, headers=CLOCK
            )
            assert response.status_code == 200, response.text
            assert CANARY not in response.text, (query, variables)
            assert "INTERNAL" not in response.text, (query, variables, response.text)
            answers.append(plain(response.text))
        assert answers[0] == answers[1], (query, theirs)
        return answers[0]


CLOCK = {"x-guanxi-now": "2026-06-15T12:00:00Z", "x-request-id": "r"}


@pytest.fixture(scope="module")
async def two(house: House) -> Any:
    made = Two(*(house.shop("read", "write", "admin") for _ in range(2)))
    await made.fill()
    yield made
    await made.close()


def plain(text: str) -> str:
    """Without the ids that were made for this answer."""
    return re.sub(r"[a-z]{3}_[0-9a-f]{32}(@\d+)?", "id", text)


def pairs(two: Two) -> Iterator[tuple[str, str]]:
    """Each id of the other organisation, plain and with an instant, beside one of nobody's."""
    for prefix, ids in two.ids.items():
        for each in ids:
            for suffix in ("", f"@{microseconds(NOW)}"):
                yield each + suffix, unknown(prefix) + suffix


async def test_an_id_of_the_other_is_nobodys_to_every_question(two: Two) -> None:
    maker = Maker(random.Random(1), [])
    node = maker.selection(graphql_schema.type_map["Node"], 1)
    for theirs, nobodys in pairs(two):
        asked = f"query($id: ID!) {{ node(id: $id) {node} nodes(ids: [$id, $id]) {node} }}"
        told = await two.told_alike(asked, {"id": theirs}, {"id": nobodys})
        assert json.loads(told) == {"data": {"node": None, "nodes": [None, None]}}
        for asked, given in by_id():
            told = await two.told_alike(asked, given(theirs), given(nobodys))
            assert list(json.loads(told)["data"].values()) == [None]


def by_id() -> Iterator[tuple[str, Any]]:
    """Every root field that takes an id to find one row, and its variables for an id."""
    queries: Any = graphql_schema.query_type
    for name, field in queries.fields.items():
        if name != "node" and "id" in field.args:
            yield f"query($id: ID!) {{ {name}(id: $id) {{ id }} }}", lambda each: {"id": each}
        elif isinstance(
            lookup := get_named_type(field.args["by"].type) if "by" in field.args else None, GraphQLInputObjectType
        ):
            yield f"query($by: {lookup.name}!) {{ {name}(by: $by) {{ id }} }}", lambda each: {"by": {"id": each}}


def id_filters(of: GraphQLInputObjectType, depth: int = 2) -> Iterator[tuple[list[str], str]]:
    """The path of every filter by id, and of every filter by text, below a where type."""
    for name, field in of.fields.items():
        inner: Any = get_named_type(field.type)
        if inner.name in ("IDFilter", "StringFilter"):
            yield [name], inner.name
        elif isinstance(inner, GraphQLInputObjectType) and depth and name != "NOT":
            for path, kind in id_filters(inner, depth - 1):
                yield [name, *path], kind


def nested(path: list[str], value: Any, of: Any) -> Any:
    """An input with that value at that path; a list on the way has one item."""
    type_ = get_nullable_type(of.fields[path[0]].type)
    below = nested(path[1:], value, get_named_type(type_)) if path[1:] else value
    return {path[0]: [below] if isinstance(type_, GraphQLList) else below}


async def test_every_filter_by_an_id_or_a_word_of_the_other_finds_what_nobodys_does(two: Two) -> None:
    tried = 0
    lists = {"customers": "Customer", "touchpoints": "Touchpoint", "purchases": "Purchase", "campaigns": "Campaign"}
    for field, type_ in {**lists, "loyaltyAccounts": "LoyaltyAccount"}.items():
        where: Any = graphql_schema.type_map[f"{type_}Where"]
        asked = f"query($where: {type_}Where) {{ {field}(where: $where) {{ totalCount nodes {{ id }} }} }}"
        every = list(id_filters(where))
        words = [each for each in every if each[1] == "StringFilter"]
        few = words if FULL else random.Random(4).sample(words, min(6, len(words)))
        for path, kind in [each for each in every if each not in words] + few:
            values = [(f"{CANARY} 0", "nobody 0"), (CANARY, "nobody")]
            if kind == "IDFilter":
                prefixes = ("cus", "tou", "pur", "cam", "acc", "lpr")
                values = [(two.ids[prefix][0], unknown(prefix)) for prefix in prefixes]
                values = values if FULL else [values[tried % len(prefixes)]]
            for theirs, nobodys in values:
                tests: list[tuple[Any, Any]] = [({"eq": theirs}, {"eq": nobodys})]
                tests.append(({"in": [theirs, nobodys]}, {"in": [nobodys]}))
                given = [{"where": nested(path, each, where)} for each in tests[tried % 2]]
                told = await two.told_alike(asked, *given)
                tried += 1
                # Through `none` everything passes; all of it is one's own.
                if "none" not in path:
                    assert json.loads(told)["data"][field]["totalCount"] == 0, path
    assert tried > 60 or not FULL
    assert tried > 30


async def test_names_that_both_have_lead_to_ones_own(two: Two) -> None:
    name = 'query { customer(by: {externalRef: {system: "pos", value: "1"}}) { name } '
    name += 'purchase(by: {externalRef: {system: "pos", value: "1"}}) { customer { name } } '
    name += 'touchpoint(by: {externalRef: {system: "pos", value: "1"}}) { customer { name } } }'
    own = {"name": "own 0"}
    assert await two.mine.ask(name) == {"customer": own, "purchase": {"customer": own}, "touchpoint": {"customer": own}}
    emails = "query($email: String!) { customer(by: {email: $email}) { id } customers(search: $email) { totalCount } }"
    await two.told_alike(emails, {"email": f"{CANARY}@example.com"}, {"email": "nobody@example.com"})


async def test_a_cursor_of_the_other_is_at_most_a_place_in_ones_own_list(two: Two) -> None:
    for field, order in (("customers", "NAME"), ("customers", "FACTS_NET"), ("touchpoints", None), ("purchases", None)):
        by_order = f", orderBy: [{{field: {order}}}]" if order else ""
        first = await two.theirs.ask(f"{{ {field}(first: 1{by_order}) {{ edges {{ cursor }} }} }}")
        cursor = first[field]["edges"][0]["cursor"]
        for side in ("after", "before"):
            answer = await two.mine.post(f'{{ {field}({side}: "{cursor}"{by_order}) {{ totalCount nodes {{ id }} }} }}')
            assert CANARY not in str(answer)
            own = await two.mine.ask(f"{{ {field} {{ nodes {{ id }} totalCount }} }}")
            assert answer["data"][field]["totalCount"] == own[field]["totalCount"]
            assert all(each in own[field]["nodes"] for each in answer["data"][field]["nodes"])


def with_ids(of: Any, ids: dict[str, str], maker: Maker, depth: int = 5, kind: str = "cus", at: str = "") -> Any:
    """An input that works but for its ids: required parts, and every part that can hold an id. `kind` is that of an id
    `at` a place that does not say."""
    of = get_nullable_type(of)
    if isinstance(of, GraphQLList):
        return [with_ids(of.of_type, ids, maker, depth, kind)]
    if of.name == "PointsSpendInput":
        return {"rewardId": ids["rew"]}
    if of.name == "ID":
        places = {
            "programId": "lpr",
            "rewardId": "rew",
            "redemptionId": "red",
            "reservationId": "res",
            "campaignId": "cam",
        }
        return ids[places.get(at, kind)]
    if of.name == "CustomerWhere":
        return {"id": {"in": [ids["cus"]]}, "touchpoints": {"some": {"id": {"eq": ids["tou"]}}}}
    prefix = {"CustomerLookup": "cus", "TouchpointLookup": "tou", "PurchaseLookup": "pur"}.get(of.name)
    prefix = prefix or {"LoyaltyAccountLookup": "acc"}.get(of.name)
    if prefix:
        return {"id": ids[prefix]}
    if of.name == "LinePriceInput":
        return {"total": "1.00"}
    if isinstance(of, GraphQLInputObjectType):
        known = {
            "externalRef": ref("9"),
            "onError": "REJECT_ROW",
            "kind": "SURVEY",
            "name": f"N{next(NAMES)}",
            "currency": "EUR",
        }
        wanted = {
            "campaignId",
            "audience",
            "where",
            "customer",
            "touchpoint",
            "purchase",
            "inReplyTo",
            "tailoredTo",
            "rows",
            "lines",
            "externalRef",
            "id",
        }
        must = {name for name, field in of.fields.items() if is_required_input_field(field)}
        return {
            name: known[name] if name in known else with_ids(field.type, ids, maker, depth - 1, kind, name)
            for name, field in of.fields.items()
            if name in wanted or name in must or name == "onError"
        }
    plain = {"String": "x", "Decimal": "1.00", "Date": "2026-01-01", "SafeInt": 1, "Int": 1}
    return plain.get(of.name) or maker.value(of, 0)


async def test_no_mutation_reaches_what_is_the_others(two: Two) -> None:
    maker = Maker(random.Random(2), [], sound=1)
    mutations: Any = graphql_schema.mutation_type
    for name, field in mutations.fields.items():
        selected = maker.selection(field.type, 1)
        errors = "userErrors { code field message }"
        rows = f"rows {{ outcome {errors} }}" if "rows" in get_named_type(field.type).fields else ""
        # A refused one leaves its key unused.
        key = f'@idempotent(key: "{name}")' if name.startswith(("points", "redemption", "reservation")) else ""
        given = f"mutation($input: {field.args['input'].type})"
        query = f"{given} {{ {name}(input: $input) {key} {{ {errors} {rows} }} }}"
        for number, suffix in enumerate(("", f"@{microseconds(NOW)}")):
            kinds = {prefix: each[number % len(each)] + suffix for prefix, each in two.ids.items()}
            kinds_of = {"loyaltyProgram": "lpr", "reward": "rew", "campaign": "cam", "segment": "seg", "apiKey": "key"}
            kind = next((each for noun, each in kinds_of.items() if name.startswith(noun)), "cus")
            theirs = with_ids(field.args["input"].type, kinds, maker, kind=kind)
            strange = {each: unknown(each) + suffix for each in kinds}
            nobodys = with_ids(field.args["input"].type, strange, maker, kind=kind)
            told = await two.told_alike(query, {"input": theirs}, {"input": nobodys})
            # A filter that names what nobody has is a filter all the same.
            if name not in ("campaignCreate", "segmentCreate") and re.search("[a-z]{3}_[0-9a-f]{32}", str(theirs)):
                assert "NOT_FOUND" in told, (name, told)
        assert selected
    assert two.theirs.rows() == two.before


async def test_nobody_belongs_to_a_segment_or_a_campaign_of_the_other(two: Two) -> None:
    segment = "query($id: ID!) { customers(where: {segment: {%s: [$id]}}) { totalCount nodes { name } } }"
    reach = "audiencePreview(where: {segment: {in: [$id]}}, channel: EMAIL, purpose: MARKETING)"
    for asked, prefix in (
        (segment % "in", "seg"),
        (segment % "notIn", "seg"),
        (f"query($id: ID!) {{ {reach} {{ matched reachable sample {{ id }} }} }}", "seg"),
        ("query($id: ID!) { touchpoints(where: {campaignId: {eq: $id}}) { totalCount } }", "cam"),
        ("query($id: ID!) { purchases(where: {campaignId: {notIn: [$id]}}) { totalCount } }", "cam"),
    ):
        await two.told_alike(asked, {"id": two.ids[prefix][0]}, {"id": unknown(prefix)})
    own = (await two.mine.ask("{ campaigns { nodes { id } } }"))["campaigns"]["nodes"][-1]["id"]
    members = (
        "query($own: ID!, $id: ID!) { campaign(id: $own) { members(where: {customerId: {in: [$id]}}) { totalCount } } }"
    )
    given = [{"own": own, "id": each} for each in (two.ids["cus"][0], unknown("cus"))]
    await two.told_alike(members, *given)
    # A stored audience names it, too: nobody is reached by it.
    about = {"name": "A", "channel": "EMAIL", "purpose": "MARKETING", "objective": "WIN_BACK"}
    planned = (
        "mutation($input: CampaignCreateInput!) { campaignCreate(input: $input) { userErrors { code field message } } }"
    )
    given = [
        {"input": about | {"audience": {"segment": {"in": [each]}}}} for each in (two.ids["seg"][0], unknown("seg"))
    ]
    await two.told_alike(planned, *given)
    assert two.theirs.rows() == two.before


async def test_a_contact_or_a_need_of_the_other_cannot_be_pointed_to(two: Two) -> None:
    mine = (await two.mine.ask('{ customers(search: "own 0") { nodes { id } } }'))["customers"]["nodes"][0]
    said = {"customer": mine, "kind": "NOTE", "channel": "PHONE", "direction": "INBOUND"}
    bought = {"customer": mine, "currency": "EUR", "lines": [line()], "externalRef": ref("new")}
    errors = "userErrors { code field message }"
    for field, given, link in (("touchpointRecord", said, "inReplyTo"), ("purchaseRecord", bought, "tailoredTo")):
        kind = field[0].upper() + field[1:]
        query = f"mutation($input: {kind}Input!) {{ {field}(input: $input) {{ {errors} }} }}"
        theirs, nobodys = [{"input": given | {link: by(each)}} for each in (two.ids["tou"][0], unknown("tou"))]
        assert "NOT_FOUND" in await two.told_alike(query, theirs, nobodys)


async def test_whatever_is_asked_no_word_of_the_other_is_told(two: Two) -> None:
    ids = [each for some in two.ids.values() for each in some]
    # A filter that one saved is told as it was given.
    saved = str(two.mine.rows())
    others = [each for each in ids if each not in saved]
    assert len(others) > len(ids) / 2
    maker = Maker(random.Random(3), ids)
    queries: Any = graphql_schema.query_type
    for name in sorted(queries.fields) * (4 if FULL else 1):
        query, variables = maker.document("query", name)
        response = await two.mine.http.post(
            "/graphql", content=json.dumps({"query": query, "variables": variables}), headers=CLOCK | JSON
        )
        assert response.status_code == 200
        assert CANARY not in response.text, (query, variables)
        assert not [each for each in others if each in response.text], (query, variables)
    assert two.theirs.rows() == two.before


JSON = {"content-type": "application/json"}
