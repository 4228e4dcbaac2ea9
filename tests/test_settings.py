"""What the environment says is understood, or refused in a sentence."""

from pathlib import Path

import pytest

from app.platform.ids import PublicId, new_id
from app.platform.refusals import OperatorError
from app.settings import Settings, is_loopback

ORG = new_id()
PRINTED = str(PublicId("org", ORG))


def test_an_empty_environment_is_a_local_server_with_keys() -> None:
    assert Settings.from_environment({"GUANXI_HOST": ""}) == Settings(
        "sqlite:///./guanxi.db", "127.0.0.1", 8000, 16, None, 300_000, 30_000, False
    )


def test_everything_can_be_said() -> None:
    said = {
        "GUANXI_DATABASE_URL": "postgresql://db/guanxi",
        "GUANXI_HOST": "::1",
        "GUANXI_PORT": "9000",
        "GUANXI_CONNECTIONS": "4",
        "GUANXI_OPEN_ORG": PRINTED,
        "GUANXI_COST_LIMIT": "0",
        "GUANXI_COST_RESTORED": "7",
        "GUANXI_TEST_CLOCK": "1",
        "GUANXI_ORIGINS": "https://Crm.example.com, http://localhost:3000",
        "GUANXI_DOCUMENTS": "documents",
        "GUANXI_DOCUMENTS_MODE": "enforce",
        "GUANXI_LOG": "text",
        "GUANXI_NOTICE_SECONDS": "0",
        "GUANXI_DRAIN_SECONDS": "30",
    }
    origins = frozenset({"https://crm.example.com", "http://localhost:3000"})
    documents = Path("documents"), "enforce"
    assert Settings.from_environment(said) == Settings(
        "postgresql://db/guanxi", "::1", 9000, 4, ORG, 0, 7, True, origins, *documents, "text", 0, 30
    )


@pytest.mark.parametrize(
    "said",
    [
        {"GUANXI_PORT": "http"},
        {"GUANXI_PORT": "65536"},
        {"GUANXI_CONNECTIONS": "0"},
        {"GUANXI_COST_LIMIT": "-1"},
        {"GUANXI_COST_RESTORED": "0"},
        {"GUANXI_ORIGINS": "crm.example.com"},
        {"GUANXI_LOG": "loud"},
        {"GUANXI_NOTICE_SECONDS": "-1"},
        {"GUANXI_DRAIN_SECONDS": "3601"},
        {"GUANXI_ORIGINS": "https://crm.example.com/"},
        {"GUANXI_DOCUMENTS_MODE": "enforce"},
        {"GUANXI_DOCUMENTS_MODE": "all", "GUANXI_DOCUMENTS": "documents"},
        {"GUANXI_OPEN_ORG": "org_1"},
        {"GUANXI_OPEN_ORG": ORG.hex},
        {"GUANXI_OPEN_ORG": PRINTED, "GUANXI_HOST": "0.0.0.0"},
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(OperatorError):
        Settings.from_environment(said)


def test_only_this_machine_is_loopback() -> None:
    assert [
        host for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "db", "") if is_loopback(host)
    ] == [
        "localhost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
    ]
