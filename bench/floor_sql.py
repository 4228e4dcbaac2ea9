"""The statements of the hand-written route, in both dialects: what a good engineer writes who knows the tables.

Stage and score follow the default policy, with its thresholds written in. `:names` are parameters; on PostgreSQL they
become $1, $2... in the order in which they first occur.
"""

import re

POSTGRESQL, SQLITE = "postgresql", "sqlite"
T = "CAST(:today AS bigint)"
YEAR = "CAST(:year AS bigint)"
NET = "(f.gross_minor - f.refunded_minor)"
ENDED = (
    f"(c.terminated_day IS NOT NULL AND c.terminated_day <= {T}"
    " AND NOT (f.last_day IS NOT NULL AND f.last_day > c.terminated_day))"
)
BOUGHT = f"NOT {ENDED} AND f.kept_orders > 0 AND f.last_day >= {T} - 365"
LOYAL = "(f.occasions >= 4 AND f.last_day - f.first_day >= 180)"
STAGES = {
    "CHURNED": f"({ENDED} OR (f.kept_orders > 0 AND f.last_day < {T} - 365))",
    "PROSPECT": f"(NOT {ENDED} AND f.kept_orders = 0)",
    "LOYAL": f"({BOUGHT} AND {LOYAL})",
    "NEW": f"({BOUGHT} AND NOT {LOYAL} AND f.first_day >= {T} - 90)",
    "ACTIVE": f"({BOUGHT} AND NOT {LOYAL} AND f.first_day < {T} - 90)",
}
STAGE = (
    f"CASE WHEN {ENDED} THEN 'CHURNED' WHEN f.kept_orders = 0 THEN 'PROSPECT' WHEN f.last_day < {T} - 365 THEN 'CHURNED'"
    f" WHEN {LOYAL} THEN 'LOYAL' WHEN f.first_day >= {T} - 90 THEN 'NEW' ELSE 'ACTIVE' END"
)


def _steps(value: str, cuts: tuple[int, ...], worth: int) -> str:
    """`worth` for each cut that the value exceeds."""
    above = [f"WHEN {value} > {cut} THEN {worth * place}" for place, cut in reversed(list(enumerate(cuts, 1)))]
    return f"CASE {' '.join(above)} ELSE 0 END"


_RECENCY = (
    f"CASE WHEN f.last_day < {T} - 365 THEN 0 WHEN f.last_day < {T} - 180 THEN 600000"
    f" WHEN f.last_day < {T} - 90 THEN 1200000 WHEN f.last_day < {T} - 30 THEN 1800000 ELSE 2400000 END"
)
_ENGAGED = " ".join(f"WHEN f.inbound_{n} >= {T} - 90 THEN {n * 200_000}" for n in range(6, 0, -1))
_UNITS = (
    f"{_RECENCY} + {_steps('f.occasions', (1, 2, 4, 8), 750_000)} + {_steps(NET, (10_000, 30_000, 80_000, 200_000), 1_050_000)}"
    f" + CASE {_ENGAGED} ELSE 0 END + CASE WHEN f.nps >= 9 THEN 1200000 WHEN f.nps <= 6 THEN 0 ELSE 600000 END"
)
# Of an order by score: whole units, unknown without a kept order.
UNITS = f"CASE WHEN f.kept_orders > 0 THEN ({_UNITS} + 6) / 12 END"
SCORE = f"{UNITS} / 10000.0"

_LIVE = "c.archived_at IS NULL"
_BOTH = "customers c JOIN customer_facts f ON f.org_id = c.org_id AND f.customer_id = c.id"
_PAGE = (
    "SELECT {columns} FROM customers c WHERE c.org_id = :org AND c.created_at >= :from AND c.archived_at IS NULL"
    " ORDER BY c.created_at, c.id LIMIT {size}"
)
_TOP = f"FROM {_BOTH} WHERE c.org_id = :org AND f.org_id = :org AND {_LIVE} AND {{stage}}"

