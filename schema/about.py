"""What the schema says of itself: the first page of its documentation."""

ABOUT = """
Guanxi, 关系, is a CRM: customers, the contacts with them and what they bought; from these how close each of them is, what they are worth, what to do next, and why.

**Who asks.** Each request carries a key: `Authorization: Bearer gx_...`. `viewer` tells what it may. Only a server that is open to its own machine, as with the demo, asks for none.

**Reading.** A list is a page: `first` and `after`, or `last` and `before`, narrowed by `where` and sorted by `orderBy`. With `asOf` it is read as of another day. What is judged, like a stage or a score, has a `why` beside it, with the rule, its reasons and what would change it; `metricCatalog` lists every measure.

**Writing.** Each mutation is a transaction of its own. What the caller can mend is in `userErrors`. To send it again without a second effect, give it `@idempotent(key:)`, or an `externalRef` where it takes one.

**Listening.** `customerChanged` tells when there is something to be read anew, over a WebSocket or server-sent events.

**Values.** Decimals are strings, and money has its currency beside it. An instant is RFC 3339, a day belongs to the organization's time zone. An `id` is opaque.

**Costs.** `extensions.cost` of an answer tells what it cost, and how much there is left.
"""
