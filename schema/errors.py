"""Refused becomes userErrors: what the caller could mend, typed, with a path into the arguments."""

from collections.abc import Iterable
from typing import Any

import strawberry

from app.platform.refusals import Code, Problem
from schema.node import Node
from schema.roots import reread
from schema.scalars import SafeInt

_SAID = {
    "field": "Path into the arguments, from input on, list positions as strings.",
    "message": "For a person.",
    "code": "For a program.",
}


@strawberry.interface(
    description="Something the caller can mend. Every mutation payload lists them, with all problems at once; an empty list means it was done. "
    "When there are any, nothing was done and the entity is null."
)
class UserError:
    field: list[str] | None = strawberry.field(description=_SAID["field"])
    message: str = strawberry.field(description=_SAID["message"])
    code: Code = strawberry.field(description=_SAID["code"])

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        """Problems come as dictionaries that say what they are."""
        named: str = value["__typename"]
        return named


def _node(description: str) -> Any:
    async def read(self: Any, info: strawberry.Info) -> Node:
        found: Any = await reread(info, self["node"])
        return found  # type: ignore[no-any-return]

    return strawberry.field(resolver=read, description=description)


@strawberry.type(description="Any problem that has nothing more to show.")
class InputError(UserError):
    pass


@strawberry.type(description="Another one has it.")
class TakenError(UserError):
    existing: Node = _node("The one that has it.")


@strawberry.type(description="It changed since that version.")
class StaleVersionError(UserError):
    current: Node = _node("As it is now.")


@strawberry.type(description="More points than are available.")
class InsufficientPointsError(UserError):
    needed: SafeInt = strawberry.field(description="So many were asked for.")
    available: SafeInt = strawberry.field(description="So many are available.")


def told(problems: Iterable[Problem | dict[str, Any]]) -> list[dict[str, Any]]:
    """Problems as user errors."""
    return [_told(problem if isinstance(problem, dict) else as_dict(problem)) for problem in problems]


def as_dict(problem: Problem) -> dict[str, Any]:
    said = {"code": problem.code.value, "message": problem.message, "path": list(problem.path), "node": problem.node}
    return said | ({"needed": problem.needed, "available": problem.available} if problem.needed is not None else {})


def _told(problem: dict[str, Any]) -> dict[str, Any]:
    kind = {Code.TAKEN.value: "TakenError", Code.STALE_VERSION.value: "StaleVersionError"}.get(problem["code"])
    kind = kind if problem.get("node") else "InsufficientPointsError" if "needed" in problem else None
    return {
        "__typename": kind or "InputError",
        "field": ["input", *(camel(str(part)) for part in problem["path"])],
        "message": problem["message"],
        "code": problem["code"],
        "node": problem.get("node"),
        "needed": problem.get("needed"),
        "available": problem.get("available"),
    }


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
