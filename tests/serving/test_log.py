"""A request leaves one line that tells what it was, and nobody's values, whatever went wrong."""

import asyncio
import io
import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from app.platform.access import Org
from app.platform.ids import PublicId
from app.query.fetch import Reader
from app.serving.journal import EVERY_SECONDS
from app.serving.lines import FOLDER, ONE_PIECE, configuration, mode_of
from tests.client import Client

# Whatever of a person may be put in, so that it is found wherever it stands.
CANARIES = ("Kanaria Vogelsang", "kanaria@vogelsang.example", "+33612345678", "Kanarien schlafen schlecht", "kan-4711")
CREATE = """mutation Enter($input: CustomerCreateInput!) {
  customerCreate(input: $input) { customer { id } userErrors { code message } } }"""


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that a server of these settings writes."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    root, requests = logging.getLogger(), logging.getLogger("guanxi.requests")
    before, level = root.handlers[:], root.level
    logging.config.dictConfig(configuration("json"))
    yield written
    root.handlers, root.level = before, level
    requests.handlers.clear()
    requests.propagate = True
    for each in (requests, logging.getLogger("guanxi")):
        each.setLevel(logging.NOTSET)


async def lines(written: io.StringIO, number: int) -> list[dict[str, Any]]:
    """The requests' lines, once there are so many."""
    for _ in range(100):
        found = [json.loads(line) for line in written.getvalue().splitlines()]
        found = [each for each in found if each["logger"] == "guanxi.requests"]
        if len(found) >= number:
            break
        await asyncio.sleep(EVERY_SECONDS / 2)
    assert len(found) == number, found
    return found


async def test_a_request_is_a_line(client: Client, org: Org, logged: io.StringIO) -> None:
    await client.post("query Names { customers(first: 3) { nodes { name } } }", x_request_id="asked-first")
    await client.post("{ customers { nodes { names } } }")
    await client.post("query Types { __schema { queryType { name } } }")
    first, second, third = await lines(logged, 3)
    keys = ["time", "requestId", "ms", "cost", "statements", "level", "logger", "transport", "org", "key", "kind"]
    assert list(first) == [*keys, "operation", "document", "lane", "status", "errors"]
    assert first["requestId"] == "asked-first"
    assert (first["kind"], first["operation"], first["lane"], first["status"]) == ("query", "Names", "sql", 200)
    assert (first["org"], first["errors"]) == (str(PublicId("org", org.id)), [])
    assert first["key"].startswith("key_")
    assert first["cost"] > 0
    assert first["statements"] >= 1
    assert len(first["document"]) == 64
    assert (second["errors"], second["operation"]) == (["GRAPHQL_VALIDATION_FAILED"], None)
    assert (third["lane"], third["statements"]) == ("core", 0)


async def test_a_slow_one_is_marked(client: Client, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.serving.lines.SLOW_SECONDS", 0.0)
    await client.post("{ customers { totalCount } }")
    (line,) = await lines(logged, 1)
    assert line["slow"] is True


async def test_many_are_written_in_pieces_that_do_not_mix(
    client: Client, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, "")
    pieces = list[str]()
    requests = logging.getLogger("guanxi.requests")

    def seen(record: logging.LogRecord) -> bool:
        pieces.append(record.getMessage())
        return True

    requests.addFilter(seen)
    for _ in range(40):
        await client.post("{ customers { totalCount } }")
    assert len(await lines(logged, 40)) == 40
    assert max(map(len, pieces)) <= ONE_PIECE
    requests.removeFilter(seen)


async def test_nobody_stands_in_the_log(client: Client, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    name, email, phone, note, ref = CANARIES
    given = {"name": name, "email": email, "phone": phone, "externalRefs": [{"system": "canary", "value": ref}]}
    done = await client.post(CREATE, {"input": given})
    customer = done["data"]["customerCreate"]["customer"]["id"]
    said = {"customer": {"id": customer}, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND", "body": note}
    await client.do("touchpointRecord", said, "touchpoint { id }")
    asked = f'query Look {{ customers(where: {{ name: {{ eq: "{name}" }} }}) {{ nodes {{ name email }} }} }}'
    assert (await client.ask(asked))["customers"]["nodes"][0]["email"] == email
    # Refused, misspelt, of the wrong type, in literals as in variables.
    wrong: list[tuple[str, Any]] = [
        (CREATE, {"input": given}),
        (CREATE, {"input": {"name": name, "email": [email], "telephone": phone}}),
        (CREATE, {"input": name}),
        (f'{{ customer(id: "{ref}", name: "{name}") {{ id }} }}', None),
        (f'{{ customers(where: {{ name: {{ eq: "{name}" }} }}, first: "{phone}") {{ nodes {{ id }} }} }}', None),
        (f'query {{ customers( "{note}', None),
    ]
    for document, variables in wrong:
        await client.post(document, variables)
    json_only = {"content-type": "application/json"}
    await client.http.post("/graphql", content=f'{{"query": "{name}'.encode(), headers=json_only)
    await client.http.get("/graphql", params={"query": "{ viewer { id } }", "variables": f'{{"x": "{email}"'})
    await client.http.post("/graphql", json={"query": name}, headers={"authorization": f"Bearer {phone}"})

    # Our own faults, in words that quote what they failed on.
    async def fails(*_: Any) -> bytes:
        raise RuntimeError(f"could not read {name} <{email}>, {phone}") from ValueError(note)

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "read", fails)
        assert "INTERNAL_SERVER_ERROR" in str(await client.post(asked))
    failing = asyncio.create_task(fails())
    await asyncio.wait([failing])
    told = {"message": "Task exception was never retrieved", "exception": failing.exception(), "future": failing}
    asyncio.get_running_loop().default_exception_handler(told)
    await lines(logged, 13)
    text = logged.getvalue()
    assert "RuntimeError" in text
    assert "never retrieved" in text
    assert [canary for canary in CANARIES if canary in text] == []
    metrics = (await client.http.get("/metrics")).text
    assert [canary for canary in CANARIES if canary in metrics] == []


def test_it_is_for_machines_unless_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert (mode_of("off"), mode_of("text")) == ("off", "text")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert mode_of("") == "json"
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert mode_of("") == "text"
