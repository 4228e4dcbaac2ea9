"""What the API says of a programme and its members, at the clock or as of an instant before it."""

from datetime import date, datetime
from typing import Any

from app.platform.database import instant_text
from tests.house import Shop
from tests.loyalty.rows import ACCOUNTS

QUERY = """query Read($program: ID!, $asOf: DateTime) {
  loyaltyPrograms { id trialBalance(asOf: $asOf) { account points } }
  loyaltyAccounts(first: 100, where: {programId: {eq: $program}}, asOf: $asOf) { nodes {
    liveId status level { name } nextLevel { level { name } pointsNeeded by } expiring { expiresOn points }
    balance { available pending reserved debt lifetimeEarned }
  } } }"""


def read_program(shop: Shop, program: str, now: datetime, as_of: datetime, known: set[str]) -> dict[str, Any]:
    """The trial balance, and those members; without asOf when that is now."""
    said = shop.ask(QUERY, now, program=program, asOf=instant_text(as_of) if as_of != now else None)
    [mine] = [each for each in said["loyaltyPrograms"] if each["id"] == program]
    return {
        # Before there is any member the list is empty.
        "trialBalance": dict.fromkeys(ACCOUNTS, 0) | {each["account"]: each["points"] for each in mine["trialBalance"]},
        "members": {
            node["liveId"]: read_member(node) for node in said["loyaltyAccounts"]["nodes"] if node["liveId"] in known
        },
    }


def read_member(node: Any) -> dict[str, Any]:
    following = node["nextLevel"]
    return {
        "status": node["status"],
        "balance": node["balance"],
        "level": node["level"] and node["level"]["name"],
        "nextLevel": following
        and (following["level"]["name"], following["pointsNeeded"], date.fromisoformat(following["by"])),
        "expiring": [(date.fromisoformat(each["expiresOn"]), each["points"]) for each in node["expiring"]],
    }
