WITH cut_page AS
(SELECT cut_each.id, cut_each.key_0, cut_each.available, cut_each.debt, cut_each.due_at, cut_each.entries, cut_each.number, cut_each.org_id, cut_each.pending, cut_each.program_id, cut_each.reserved
FROM (SELECT account.id, account.opened_at AS key_0, account.available, account.debt, account.due_at, account.entries, account.number, account.org_id, account.pending, account.program_id, account.reserved
FROM loyalty_accounts AS account
WHERE account.org_id = :org::UUID ORDER BY account.opened_at ASC, account.id ASC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 ASC, cut_each.id ASC
LIMIT :loyaltyAccounts_size::BIGINT),
cut AS
(SELECT cut_page.id, cut_page.key_0, cut_page.available, cut_page.debt, cut_page.due_at, cut_page.entries, cut_page.number, cut_page.org_id, cut_page.pending, cut_page.program_id, cut_page.reserved
FROM cut_page),
k AS
(SELECT cut.key_0, cut.available, cut.debt, cut.due_at, cut.entries, cut.id, cut.number, cut.org_id, cut.pending, cut.program_id, cut.reserved
FROM cut),
j AS MATERIALIZED
(SELECT k.*, CASE WHEN (k.due_at <= :now::TIMESTAMP WITH TIME ZONE AND k.pending > 0) THEN coalesce((SELECT CAST(sum(activated.pending) AS BIGINT) AS sum_2
FROM points_lots AS activated
WHERE activated.org_id = k.org_id AND activated.account_id = k.id AND activated.pending > 0 AND activated.active_at <= :now::TIMESTAMP WITH TIME ZONE), 0) ELSE 0 END AS activated, coalesce(least(((SELECT min(first_qualifying.qualifying_year) AS min_1
FROM points_entries AS first_qualifying
WHERE first_qualifying.org_id = k.org_id AND first_qualifying.account_id = k.id AND first_qualifying.qualifying_year IS NOT NULL)), ((CAST(extract(year FROM (date '1970-01-01' + CAST((:today::BIGINT) AS integer))) AS bigint)))), (CAST(extract(year FROM (date '1970-01-01' + CAST((:today::BIGINT) AS integer))) AS bigint))) AS first_year, CASE WHEN (k.due_at <= :now::TIMESTAMP WITH TIME ZONE) THEN (coalesce((SELECT CAST(sum(lapsed.remaining) AS BIGINT) AS sum_3
FROM points_lots AS lapsed
WHERE lapsed.org_id = k.org_id AND lapsed.account_id = k.id AND lapsed.remaining > 0 AND lapsed.expires_at <= :now::TIMESTAMP WITH TIME ZONE), 0) + CASE WHEN (k.pending > 0) THEN coalesce((SELECT CAST(sum(came_first.points) AS BIGINT) AS sum_4
FROM (SELECT activated.account_id, activated.expires_at, activated.expires_day, activated.earned_at, activated.active_at AS at, 1 AS turn, activated.id AS by, activated.id AS lot_id, activated.pending AS points
FROM points_lots AS activated
WHERE activated.org_id = k.org_id AND activated.account_id = k.id AND activated.pending > 0 AND activated.active_at <= :now::TIMESTAMP WITH TIME ZONE) AS came_first
WHERE came_first.expires_at <= :now::TIMESTAMP WITH TIME ZONE), 0) ELSE 0 END + CASE WHEN (k.reserved > 0) THEN coalesce((SELECT CAST(sum(back.points) AS BIGINT) AS sum_5
FROM (SELECT held_of.account_id, held_of.expires_at, held_of.expires_day, held_of.earned_at, timed_out.expires_at AS at, 0 AS turn, timed_out.id AS by, held_of.id AS lot_id, held.reserved AS points
FROM points_reservations AS timed_out JOIN points_lot_moves AS held ON held.org_id = timed_out.org_id AND held.entry_id = timed_out.entry_id JOIN points_lots AS held_of ON held_of.org_id = held.org_id AND held_of.id = held.lot_id
WHERE timed_out.org_id = k.org_id AND timed_out.account_id = k.id AND timed_out.closed_at IS NULL AND timed_out.expires_at <= :now::TIMESTAMP WITH TIME ZONE) AS back
WHERE back.expires_at <= :now::TIMESTAMP WITH TIME ZONE), 0) ELSE 0 END) - CASE WHEN (k.debt > 0) THEN coalesce((SELECT CAST(sum(payments.paid) AS BIGINT) AS sum_6
FROM (SELECT came.account_id, came.expires_at, came.expires_day, greatest(0, (least(came.points, (CAST(owing.debt - (sum(came.points) OVER (PARTITION BY came.account_id ORDER BY came.at, came.turn, came.by, came.expires_at, came.earned_at, came.lot_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - came.points) AS BIGINT))))) AS paid
FROM (SELECT back.account_id, back.expires_at, back.expires_day, back.earned_at, back.at, back.turn, back.by, back.lot_id, back.points
FROM (SELECT held_of.account_id, held_of.expires_at, held_of.expires_day, held_of.earned_at, timed_out.expires_at AS at, 0 AS turn, timed_out.id AS by, held_of.id AS lot_id, held.reserved AS points
FROM points_reservations AS timed_out JOIN points_lot_moves AS held ON held.org_id = timed_out.org_id AND held.entry_id = timed_out.entry_id JOIN points_lots AS held_of ON held_of.org_id = held.org_id AND held_of.id = held.lot_id
WHERE timed_out.org_id = k.org_id AND timed_out.account_id = k.id AND timed_out.closed_at IS NULL AND timed_out.expires_at <= :now::TIMESTAMP WITH TIME ZONE) AS back
WHERE back.expires_at > back.at UNION ALL SELECT activated.account_id, activated.expires_at, activated.expires_day, activated.earned_at, activated.active_at AS at, 1 AS turn, activated.id AS by, activated.id AS lot_id, activated.pending AS points
FROM points_lots AS activated
WHERE activated.org_id = k.org_id AND activated.account_id = k.id AND activated.pending > 0 AND activated.active_at <= :now::TIMESTAMP WITH TIME ZONE) AS came JOIN loyalty_accounts AS owing ON owing.id = came.account_id
WHERE owing.org_id = k.org_id AND owing.id = k.id AND owing.debt > 0 AND owing.due_at <= :now::TIMESTAMP WITH TIME ZONE) AS payments
WHERE payments.expires_at <= :now::TIMESTAMP WITH TIME ZONE), 0) ELSE 0 END ELSE 0 END AS lapsed, (SELECT terms.version
FROM loyalty_terms AS terms
WHERE terms.org_id = k.org_id AND terms.program_id = k.program_id ORDER BY CASE WHEN (terms.at <= :now::TIMESTAMP WITH TIME ZONE) THEN terms.version ELSE -terms.version END DESC
LIMIT 1) AS terms_version, (CAST(extract(year FROM (date '1970-01-01' + CAST((:today::BIGINT) AS integer))) AS bigint)) AS this_year, CASE WHEN (k.due_at <= :now::TIMESTAMP WITH TIME ZONE AND k.reserved > 0) THEN coalesce((SELECT CAST(sum(timed_out.points) AS BIGINT) AS sum_7
FROM points_reservations AS timed_out
WHERE timed_out.org_id = k.org_id AND timed_out.account_id = k.id AND timed_out.closed_at IS NULL AND timed_out.expires_at <= :now::TIMESTAMP WITH TIME ZONE), 0) ELSE 0 END AS timed_out
FROM k),
j_2 AS MATERIALIZED
(SELECT j.*, (SELECT these_terms.grace_days
FROM loyalty_terms AS these_terms
WHERE these_terms.org_id = j.org_id AND these_terms.program_id = j.program_id AND these_terms.version = j.terms_version) AS grace_days, CASE WHEN (j.due_at <= :now::TIMESTAMP WITH TIME ZONE AND j.debt > 0) THEN least(j.debt, (j.activated + coalesce((SELECT CAST(sum(back.points) AS BIGINT) AS sum_1
FROM (SELECT held_of.account_id, held_of.expires_at, held_of.expires_day, held_of.earned_at, timed_out.expires_at AS at, 0 AS turn, timed_out.id AS by, held_of.id AS lot_id, held.reserved AS points
FROM points_reservations AS timed_out JOIN points_lot_moves AS held ON held.org_id = timed_out.org_id AND held.entry_id = timed_out.entry_id JOIN points_lots AS held_of ON held_of.org_id = held.org_id AND held_of.id = held.lot_id
WHERE timed_out.org_id = j.org_id AND timed_out.account_id = j.id AND timed_out.closed_at IS NULL AND timed_out.expires_at <= :now::TIMESTAMP WITH TIME ZONE) AS back
WHERE back.expires_at > back.at), 0))) ELSE 0 END AS settled, (SELECT these_terms.soft_landing
FROM loyalty_terms AS these_terms
WHERE these_terms.org_id = j.org_id AND these_terms.program_id = j.program_id AND these_terms.version = j.terms_version) AS soft_landing
FROM j),
j_3 AS MATERIALIZED
(SELECT j_2.key_0, j_2.id, j_2.number, j_2.org_id, j_2.program_id, j_2.terms_version, nullif((WITH RECURSIVE years(year, points, next_points, rank, softly, version) AS
(SELECT CAST(j_2.first_year - 2 AS BIGINT) AS year, CAST(0 AS BIGINT) AS points, CAST(0 AS BIGINT) AS next_points, CAST(-1 AS BIGINT) AS rank, j_2.soft_landing AS softly, j_2.terms_version AS version UNION ALL SELECT years.year + 1 AS anon_2, years.next_points, coalesce((SELECT qualifying.qualified
FROM points_entries AS qualifying
WHERE qualifying.org_id = j_2.org_id AND qualifying.account_id = j_2.id AND qualifying.qualifying_year = years.year + 2 AND qualifying.place <= j_2.entries ORDER BY qualifying.place DESC
LIMIT 1), 0) AS coalesce_1, coalesce((SELECT max(reached.rank) AS max_2
FROM loyalty_levels AS reached
WHERE reached.org_id = j_2.org_id AND reached.program_id = j_2.program_id AND reached.version = years.version AND (reached.qualify_points <= years.next_points OR reached.qualify_points <= years.points OR reached.rank <= years.rank AND reached.retain_points <= years.points OR years.softly AND reached.rank < years.rank)), -1) AS coalesce_2, years.softly, years.version
FROM years
WHERE years.year < j_2.this_year)
SELECT max(years.rank) AS max_1
FROM years
WHERE years.year = j_2.this_year OR years.year = j_2.this_year - 1 AND :today::BIGINT - (CAST(CAST(date_trunc('year', (date '1970-01-01' + CAST((:today::BIGINT) AS integer))) AS date) - date '1970-01-01' AS bigint)) < j_2.grace_days), -1) AS level_rank, ((j_2.available + j_2.activated + j_2.timed_out) - j_2.settled) - j_2.lapsed AS now_available
FROM j_2),
j_4 AS MATERIALIZED
(SELECT j_3.*, (SELECT level_level.name
FROM loyalty_levels AS level_level
WHERE level_level.org_id = j_3.org_id AND level_level.program_id = j_3.program_id AND level_level.version = j_3.terms_version AND level_level.rank = j_3.level_rank) AS level_name
FROM j_3),
account_rows AS
(SELECT j_4.key_0, '{"number":' || coalesce(CAST(to_json(j_4.number) AS text), 'null') || ',"balance":{"available":' || CAST(j_4.now_available AS TEXT) || '},"level":' || CASE WHEN (j_4.level_rank IS NULL) THEN 'null' ELSE '{"name":' || coalesce(CAST(to_json(j_4.level_name) AS text), 'null') || '}' END || '}' AS json_0, j_4.id AS kept_id
FROM j_4),
joined AS
(SELECT coalesce(string_agg(account_rows.json_0, ',' ORDER BY account_rows.key_0 ASC, account_rows.kept_id ASC), '') AS list_0
FROM account_rows)
SELECT (SELECT '{"nodes":[' || coalesce(joined.list_0, '') || ']}' AS template_1
FROM joined) AS anon_1
