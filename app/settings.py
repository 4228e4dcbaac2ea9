"""What the environment says, read once and passed down."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

from app.platform.ids import key_of
from app.platform.refusals import OperatorError

DOCUMENT_MODES = ("off", "log", "enforce")
MOST_CONNECTIONS, MOST_COST, MOST_SECONDS = 1_000, 10**9, 3_600
_ORIGIN = re.compile(r"https?://[^\s/]+")


@dataclass(frozen=True)
class Settings:
    """GUANXI_DATABASE_URL, GUANXI_HOST, GUANXI_PORT, GUANXI_CONNECTIONS, GUANXI_OPEN_ORG, GUANXI_COST_LIMIT,
    GUANXI_COST_RESTORED, GUANXI_TEST_CLOCK, GUANXI_ORIGINS, GUANXI_DOCUMENTS, GUANXI_DOCUMENTS_MODE, GUANXI_LOG,
    GUANXI_NOTICE_SECONDS, GUANXI_DRAIN_SECONDS.

    `open_org`: the organisation that a server bound to loopback serves without a key; None demands a key.
    `connections`: over how many each process reads from PostgreSQL. `cost_limit`: points of cost in a key's bucket, of
    which `cost_restored` come back each second; 0: without a limit. `test_clock`: requests may set their own clock.
    `origins`: pages of which other hosts may open a WebSocket. `documents`: the folder or file of trusted documents;
    `documents_mode`: whether others are answered (`off`), told of in the log (`log`), or refused (`enforce`).
    `log`: json, text or off; empty: what suits. A server that is told to stop says so for `notice_seconds`, and then
    waits `drain_seconds` for what is under way.
    """

    database_url: str = "sqlite:///./guanxi.db"
    host: str = "127.0.0.1"
    port: int = 8000
    connections: int = 16
    open_org: UUID | None = None
    cost_limit: int = 300_000
    cost_restored: int = 30_000
    test_clock: bool = False
    origins: frozenset[str] = frozenset()
    documents: Path | None = None
    documents_mode: str = "off"
    log: str = ""
    notice_seconds: int = 1
    drain_seconds: int = 10

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises OperatorError for a value that cannot be meant."""

        def said(name: str, default: str) -> str:
            return environment.get(f"GUANXI_{name}") or default

        port = said("PORT", str(cls.port))
        if not port.isdecimal() or not 0 <= int(port) <= 65535:
            raise OperatorError("GUANXI_PORT is a number from 0 to 65535.")
        connections = said("CONNECTIONS", str(cls.connections))
        if not connections.isdecimal() or not 1 <= int(connections) <= MOST_CONNECTIONS:
            raise OperatorError(f"GUANXI_CONNECTIONS is a number from 1 to {MOST_CONNECTIONS}.")
        costs = said("COST_LIMIT", str(cls.cost_limit)), said("COST_RESTORED", str(cls.cost_restored))
        if not all(text.isdecimal() and least <= int(text) <= MOST_COST for least, text in enumerate(costs)):
            raise OperatorError(
                f"GUANXI_COST_LIMIT and GUANXI_COST_RESTORED are numbers up to {MOST_COST}, from 0 and 1."
            )
        documents, mode = said("DOCUMENTS", ""), said("DOCUMENTS_MODE", cls.documents_mode)
        if mode not in DOCUMENT_MODES or (mode != cls.documents_mode and not documents):
            raise OperatorError(
                "GUANXI_DOCUMENTS_MODE is off, log or enforce; for the last two GUANXI_DOCUMENTS says where they are."
            )
        waits = (
            said("NOTICE_SECONDS", str(cls.notice_seconds)),
            said("DRAIN_SECONDS", str(cls.drain_seconds)),
        )
        if not all(text.isdecimal() and int(text) <= MOST_SECONDS for text in waits):
            raise OperatorError(f"GUANXI_NOTICE_SECONDS and GUANXI_DRAIN_SECONDS are numbers from 0 to {MOST_SECONDS}.")
        if said("LOG", "json") not in ("json", "text", "off"):
            raise OperatorError("GUANXI_LOG is json, text or off.")
        open_org = said("OPEN_ORG", "")
        settings = cls(
            database_url=said("DATABASE_URL", cls.database_url),
            host=said("HOST", cls.host),
            port=int(port),
            connections=int(connections),
            open_org=key_of(open_org, "org") if open_org else None,
            test_clock=said("TEST_CLOCK", "0") == "1",
            origins=frozenset(each.strip().lower() for each in said("ORIGINS", "").split(",") if each.strip()),
            cost_limit=int(costs[0]),
            cost_restored=int(costs[1]),
            documents=Path(documents) if documents else None,
            documents_mode=mode,
            log=said("LOG", ""),
            notice_seconds=int(waits[0]),
            drain_seconds=int(waits[1]),
        )
        if not all(_ORIGIN.fullmatch(each) for each in settings.origins):
            raise OperatorError("GUANXI_ORIGINS are pages' origins, like https://crm.example.com, with commas between.")
        if open_org and settings.open_org is None:
            raise OperatorError("GUANXI_OPEN_ORG is an organisation's id, like org_ and 32 hex digits.")
        if settings.open_org and not is_loopback(settings.host):
            raise OperatorError("A server without keys is bound to this machine alone: 127.0.0.1, ::1 or localhost.")
        return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
