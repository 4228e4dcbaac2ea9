"""Documents that are asked for by their hash: those that a client has sent before, and those that are trusted.

Automatic persisted queries are Apollo's protocol: `extensions.persistedQuery` has the SHA-256 of the text, alone first;
what is not known is sent again with its text. Trusted documents are named by `documentId`, which is `sha256:` and the
hash. A hash leads to its own text and to no other, so nobody can put another text in its place, and all may share them.
https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from app.platform.refusals import OperatorError
from schema.request import HASH_PREFIX, LARGEST_DOCUMENT, Given, Refusal

OFF, LOG, ENFORCE = "off", "log", "enforce"
MOST_CHARACTERS = 1_000_000
log = logging.getLogger("guanxi.documents")


class StoredDocuments:
    """Texts by their hash. `trusted`: those that the operator named; `mode`: what is done with any other text."""

    def __init__(self, trusted: Mapping[str, str] | None = None, mode: str = OFF, most: int = MOST_CHARACTERS) -> None:
        self._trusted, self._mode, self._most = dict(trusted or {}), mode, most
        self._texts = frozenset(self._trusted.values())
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def text(self, given: Given) -> str:
        """What is asked. Raises Refusal for a hash that is not known or not the text's, and for what is not trusted."""
        text = given.text if given.named is None else self._named(given.text, given.named)
        if self._mode == ENFORCE and text not in self._texts:
            raise Refusal(400, "FORBIDDEN", "This server answers the documents that it was given, and no others.")
        return text

    def _named(self, text: str, named: str) -> str:
        if text:
            if digest(text) != named:
                raise Refusal(400, "BAD_REQUEST", "The hash is not that of the document.")
            return text
        found = self._trusted.get(named) or self._sent.get(named)
        if found is None:
            # Clients look for these words, and send the text too.
            raise Refusal(400, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        if named in self._sent:
            self._sent.move_to_end(named)
        return found

    def keep(self, given: Given) -> None:
        """Keep a text that came with its hash, and that is a document."""
        if given.named is None or not given.text or given.named in self._trusted or given.named in self._sent:
            return
        self._sent[given.named] = given.text
        self._size += len(given.text)
        while self._size > self._most:
            _, dropped = self._sent.popitem(last=False)
            self._size -= len(dropped)

    def note(self, text: str) -> None:
        """Told of a text that is seen for the first time: before they are enforced, one wants to know what is missing."""
        if self._mode == LOG and text not in self._texts:
            log.warning("document %s%s is not trusted", HASH_PREFIX, digest(text))


def digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def trusted_documents(path: Path | None) -> dict[str, str]:
    """The texts of a folder's .graphql files, or of a JSON file, by their hash; raises OperatorError.

    A JSON file is an object of texts by their SHA-256, as Relay and graphql-codegen write it, or Apollo's manifest.
    """
    if path is None:
        return {}
    try:
        if path.is_dir():
            texts = [each.read_bytes().decode() for each in sorted(path.rglob("*.graphql"))]
        else:
            texts = _listed(orjson.loads(path.read_bytes()))
    except OSError:
        raise OperatorError(f"GUANXI_DOCUMENTS: {path} cannot be read.") from None
    except (ValueError, KeyError):
        raise OperatorError(f"GUANXI_DOCUMENTS: {path} is a folder of .graphql files, or JSON, in UTF-8.") from None
    if not texts:
        raise OperatorError(f"GUANXI_DOCUMENTS: {path} has no documents.")
    if any(len(text.encode()) > LARGEST_DOCUMENT for text in texts):
        raise OperatorError(f"GUANXI_DOCUMENTS: a document has at most {LARGEST_DOCUMENT // 1024} KiB.")
    return {digest(text): text for text in texts}


def _listed(found: Any) -> list[str]:
    match found:
        case {"format": "apollo-persisted-query-manifest", "operations": [*operations]}:
            named = [(each["id"], each["body"]) if isinstance(each, dict) else (None, None) for each in operations]
        case dict():
            named = list(found.items())
        case _:
            raise ValueError
    texts = []
    for name, text in named:
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError
        if digest(text) != name.removeprefix(HASH_PREFIX).lower():
            raise OperatorError(f"GUANXI_DOCUMENTS: {name[:80]!r} is not the SHA-256 of its document.")
        texts.append(text)
    return texts
