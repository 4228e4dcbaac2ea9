"""What an operation costs is taken from its key's bucket before it runs, and told with its answer."""

from datetime import timedelta
from typing import Any

import orjson
import strawberry

from app.platform.database import instant_text
from app.platform.limits import Limiter, Standing, Throttled
from app.platform.records import noted
from schema.context import Asked, asked
from schema.cost import MOST
from schema.request import Refusal
from schema.scalars import DateTime


def paid(limiter: Limiter | None, request: Asked, price: int) -> bool:
    """Whether it could be taken at once, from what this process has: so it is with nearly all that is asked."""
    standing = limiter.spend(request.caller, price) if limiter is not None and price <= MOST else None
    if standing is not None:
        _take(request, price, standing)
    return standing is not None


def _take(request: Asked, price: int, standing: Standing) -> None:
    noted().cost += price
    request.charged = price, standing
    request.extensions["cost"] = _told(price, standing)


async def charge(limiter: Limiter | None, request: Asked, price: int) -> None:
    """Raises Refusal for what may return too much, and when there is not as much left."""
    # What no bucket ever holds is not worth waiting for.
    most = MOST if limiter is None else min(MOST, limiter.limit)
    if price > most:
        if limiter is not None:
            request.extensions["cost"] = _told(price, limiter.standing(request.caller), charged=0)
        message = f"This may return {price:,} rows; at most {most:,}. Ask for smaller pages."
        raise Refusal(400, "MAX_COST_EXCEEDED", message)
    if limiter is None:
        noted().cost += price
        return
    try:
        standing = await limiter.take(request.caller, price)
    except Throttled as throttled:
        request.extensions["cost"] = _told(price, throttled.standing, charged=0)
        raise Refusal(429, "THROTTLED", str(throttled), {"retry-after": str(throttled.seconds)}) from None
    _take(request, price, standing)


def paid_for(limiter: Limiter | None, request: Asked, price: int) -> None:
    """Tell what it costs, of what was charged when it began: nothing more."""
    if limiter is not None:
        request.extensions["cost"] = _told(price, limiter.standing(request.caller), charged=0)


def beside(request: Asked) -> bytes:
    """What is said beside an answer's data, as it stands in its bytes."""
    return b',"extensions":' + orjson.dumps(request.extensions) if request.extensions else b""


def _told(price: int, standing: Standing, charged: int | None = None) -> dict[str, Any]:
    # As Shopify names them. What was charged is what was asked for: a page that came out shorter cost the look.
    return {
        "requestedQueryCost": price,
        "actualQueryCost": price if charged is None else charged,
        "throttleStatus": {
            "maximumAvailable": standing.limit,
            "currentlyAvailable": standing.remaining,
            "restoreRate": standing.restored,
        },
    }


@strawberry.type(
    description="What may still be asked with this key. Points of cost: about one for each row that may be returned."
)
class RateLimit:
    cost: int = strawberry.field(description="What this operation costs.")
    limit: int = strawberry.field(description="How many points there are at the most; 0: without a limit.")
    remaining: int = strawberry.field(description="How many are left, this operation paid for.")
    reset_at: DateTime = strawberry.field(description="When all are back, if nothing more is asked.")


RateLimit.by_name = True  # type: ignore[attr-defined]


async def rate_limit(info: strawberry.Info) -> Any:
    """What is left of the key's bucket."""
    request = asked(info)
    price, standing = request.charged or (0, Standing(0, 0, 1))
    reset_at = request.now + timedelta(seconds=standing.full_in)
    return {"cost": price, "limit": standing.limit, "remaining": standing.remaining, "reset_at": instant_text(reset_at)}
