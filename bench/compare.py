"""Do all servers answer the same? Asked before anything is measured, and loudly refused when they do not."""

import json
from itertools import pairwise
from typing import Any

from bench.data import Shop
from bench.questions import WRITES, answer, asked_of, request, variables
from bench.servers import Server


class Differs(Exception):
    """Two servers, asked the same, say otherwise."""


def same_values(servers: list[Server], questions: list[str], shop: Shop, sample: int = 12) -> int:
    """How many answers were compared, server by server. Raises Differs with the first place where two part."""
    compared = 0
    for question in questions:
        asked = asked_of(question, servers)
        for given in variables(question, shop)[:sample]:
            told = []
            for server in asked:
                try:
                    told.append(answer(question, server.family, server.ask(request(question, server.family, given))))
                except ValueError as error:
                    raise Differs(f"{server.name} does not answer {question} {given}: {error}") from None
            for (one, its), (other, others) in pairwise(zip(asked, told, strict=True)):
                if place := _where(its, others):
                    raise Differs(f"{question} {given}: {one.name} and {other.name} differ at {place}")
            compared += 1
            if question in WRITES:
                break
    return compared


def _where(one: Any, other: Any, path: str = "") -> str | None:
    """The first place at which two values differ, with both of them."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(filter(None, (_where(one[key], other[key], f"{path}.{key}") for key in one)), None)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return next(
            filter(None, (_where(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True)))), None
        )
    if one == other:
        return None
    return f"{path or 'the top'}: {json.dumps(one)[:300]} and {json.dumps(other)[:300]}"
