"""Programmes and what they offer: terms come in versions that never change, rewards are as they are now."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select

from app.loyalty import rules
from app.loyalty.finality import takes_effect
from app.loyalty.tables import LoyaltyLevel, LoyaltyProgram, LoyaltyTerms, Reward
from app.platform.access import exponent_of
from app.platform.ids import key_of, new_id, public_id
from app.platform.refusals import Code, Problems, Refused
from app.platform.text import clean
from app.platform.work import Work

Result = dict[str, Any]
_TERMS = ("earn_rate_e6", "activation_days", "expiry_days", "point_value_e6", "grace_days", "soft_landing")
MOST_STOCK = 2**31 - 1


def create_program(work: Work, given: rules.TermsGiven) -> Result:
    """A programme for what is bought in one currency, with the first version of its terms."""
    problems = Problems()
    columns = rules.clean_terms(problems, given)
    exponent = 0
    try:
        exponent = exponent_of(given["currency"])
    except ValueError:
        problems.add(Code.INVALID, "This is no currency code of ISO 4217, like EUR.", "currency")
    problems.stop()
    levels, now = columns.pop("levels", []), takes_effect(work)
    program = {
        "id": new_id(),
        "currency": given["currency"],
        "exponent": exponent,
        "created_at": now,
        "version": 1,
        "expiry_days": None,
        **columns,
    }
    work.insert(LoyaltyProgram, [program])
    _publish(work, program, levels, now)
    work.announce("loyalty_program.created", _public("lpr", program["id"]))
    return {"program": _public("lpr", program["id"])}


def update_program(work: Work, given: rules.ProgramUpdate) -> Result:
    """The next version of the terms: it holds from now on, and what was earned keeps its rule.

    Levels are given whole: those that are left out are gone.
    """
    problems = Problems()
    program = find_program(work, problems, given["id"], "id")
    columns = rules.clean_terms(problems.under("set"), given["set"])
    if program is None:
        raise Refused(*problems.found)
    expected = given.get("expected_version")
    if expected is not None and expected != program.version:
        message = f"The current version is {program.version}."
        problems.add(Code.STALE_VERSION, message, "expected_version", node=_public("lpr", program.id))
    problems.stop()
    levels = columns.pop("levels", None)
    if levels is None:
        levels = _levels(work, program)
    for name, value in columns.items():
        setattr(program, name, value)
    program.version += 1
    work.session.flush()
    terms = {name: getattr(program, name) for name in ("id", "version", *_TERMS)}
    _publish(work, terms, levels, takes_effect(work))
    work.announce("loyalty_program.updated", _public("lpr", program.id))
    return {"program": _public("lpr", program.id)}


def create_reward(work: Work, given: rules.RewardGiven) -> Result:
    problems = Problems()
    program = find_program(work, problems, given["program_id"], "program_id", lock=False)
    columns = _reward(problems, given)
    problems.stop()
    assert program
    reward = {
        "id": new_id(),
        "program_id": program.id,
        "stock": None,
        "active": True,
        "created_at": work.now,
        **columns,
    }
    work.insert(Reward, [reward])
    work.announce("reward.created", _public("rew", reward["id"]))
    return {"reward": _public("rew", reward["id"])}


def update_reward(work: Work, given: rules.RewardUpdate) -> Result:
    """What is left out stays; `stock` null: unlimited."""
    problems = Problems()
    columns = _reward(problems.under("set"), given["set"])
    mine = Reward.org_id == work.org.id, Reward.id == key_of(given["id"], "rew")
    reward = work.session.scalars(select(Reward).where(*mine).with_for_update()).one_or_none()
    if reward is None:
        problems.add(Code.NOT_FOUND, "There is no such reward.", "id")
    problems.stop()
    for name, value in columns.items():
        setattr(reward, name, value)
    work.session.flush()
    assert reward
    work.announce("reward.updated", _public("rew", reward.id))
    return {"reward": _public("rew", reward.id)}


def find_program(work: Work, problems: Problems, public: str, *path: str, lock: bool = True) -> LoyaltyProgram | None:
    """The programme with this id, locked to be changed."""
    p = LoyaltyProgram
    asked = select(p).where(p.org_id == work.org.id, p.id == key_of(public, "lpr"))
    # Not its key: whoever opens an account meanwhile need not wait.
    asked = asked.with_for_update(key_share=True) if lock else asked
    found = work.session.scalars(asked.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, "There is no such loyalty programme.", *path)
    return found


def _publish(work: Work, program: dict[str, Any], levels: list[dict[str, Any]], at: datetime) -> None:
    key = {"program_id": program["id"], "version": program["version"]}
    work.insert(LoyaltyTerms, [{**key, "at": at, **{name: program[name] for name in _TERMS}}])
    rows = [{**key, **level, "benefits": orjson.dumps(level["benefits"]).decode()} for level in levels]
    work.insert(LoyaltyLevel, rows)


def _levels(work: Work, program: LoyaltyProgram) -> list[dict[str, Any]]:
    """Those of the version that is in force, to be said again."""
    v = LoyaltyLevel
    mine = v.org_id == work.org.id, v.program_id == program.id, v.version == program.version
    found = work.session.execute(select(v.__table__).where(*mine)).mappings()
    names = ("rank", "name", "name_folded", "qualify_points", "retain_points", "multiplier_e6")
    return [{**{name: row[name] for name in names}, "benefits": orjson.loads(row["benefits"])} for row in found]


def _reward(problems: Problems, given: rules.RewardGiven) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in given:
        columns["name"] = clean(problems, given["name"], "name", required=True)
    if "points" in given:
        if given["points"] is None:
            problems.add(Code.REQUIRED, "This may not be empty.", "points")
        else:
            columns["points"] = rules.clean_points(problems, given["points"], "points")
    if "stock" in given:
        columns["stock"] = given["stock"]
        if given["stock"] is not None and not 0 <= given["stock"] <= MOST_STOCK:
            problems.add(Code.OUT_OF_RANGE, f"From 0 to {MOST_STOCK}, or nothing for an unlimited stock.", "stock")
    if "active" in given:
        if given["active"] is None:
            problems.add(Code.REQUIRED, "This may not be empty.", "active")
        columns["active"] = given["active"]
    return columns


def _public(prefix: str, key: Any) -> str:
    return public_id(prefix, key)
