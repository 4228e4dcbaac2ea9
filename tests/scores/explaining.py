"""How judgements are explained, and to whom they are in these tests."""

from collections import defaultdict
from functools import cache
from typing import Any

from app.customers.measures import customers
from app.query.measure import Ladder
from tests.conftest import NOW
from tests.house import LATER, Shop
from tests.oracle.facts import Facts, facts_of
from tests.oracle.history import History
from tests.reading import FACTS, JUDGED, read_all, selection
from tests.scores.crowd import lived

WHY = """{ rule policyVersion reasons { rule sentence fact observed threshold met }
  next { to sufficient sentence fact needed by } }"""
EXPLAINED = {
    "stage": ("lifecycle", "STAGE", "lifecycle.stage"),
    "phase": ("lifecycle", "PHASE", "lifecycle.phase"),
    "action": ("lifecycle", "NEXT_ACTION", "lifecycle.nextAction"),
    "tier": ("relationship", None, "relationship.tier"),
    "score": ("value", "SCORE", "value.score"),
    "rfm": ("value", "RFM", "value.rfm.cell"),
    "risk": ("value", "CHURN_RISK", "value.churnRisk"),
    "health": ("value", "HEALTH", "value.health"),
    "behavior": ("value", "BEHAVIOR", "value.behavior"),
    "perceived": ("value", "PERCEIVED", "value.perceived.ratio"),
}
LADDERS: dict[str, Any] = {key: made for key, made in customers.measures.items() if isinstance(made, Ladder)}
LADDERS["action"] = LADDERS.pop("next_action")


def explanations(*names: str) -> str:
    """Each under its name, below the part that it belongs to."""
    parts: dict[str, str] = defaultdict(str)
    for name in names:
        part, of, _ = EXPLAINED[name]
        parts[part] += f" {name}_why: why{f'(of: {of})' if of else ''} {WHY}"
    return " ".join(f"{part} {{ {told} }}" for part, told in parts.items())


def known_of(life: History, shop: Shop) -> Facts:
    return facts_of(life, NOW, shop.zone)


@cache
def explained(backend: str) -> list[tuple[Facts, Any]]:
    """Each customer's facts, judgements and explanations as of NOW."""
    shop, lives = lived(backend)
    told = read_all(shop, f"{selection([*JUDGED, *FACTS])} {explanations(*EXPLAINED)}", LATER, NOW)
    return [(known_of(life, shop), row) for life, row in zip(lives, told, strict=True)]