# Of an account `a`: what it qualified for in a year, and the level that the better of this year and the last one
# reaches. The programme keeps whom it has as long as it would take them, so that this is all there is to it.
_QUALIFIED = (
    "coalesce((SELECT e.qualified FROM points_entries e WHERE e.org_id = :org AND e.account_id = a.id"
    " AND e.qualifying_year = {year} ORDER BY e.place DESC LIMIT 1), 0)"
)
_LEVEL = (
    "(SELECT l.name FROM (SELECT {greatest}({this}, {last}) AS points) q JOIN loyalty_levels l"
    " ON l.qualify_points <= q.points WHERE l.org_id = :org AND l.program_id = a.program_id AND l.version ="
    " (SELECT p.version FROM loyalty_programs p WHERE p.org_id = :org AND p.id = a.program_id)"
    " ORDER BY l.rank DESC LIMIT 1)"
)
_MEMBERSHIP = (
    "FROM loyalty_accounts a WHERE a.org_id = :org AND a.customer_id = c.id ORDER BY a.opened_at, a.id LIMIT 1"
)
_BALANCES = "available, pending, reserved, debt, issued, redeemed, expired, reversed, adjusted, moved"
_SPENT = (
    "UPDATE loyalty_accounts AS a SET available = available - :points, redeemed = redeemed + :points,"
    " entries = entries + 1, version = version + 1, last_at = {now}"
    " WHERE a.org_id = :org AND a.id = :account AND a.closed_at IS NULL AND a.available >= :points"
)
_EARNED = (
    "UPDATE loyalty_accounts AS a SET available = available + :points, issued = issued + :points,"
    " entries = entries + 1, version = version + 1, last_at = {now}"
    " WHERE a.org_id = :org AND a.id = :account AND a.closed_at IS NULL"
)
_ENTERED = (
    "INSERT INTO points_entries (org_id, id, account_id, program_id, place, at, posted_at, effective_day, kind, debit,"
    f" credit, points, incoming, reason, key_id, qualifying_year, qualified, {_BALANCES}) SELECT :org, {{id}}, a.id,"
    f" a.program_id, a.entries, {{now}}, {{now}}, {T}, {{what}}, :points, {{no}}, :reason, :key, {{qualifies}},"
    f" {_BALANCES} FROM {{account}} a"
)
_MINE = "(SELECT * FROM loyalty_accounts WHERE org_id = :org AND id = :account)"
_KEPT = (
    "INSERT INTO idempotency_keys (org_id, field, key, fingerprint, result, created_at)"
    " SELECT :org, {field}, :once, :hash, {result}, {now} {source}"
)

_SHIFTS = {
    "inbound": "CAST(:direction AS text) = 'INBOUND'",
    "dialogue": "CAST(:kind AS text) IN ('CALL', 'MEETING')",
    "need": "CAST(:kind AS text) = 'NEED'",
    "cocreation": "CAST(:kind AS text) IN ('CO_CREATION', 'REFERRAL')",
    "brand_activity": "CAST(:kind AS text) = 'EVENT'"
    " OR (CAST(:direction AS text) = 'INBOUND' AND CAST(:kind AS text) IN ('SOCIAL', 'REVIEW'))",
}
_FOLDS = [
    "touchpoints = touchpoints + 1",
    "referrals = referrals + CASE WHEN CAST(:kind AS text) = 'REFERRAL' THEN 1 ELSE 0 END",
    "commitments = commitments + CASE WHEN CAST(:kind AS text) IN ('QUOTE_ACCEPTED', 'CONTRACT_SIGNED') THEN 1 ELSE 0 END",
    "open_complaints = open_complaints + CASE WHEN CAST(:kind AS text) = 'COMPLAINT' THEN 1 ELSE 0 END",
    *(
        f"{key}_{n} = CASE WHEN {test} THEN {f'{key}_{n - 1}' if n > 1 else T} ELSE {key}_{n} END"
        for key, test in _SHIFTS.items()
        for n in range(6, 0, -1)
    ),
]


# What a mutation is called, what it changes of the account, what it enters, and what qualifies.
_MOVED = {
    "M2": (
        "pointsEarn",
        _EARNED,
        "'EARN', 'ISSUED', 'AVAILABLE'",
        f"{YEAR}, :points + {_QUALIFIED.format(year=YEAR)}",
    ),
    "M3": ("pointsRedeem", _SPENT, "'REDEEM', 'AVAILABLE', 'REDEEMED'", "NULL, NULL"),
}


def level(dialect: str) -> str:
    """Of an account `a`."""
    this, last = _QUALIFIED.format(year=YEAR), _QUALIFIED.format(year=f"{YEAR} - 1")
    return _LEVEL.format(greatest="greatest" if dialect == POSTGRESQL else "max", this=this, last=last)


def statements(dialect: str) -> dict[str, str]:
    """Every statement by name. Q4 has one for each stage, like Q4.LOYAL."""
    made = dict((_postgresql if dialect == POSTGRESQL else _sqlite)())
    made["kept"] = (
        "SELECT result FROM idempotency_keys WHERE org_id = :org AND field = :field AND key = :once AND fingerprint = :hash"
    )
    made["key"] = "SELECT org_id, secret_hash, scopes FROM api_keys WHERE id = :key AND revoked_at IS NULL"
    return made


