"""Answers that are more than one: each hint of a subscription, told as any other question is.

The same limits hold as over HTTP: a document is parsed, validated and bounded once, its arguments are looked at before
anything begins, and who asks is looked up again for each answer. What carries them are events.py and socket.py.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graphql import GraphQLError
from graphql.execution.values import VariableValues

from app.platform.access import Caller
from app.platform.away import away
from app.platform.database import instant_text
from app.platform.ids import key_of, public_id
from app.platform.live import Live, Subscriber
from app.platform.outbox import Change
from app.platform.records import noted
from schema.charge import charge, paid_for
from schema.documents import Document, Invalid, Operation
from schema.http import Endpoint, completed, refuse_arguments, refuse_names, with_request_id
from schema.policies import EVENTS, SUBSCRIPTIONS
from schema.request import Given, Headers, Refusal, Scope
from schema.roots import MOST_NODES
from schema.schema import graphql_schema
from schema.selection import Selections

# How often somebody to whom nothing is told is asked whether he still may hear it: a revoked key is known within a
# second more.
LOOK_SECONDS = 2.0
SUBSCRIPTION: Any = graphql_schema.subscription_type


@dataclass(frozen=True)
class Credentials:
    """Who asks, each time anew."""

    scope: Scope
    headers: Headers


@dataclass
class Stream:
    """`answers`: bodies, and None when there was nothing for a while. `end` is to be called, whatever becomes of it."""

    answers: AsyncIterator[bytes | None]
    end: Callable[[], None]
    subscribes: bool


class Streams:
    """What is answered over transports that carry more than one answer."""

    def __init__(self, endpoint: Endpoint, live: Live) -> None:
        self.endpoint, self.live = endpoint, live

    async def begin(
        self,
        given: Given,
        who: Credentials,
        request_id: str,
        dropped: Callable[[], None],
        *,
        only_reads: bool = False,
        said: dict[str, Any] | None = None,
    ) -> Stream:
        """A subscription is in force when this returns; any other operation runs when it is asked for. Raises Refusal,
        Invalid, Stopping; `dropped` is called when its reader is too slow, or the server stops; `said`: takes what is told beside."""
        endpoint = self.endpoint
        clock = endpoint.clock(who.headers)
        caller = await endpoint.caller(who.scope, who.headers)
        record = noted()
        record.caller = caller
        found = await endpoint.document(given)
        operation = found.operation(given.operation_name)
        record.document, record.asked = found.hash, operation.told
        if not operation.subscribes:
            if only_reads and not operation.reads:
                raise Refusal(405, "BAD_REQUEST", "By GET no mutation is done.", {"allow": "POST"})
            asked = endpoint.asked(caller, clock, said=said)
            return Stream(_once(endpoint, found, operation, given, asked, request_id), lambda: None, False)
        variables = operation.coerced(given.variables or {})
        if not isinstance(variables, VariableValues):
            raise Invalid("BAD_USER_INPUT", variables)
        _refuse_scopes(operation, caller, variables)
        asked = endpoint.asked(caller, clock, said=said)
        price = operation.price.of(variables.coerced)
        await charge(endpoint.limiter, asked, price)
        segments = refuse_arguments(operation, variables, caller, asked.now)
        subscriber = await self.live.subscribe(caller.org.id, _ids(operation, variables), dropped)
        telling = _Telling(found, operation, given, variables, segments, request_id, price)
        answers = self._hints(subscriber, who, telling)
        return Stream(answers, lambda: self.live.unsubscribe(subscriber), True)

    async def _hints(
        self, subscriber: Subscriber, who: Credentials, telling: "_Telling"
    ) -> AsyncIterator[bytes | None]:
        while True:
            change = await subscriber.next(LOOK_SECONDS)
            while True:
                try:
                    body = await self._hint(change, who, telling)
                    break
                except Exception as failure:
                    if not away(failure):
                        raise
                    # Nothing can be told meanwhile, nor has happened; it goes on when the database is back.
                    yield None
                    await asyncio.sleep(LOOK_SECONDS / 2)
            if change is None or body is not None:
                yield body

    async def _hint(self, change: Change | None, who: Credentials, telling: "_Telling") -> bytes | None:
        """What is told of a change; nothing, of one that is not for the caller. Raises Refusal, and Away."""
        endpoint = self.endpoint
        # The key may have been revoked since, or may do less.
        caller = await endpoint.caller(who.scope, who.headers)
        _refuse_scopes(telling.operation, caller, telling.variables)
        if change is None or EVENTS.get(change.event.partition(".")[0]) not in caller.may:
            return None
        asked = endpoint.asked(caller, endpoint.clock(who.headers))
        paid_for(endpoint.limiter, asked, telling.price)
        await asked.read_segments(telling.segments)
        body = await completed(telling.document, telling.given, asked, _told(change))
        return with_request_id(body, telling.request_id)


@dataclass(frozen=True)
class _Telling:
    """What was asked to be told of each change."""

    document: Document
    operation: Operation
    given: Given
    variables: VariableValues
    segments: set[UUID]
    request_id: str
    price: int


def _refuse_scopes(operation: Operation, caller: Caller, variables: VariableValues) -> None:
    """Raises Refusal for what the caller may not subscribe to, or not name."""
    verdict = operation.verdict(caller.may)
    if verdict.refused is not None:
        raise Refusal(400, "FORBIDDEN_FIELD", str(verdict.refused))
    if not verdict.whole:
        raise Refusal(400, "FORBIDDEN", f"This needs a key with the scope {SUBSCRIPTIONS['customerChanged']!r}.")
    refuse_names(verdict, caller, variables)


def _told(change: Change) -> Mapping[str, Any]:
    customer = public_id("cus", change.customer_id)
    return {"customer_id": customer, "event": change.event, "occurred_at": instant_text(change.at)}


def _ids(operation: Operation, variables: VariableValues) -> frozenset[UUID] | None:
    """Of which customers it is to hear; None: of all. What is no customer's id is nobody's."""
    selections = Selections(graphql_schema, operation.fragments, variables)
    try:
        [selected] = selections.below([operation.node], SUBSCRIPTION)
        ids = selections.arguments(SUBSCRIPTION, selected).get("ids")
    except GraphQLError as error:
        raise Invalid("BAD_USER_INPUT", [error]) from None
    if ids is None:
        return None
    if len(ids) > MOST_NODES:
        raise Refusal(400, "BAD_USER_INPUT", f"At most {MOST_NODES} ids at once.")
    return frozenset(key for each in ids if (key := key_of(each, "cus")) is not None)


async def _once(
    endpoint: Endpoint, found: Document, operation: Operation, given: Given, asked: Any, request_id: str
) -> AsyncIterator[bytes | None]:
    lane, body = await endpoint.run(found, operation, given, asked)
    endpoint.served[lane] += 1
    noted().lane = lane
    if isinstance(body, dict) or body.startswith(b'{"errors"'):
        body = with_request_id(body, request_id)
    yield body
