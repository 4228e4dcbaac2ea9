"""Drawing by a hash: who falls into which share of everybody, so that anyone can draw again and find the same."""

from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

OF = 10_000
# 2^32 mod 10,000: the first eight bytes are taken as two halves, which PostgreSQL's signed numbers hold.
_HALF = 2**32 % OF
IN_SQLITE = "drawn_from"


def drawn(text: str) -> int:
    """The first 8 bytes, big-endian, of the SHA-256 of the text, mod 10,000."""
    return int.from_bytes(sha256(text.encode()).digest()[:8]) % OF


class Drawn(FunctionElement[int]):
    """(text): the same inside a statement; on SQLite of a connection that was given the function."""

    name = "drawn"
    type = BigInteger()
    inherit_cache = True


@compiles(Drawn, "sqlite")
def _in_sqlite(node: Any, compiler: Any, **options: Any) -> str:
    return f"{IN_SQLITE}({compiler.process(node.clauses, **options)})"


@compiles(Drawn, "postgresql")
def _in_postgresql(node: Any, compiler: Any, **options: Any) -> str:
    text = compiler.process(node.clauses, **options)
    digits = f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
    high, low = (f"CAST(CAST('x' || substr({digits}, {start}, 8) AS bit(32)) AS bigint)" for start in (1, 9))
    return f"mod({high} * {_HALF} + {low}, {OF})"
