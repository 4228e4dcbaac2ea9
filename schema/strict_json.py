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
_LARGE = 2.0**63
_BLANKS = b" \t\r\n"


class NotJSON(Exception):
    """What is wrong with it, as a sentence."""


def parsed(text: bytes | bytearray | str) -> Any:
    """The value; raises NotJSON."""
    try:
        found = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise NotJSON("This is not JSON in UTF-8.") from None
    source = text.encode() if isinstance(text, str) else text
    # What says the same when it is written again lost nothing. Blanks are of no interest: without those within strings,
    # too, there are as many members as before, and the same numbers.
    if source.count(b"{") + source.count(b"[") <= DEEPEST:
        again = orjson.dumps(found)
        if again == source:
            return found
        again = again.replace(b" ", b"")
        # Of others than spaces there are none in what is written again, and mostly none in what came.
        if again == source.replace(b" ", b"") or again == source.translate(None, _BLANKS):
            return found
    members, said, large = _counted(found)
    # Each member has a colon, and what is left are those that strings say: then nothing was lost, and nearly always one
    # need not look closer. A colon may be said as \u003a too.
    if large or source.count(b":") != members + said or b"\\u003" in source:
        skeleton = _STRINGS.sub(b"", source)
        if skeleton.count(b":") != members:
            raise NotJSON("An object of this JSON has two members of one name.")
        if large and _HUGE.search(skeleton):
            raise NotJSON("A whole number in JSON has at most 19 digits: give a longer one as a string.")
    return found


def _counted(value: Any) -> tuple[int, int, bool]:
    """Members of objects, colons in strings, and whether there is a number so large that it may have been a whole one;
    raises NotJSON where it nests too deeply."""
    members, said, large, level, depth = 0, 0, False, [value], 0
    while level:
        depth += 1
        if depth > DEEPEST + 1:
            raise NotJSON(f"JSON nests at most {DEEPEST} levels deep.")
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is str:
                said += each.count(":")
            elif kind is dict:
                members += len(each)
                below += each
                below += each.values()
            elif kind is list:
                below += each
            elif kind is float or kind is int:
                large |= not -_LARGE < each < _LARGE
        level = below
    return members, said, large
