"""The same route as (d), whose redeem and earn are a transaction of statements on PostgreSQL, as one would write it who
does not put everything into one: BEGIN, a conditional update, the entry, the key with its answer, COMMIT. On SQLite the
floor is written so itself.

    GUANXI_DATABASE_URL=... python -m bench.transaction PORT
"""

from datetime import UTC, datetime

import orjson
import uuid_utils.compat

from bench.floor import CONNECTION, OnPostgres, Values, serve


class InSteps(OnPostgres):
    """Each statement is prepared, and waited for."""

    async def moved(self, name: str, values: Values) -> bytes | None:
        entry = uuid_utils.compat.uuid7()
        given = {**values, "now": datetime.now(UTC), "entry": entry}
        prepared = await self.free.get()
        try:
            async with prepared[CONNECTION].transaction():
                available = await self.run(prepared, f"{name}.account", given)
                if available is None:
                    return None
                said = orjson.dumps({"id": f"ent_{entry.hex}", "points": values["points"], "available": available})
                await self.run(prepared, f"{name}.entry", given)
                await self.run(prepared, f"{name}.key", {**given, "said": said.decode()})
                return said
        finally:
            self.free.put_nowait(prepared)


if __name__ == "__main__":
    serve(InSteps)
