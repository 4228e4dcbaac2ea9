"""What a key may do: one scope to read and one to write each capability, and few that stand for more.

A key is given scopes by these names. `read`, `write` and `admin` are bundles: they mean all of theirs, those of a
capability that comes later too.
"""

from collections.abc import Iterable
from functools import lru_cache

CAPABILITIES = ("customers", "touchpoints", "purchases", "loyalty", "campaigns", "segments", "policy")
PERSONAL, POINTS, ADMIN = "personal:read", "points:write", "admin"
# No scope that is given: what every one that reads a capability means.
ANY = "any:read"
_READ = (*(f"{each}:read" for each in CAPABILITIES), PERSONAL)
_WRITE = (*(f"{each}:write" for each in CAPABILITIES), POINTS)
BUNDLES = {"read": _READ, "write": _WRITE, ADMIN: (ADMIN, "policy:read", "policy:write")}
SCOPES = ("read", "write", ADMIN, *_READ, *_WRITE)


def expanded(scopes: Iterable[str]) -> frozenset[str]:
    """What they mean, bundles taken apart."""
    return _expanded(frozenset(scopes))


@lru_cache(maxsize=1_000)
def _expanded(scopes: frozenset[str]) -> frozenset[str]:
    # The very same set for the same scopes: it is looked up with at each request.
    meant = {part for each in scopes for part in (each, *BUNDLES.get(each, ()))}
    return frozenset(meant | ({ANY} if meant & {f"{each}:read" for each in CAPABILITIES} else set()))


def unknown(scopes: Iterable[str]) -> list[str]:
    """Those that are none, sorted."""
    return sorted(set(scopes) - set(SCOPES))
