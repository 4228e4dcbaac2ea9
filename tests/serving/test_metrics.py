"""What Prometheus is told, and whom else nobody tells."""

import re
from collections.abc import Callable

from sqlalchemy import Engine

from app.platform.access import Org, create_key
from app.platform.work import transaction
from tests.client import Client
from tests.conftest import NOW

CREATE = 'mutation { customerCreate(input: { name: "Ana" }) { customer { id } } }'


async def read(client: Client) -> dict[str, float]:
    answer = await client.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


async def test_all_is_counted(client: Client) -> None:
    for _ in range(3):
        await client.ask("query Counted { customers(first: 2) { nodes { id } } }")
    await client.post(CREATE)
    await client.post("{ nothing }")
    found = await read(client)
    assert found['guanxi_requests_total{lane="sql",status="200",transport="http"}'] == 4
    assert found['guanxi_requests_total{lane="core",status="200",transport="http"}'] == 1
    assert found['guanxi_request_seconds_count{lane="sql",transport="http"}'] == 4
    assert found['guanxi_request_seconds_bucket{lane="sql",le="+Inf",transport="http"}'] == 4
    assert found['guanxi_errors_total{code="GRAPHQL_VALIDATION_FAILED"}'] == 1
    assert found['guanxi_cache_lookups_total{cache="document",result="hit"}'] == 2
    assert found['guanxi_cache_lookups_total{cache="document",result="miss"}'] >= 2
    assert found['guanxi_cache_lookups_total{cache="plan",result="hit"}'] >= 2
    assert found['guanxi_cache_lookups_total{cache="statement",result="hit"}'] >= 2
    assert found["guanxi_cost_points_total"] > 0
    assert found["guanxi_statements_total"] >= 4
    assert found["guanxi_write_group_size_count"] == found["guanxi_write_group_size_sum"] == 1
    assert found['guanxi_in_use{state="open",what="subscriptions"}'] == 0
    assert found['guanxi_in_use{state="idle",what="questions"}'] >= 1
    assert found["guanxi_outbox_lag_seconds"] == 0
    assert (await read(client))["guanxi_statements_total"] == found["guanxi_statements_total"]


async def test_only_who_administers_is_told(client: Client, engine: Engine, new_org: Callable[..., Org]) -> None:
    with transaction(engine) as session:
        key = create_key(session, new_org().id, ["read", "write"], NOW)
    refused = await client.http.get("/metrics", headers={"authorization": ""})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert (await client.http.get("/metrics", headers={"authorization": f"Bearer {key}"})).status_code == 403
