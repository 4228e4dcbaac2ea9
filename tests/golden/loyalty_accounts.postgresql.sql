WITH cut_page AS
(SELECT cut_each.id, cut_each.key_0, cut_each.available, cut_each.due_at, cut_each.kept_rank, cut_each.kept_version, cut_each.number, cut_each.org_id, cut_each.program_id
FROM (SELECT account.id, account.opened_at AS key_0, account.available, account.due_at, account.kept_rank, account.kept_version, account.number, account.org_id, account.program_id
FROM loyalty_accounts AS account
WHERE account.org_id = :org::UUID ORDER BY account.opened_at ASC, account.id ASC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 ASC, cut_each.id ASC
LIMIT :loyaltyAccounts_size::BIGINT),
cut AS
(SELECT cut_page.id, cut_page.key_0, cut_page.available, cut_page.due_at, cut_page.kept_rank, cut_page.kept_version, cut_page.number, cut_page.org_id, cut_page.program_id
FROM cut_page),
k AS
(SELECT cut.key_0, cut.available, cut.due_at, cut.id, cut.kept_rank, cut.kept_version, cut.number, cut.org_id, cut.program_id
FROM cut),
j AS
(SELECT k.*, k.due_at > :now::TIMESTAMP WITH TIME ZONE AND k.kept_version = (SELECT of_program.version
FROM loyalty_programs AS of_program
WHERE of_program.org_id = k.org_id AND of_program.id = k.program_id) AS is_levelled, k.due_at > :now::TIMESTAMP WITH TIME ZONE AS is_posted, k.kept_rank AS level_rank, k.available AS now_available, k.kept_version AS terms_version
FROM k),
j_2 AS
(SELECT j.key_0, j.id, j.is_levelled, j.is_posted, j.level_rank, j.now_available, j.number, (SELECT level_level.name
FROM loyalty_levels AS level_level
WHERE level_level.org_id = j.org_id AND level_level.program_id = j.program_id AND level_level.version = j.terms_version AND level_level.rank = j.level_rank) AS level_name
FROM j),
account_rows AS
(SELECT j_2.key_0, '{"number":' || coalesce(CAST(JSON_SCALAR(j_2.number) AS text), 'null') || ',"balance":{"available":' || CAST(j_2.now_available AS TEXT) || '},"level":' || CASE WHEN (j_2.level_rank IS NULL) THEN 'null' ELSE '{"name":' || coalesce(CAST(JSON_SCALAR(j_2.level_name) AS text), 'null') || '}' END || '}' || CASE WHEN j_2.is_levelled THEN '' ELSE '' END || CASE WHEN j_2.is_posted THEN '' ELSE '' END AS json_0, j_2.id AS kept_id
FROM j_2),
joined AS
(SELECT coalesce(string_agg(account_rows.json_0, ',' ORDER BY account_rows.key_0 ASC, account_rows.kept_id ASC), '') AS list_0
FROM account_rows)
SELECT (SELECT '{"nodes":[' || coalesce(joined.list_0, '') || ']}' AS template_1
FROM joined) AS anon_1