def numbered(statement: str) -> tuple[str, list[str]]:
    """With $1, $2... for the names, and the names in that order."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<![:\w]):([a-z]\w*)", place, statement), names


def _postgresql() -> dict[str, str]:
    def public(prefix: str, column: str) -> str:
        return f"'{prefix}_' || replace(CAST({column} AS text), '-', '')"

    card = f'{public("cus", "c.id")} AS id, c.name, c.email, c.phone, c.city, c.country, c.language, c.created_at AS "createdAt"'
    page = _PAGE.format(columns="c.*", size=50)
    latest = (
        f'SELECT {public("tou", "t.id")} AS id, t.kind, t.channel, t.direction, t.occurred_at AS "occurredAt"'
        " FROM touchpoints t WHERE t.org_id = :org AND t.customer_id = c.id AND t.retracted_at IS NULL"
        " ORDER BY t.occurred_at DESC, t.id DESC LIMIT 5"
    )
    score = f"CAST({SCORE} AS float8)"
    account = f"(SELECT row_to_json(m) FROM (SELECT a.number, a.available{{level}} {_MEMBERSHIP}) m) AS account"
    made = {
        "Q1": f"SELECT row_to_json(x) FROM (SELECT {card}, {account.format(level=f', {level(POSTGRESQL)} AS level')} FROM customers c WHERE c.org_id = :org AND c.id = :id) x",
        "Q2": f"SELECT coalesce(json_agg(x), '[]') FROM (SELECT {public('cus', 'c.id')} AS id, c.name, {STAGE} AS stage,"
        f" {score} AS score, {account.format(level='')}, l.touchpoints FROM ({page}) c JOIN customer_facts f ON f.org_id = :org AND f.customer_id = c.id"
        f" CROSS JOIN LATERAL (SELECT coalesce(json_agg(t), '[]') AS touchpoints FROM ({latest}) t) l"
        " ORDER BY c.created_at, c.id) x",
        "Q3": f"SELECT coalesce(json_agg(x), '[]') FROM ({_PAGE.format(columns=card, size=100)}) x",
        "Q5": f"SELECT coalesce(json_agg(x), '[]') FROM (SELECT {STAGE} AS stage, count(*), CAST(sum({NET}) AS bigint) AS net"
        f" FROM {_BOTH} WHERE c.org_id = :org AND f.org_id = :org AND {_LIVE} GROUP BY 1) x",
        "M1": "WITH who AS (SELECT c.id FROM customers c WHERE c.org_id = :org AND c.id = :customer FOR UPDATE),"
        " made AS (INSERT INTO touchpoints (org_id, id, customer_id, kind, channel, direction, occurred_at, local_day,"
        " recorded_at, subject, attributes, content_hash) SELECT :org, uuidv7(), who.id, :kind, :channel, :direction, now(),"
        f" {T}, now(), :subject, '{{}}', :hash FROM who RETURNING id, kind, occurred_at),"
        f" folded AS (UPDATE customer_facts f SET {', '.join(_FOLDS)},"
        " last_touchpoint_at = greatest(last_touchpoint_at, now()) FROM who WHERE f.org_id = :org AND f.customer_id = who.id),"
        " audited AS (INSERT INTO audit_entries (org_id, id, at, key_id, event, subject) SELECT :org, uuidv7(), now(),"
        f" :key, 'touchpoint.recorded', {public('tou', 'made.id')} FROM made)"
        f' SELECT row_to_json(x) FROM (SELECT {public("tou", "id")} AS id, kind, occurred_at AS "occurredAt" FROM made) x',
    }
    for stage, test in STAGES.items():
        top = _TOP.format(stage=test)
        rows = f"SELECT {public('cus', 'c.id')} AS id, c.name, {score} AS score {top} ORDER BY {UNITS} DESC NULLS LAST, c.id DESC LIMIT 50"
        made[f"Q4.{stage}"] = (
            f"SELECT json_build_object('totalCount', (SELECT count(*) {top}),"
            f" 'nodes', (SELECT coalesce(json_agg(x), '[]') FROM ({rows}) x))"
        )
    # All or nothing in one statement: a key that was used before breaks it, and its answer is read instead. The same in
    # three, for a transaction.
    for name, (field, change, what, qualifies) in _MOVED.items():
        on = {"no": "false", "what": what, "qualifies": qualifies}
        entered = _ENTERED.format(id="uuidv7()", now="now()", account="changed", **on)
        kept = _KEPT.format(field=f"'{field}'", result="said.said", now="now()", source="FROM said")
        made[name] = (
            f"WITH changed AS ({change.format(now='now()')} RETURNING a.*), entered AS ({entered} RETURNING id, points, available),"
            f" said AS (SELECT CAST(row_to_json(x) AS text) AS said FROM (SELECT {public('ent', 'id')} AS id, points, available FROM entered) x),"
            f" kept AS ({kept}) SELECT CAST(said AS json) FROM said"
        )
        now = "CAST(:now AS timestamptz)"
        made[f"{name}.account"] = f"{change.format(now=now)} RETURNING available"
        made[f"{name}.entry"] = _ENTERED.format(id=":entry", now=now, account=_MINE, **on)
        made[f"{name}.key"] = _KEPT.format(field=f"'{field}'", result="CAST(:said AS text)", now=now, source="")
    return made


def _sqlite() -> dict[str, str]:
    card = (
        "json_object('id', 'cus_' || c.id, 'name', c.name, 'email', c.email, 'phone', c.phone, 'city', c.city,"
        " 'country', c.country, 'language', c.language, 'createdAt', c.created_at"
    )
    latest = (
        "SELECT json_group_array(json_object('id', 'tou_' || t.id, 'kind', t.kind, 'channel', t.channel,"
        " 'direction', t.direction, 'occurredAt', t.occurred_at)) FROM (SELECT * FROM touchpoints t WHERE t.org_id = :org"
        " AND t.customer_id = c.id AND t.retracted_at IS NULL ORDER BY t.occurred_at DESC, t.id DESC LIMIT 5) t"
    )
    account = f"(SELECT json_object('number', a.number, 'available', a.available) {_MEMBERSHIP})"
    leveled = account.replace("a.available)", f"a.available, 'level', {level(SQLITE)})")

    made = {
        "Q1": f"SELECT {card}, 'account', json({leveled})) FROM customers c WHERE c.org_id = :org AND c.id = :id",
        "Q2": "SELECT json_group_array(json(j)) FROM (SELECT json_object('id', 'cus_' || c.id, 'name', c.name, 'stage',"
        f" {STAGE}, 'score', {SCORE}, 'account', json({account}), 'touchpoints', json(({latest}))) AS j FROM ({_PAGE.format(columns='c.*', size=50)}) c"
        " JOIN customer_facts f ON f.org_id = :org AND f.customer_id = c.id ORDER BY c.created_at, c.id)",
        "Q3": f"SELECT json_group_array(json(j)) FROM ({_PAGE.format(columns=card + ') AS j', size=100)})",
        "Q5": "SELECT json_group_array(json_object('stage', stage, 'count', many, 'net', net)) FROM"
        f" (SELECT {STAGE} AS stage, count(*) AS many, sum({NET}) AS net FROM {_BOTH}"
        f" WHERE c.org_id = :org AND f.org_id = :org AND {_LIVE} GROUP BY 1)",
        "M1.touchpoint": "INSERT INTO touchpoints (org_id, id, customer_id, kind, channel, direction, occurred_at, local_day,"
        " recorded_at, subject, attributes, content_hash) VALUES (:org, :touchpoint, :customer, :kind, :channel, :direction,"
        " :now, :today, :now, :subject, '{}', :hash)",
        "M1.facts": f"UPDATE customer_facts SET {', '.join(_FOLDS)}, last_touchpoint_at = max(coalesce(last_touchpoint_at, ''), :now)"
        " WHERE org_id = :org AND customer_id = :customer",
        "M1.audit": "INSERT INTO audit_entries (org_id, id, at, key_id, event, subject)"
        " VALUES (:org, :entry, :now, :key, 'touchpoint.recorded', 'tou_' || :touchpoint)",
    }
    for stage, test in STAGES.items():
        top = _TOP.format(stage=test)
        rows = f"SELECT c.id, c.name, {SCORE} AS score {top} ORDER BY {UNITS} DESC NULLS LAST, c.id DESC LIMIT 50"
        made[f"Q4.{stage}"] = (
            f"SELECT json_object('totalCount', (SELECT count(*) {top}), 'nodes', json((SELECT json_group_array("
            f"json_object('id', 'cus_' || id, 'name', name, 'score', score)) FROM ({rows}))))"
        )
    for name, (field, change, what, qualifies) in _MOVED.items():
        made[f"{name}.account"] = f"{change.format(now=':now')} RETURNING available"
        made[f"{name}.entry"] = _ENTERED.format(
            id=":entry", now=":now", no="0", account=_MINE, what=what, qualifies=qualifies
        )
        made[f"{name}.key"] = _KEPT.format(field=f"'{field}'", result=":said", now=":now", source="")
    return made
