"""JSON that means one thing: what parsers disagree about is refused before it is looked at.

Of two members of one name parsers take the first or the last, so that a proxy and a server may read two requests in one
body. A whole number beyond 64 bits would be taken for another one, near it.
"""

import re
from typing import Any

import orjson

DEEPEST = 100
# Strings are of no interest once the text is known to be JSON: what is left is its skeleton.
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_HUGE = re.compile(rb"(?<![.0-9])[0-9]{20,}(?![.0-9eE])")


class NotJSON(Exception):
    """What is wrong with it, as a sentence."""


def parsed(text: bytes | bytearray | str) -> Any:
    """The value; raises NotJSON."""
    try:
        found = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise NotJSON("This is not JSON in UTF-8.") from None
    skeleton = _STRINGS.sub(b"", text.encode() if isinstance(text, str) else text)
    if _members(found) != skeleton.count(b":"):
        raise NotJSON("An object of this JSON has two members of one name.")
    if _HUGE.search(skeleton):
        raise NotJSON("A whole number in JSON has at most 19 digits: give a longer one as a string.")
    return found


def _members(value: Any) -> int:
    """How many there are, of all objects in it; raises NotJSON where it nests too deeply."""
    count, level, depth = 0, [value], 0
    while level:
        depth += 1
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                count += len(each)
                below += each.values()
            elif isinstance(each, list):
                below += each
        level = [each for each in below if isinstance(each, dict | list)]
        if level and depth >= DEEPEST:
            raise NotJSON(f"JSON nests at most {DEEPEST} levels deep.")
    return count
