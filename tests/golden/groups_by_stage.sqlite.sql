WITH policy AS
(SELECT published.*
FROM policies AS published
WHERE published.org_id = :org ORDER BY CASE WHEN (published.published_at <= :now) THEN published.version ELSE -published.version END DESC
LIMIT 1 OFFSET 0),
open_facts AS
(SELECT unsettled.customer_id, unsettled.first_day, unsettled.gross_minor, unsettled.kept_orders, unsettled.last_day, unsettled.occasions, unsettled.refunded_minor, unsettled.judged_stage, unsettled.judged_net_minor
FROM customer_facts AS unsettled
WHERE unsettled.org_id = :org AND unsettled.judged_policy = (SELECT policy.version
FROM policy) AND unsettled.judged_until BETWEEN -100000 AND :today - 1 UNION ALL SELECT unsettled_2.customer_id, unsettled_2.first_day, unsettled_2.gross_minor, unsettled_2.kept_orders, unsettled_2.last_day, unsettled_2.occasions, unsettled_2.refunded_minor, unsettled_2.judged_stage, unsettled_2.judged_net_minor
FROM customer_facts AS unsettled_2
WHERE unsettled_2.org_id = :org AND unsettled_2.judged_policy BETWEEN 0 AND (SELECT policy.version
FROM policy) - 1 UNION ALL SELECT unsettled_3.customer_id, unsettled_3.first_day, unsettled_3.gross_minor, unsettled_3.kept_orders, unsettled_3.last_day, unsettled_3.occasions, unsettled_3.refunded_minor, unsettled_3.judged_stage, unsettled_3.judged_net_minor
FROM customer_facts AS unsettled_3
WHERE unsettled_3.org_id = :org AND unsettled_3.judged_policy BETWEEN (SELECT policy.version
FROM policy) + 1 AND 2147483647 UNION ALL SELECT unsettled_4.customer_id, unsettled_4.first_day, unsettled_4.gross_minor, unsettled_4.kept_orders, unsettled_4.last_day, unsettled_4.occasions, unsettled_4.refunded_minor, unsettled_4.judged_stage, unsettled_4.judged_net_minor
FROM (SELECT max(sums_2.latest_day) AS day
FROM standing_sums AS sums_2
WHERE sums_2.org_id = :org) AS later JOIN customer_facts AS unsettled_4 ON later.day > :today
WHERE unsettled_4.org_id = :org AND unsettled_4.judged_policy = (SELECT policy.version
FROM policy) AND unsettled_4.judged_until BETWEEN :today AND 2000000 AND unsettled_4.judged_day BETWEEN :today + 1 AND 2000000),
k AS
(SELECT open_facts.judged_stage AS kept_outcome, open_facts.judged_net_minor AS kept_total, customer.archived_at, open_facts.first_day, open_facts.gross_minor, customer.id, open_facts.kept_orders, open_facts.last_day, open_facts.occasions, open_facts.refunded_minor, customer.terminated_day
FROM open_facts JOIN customers AS customer ON customer.org_id = :org AND customer.id = open_facts.customer_id),
j AS
(SELECT k.*, k.terminated_day IS NOT NULL AND k.terminated_day <= :today AND NOT (k.last_day IS NOT NULL AND k.last_day > k.terminated_day) AS ended, k.gross_minor - k.refunded_minor AS net_minor
FROM k),
j_2 AS
(SELECT j.*, CASE WHEN j.ended = 1 THEN 4 WHEN (j.kept_orders = 0) THEN 0 WHEN (j.last_day < :today - (SELECT policy.churn_days
FROM policy)) THEN 4 WHEN (j.occasions >= (SELECT policy.loyal_min_occasions
FROM policy) AND j.last_day - j.first_day >= (SELECT policy.loyal_min_span_days
FROM policy)) THEN 3 WHEN (j.first_day >= :today - (SELECT policy.new_days
FROM policy)) THEN 1 ELSE 2 END AS stage
FROM j),
open_rows AS MATERIALIZED
(SELECT j_2.id, j_2.archived_at IS NULL AS live, j_2.stage AS outcome, j_2.net_minor AS total, j_2.kept_outcome, j_2.kept_total
FROM j_2),
grouped AS
(SELECT parts.outcome AS key_0, coalesce(CAST(sum(parts.members) AS INTEGER), 0) AS members, coalesce(CAST(sum(parts.members) AS INTEGER), 0) AS known_net_minor, CAST(sum(parts.total) AS INTEGER) AS sum_net_minor, 0 AS min_net_minor, 0 AS max_net_minor
FROM (SELECT sums.stage AS outcome, sums.members, sums.net_minor AS total
FROM standing_sums AS sums
WHERE sums.org_id = :org UNION ALL SELECT was.kept_outcome, -1, -was.kept_total AS anon_1
FROM open_rows AS was
WHERE was.kept_outcome IS NOT NULL UNION ALL SELECT now.outcome, 1, now.total
FROM open_rows AS now
WHERE now.live = 1) AS parts GROUP BY parts.outcome
HAVING sum(parts.members) != 0),
placed AS
(SELECT grouped.key_0, grouped.members, grouped.known_net_minor, grouped.sum_net_minor, grouped.min_net_minor, grouped.max_net_minor, row_number() OVER (ORDER BY grouped.key_0 ASC NULLS LAST) AS place
FROM grouped),
everyone AS
(SELECT coalesce(CAST(sum(grouped.members) AS INTEGER), 0) AS members, coalesce(CAST(sum(grouped.known_net_minor) AS INTEGER), 0) AS known_net_minor, CAST(sum(grouped.sum_net_minor) AS INTEGER) AS sum_net_minor, min(grouped.min_net_minor) AS min_net_minor, max(grouped.max_net_minor) AS max_net_minor
FROM grouped)
SELECT format('{"rows":[%s],"all":%s}', coalesce((SELECT group_concat(rows_rows.text, ',') AS joined_1
FROM (SELECT format('{"lifecycleStage":%s,"count":%s,"factsNet":{"amount":%s,"currency":"%s"}}', coalesce('"' || (CASE placed.key_0 WHEN 0 THEN 'PROSPECT' WHEN 1 THEN 'NEW' WHEN 2 THEN 'ACTIVE' WHEN 3 THEN 'LOYAL' WHEN 4 THEN 'CHURNED' END) || '"', 'null'), CAST(placed.members AS TEXT), coalesce('"' || ((CASE WHEN (coalesce(placed.sum_net_minor, 0)) < 0 THEN '-' WHEN (coalesce(placed.sum_net_minor, 0)) >= 0 THEN '' END || CASE :exponent WHEN 0 THEN CAST(abs((coalesce(placed.sum_net_minor, 0))) AS text) ELSE format('%d.%0*d', abs((coalesce(placed.sum_net_minor, 0))) / :unit, :exponent, abs((coalesce(placed.sum_net_minor, 0))) % :unit) END)) || '"', 'null'), :currency) AS text, placed.place
FROM placed
WHERE placed.place <= :groups_size ORDER BY placed.place) AS rows_rows), ''), (SELECT format('{"count":%s}', CAST(everyone.members AS TEXT)) AS template_2
FROM everyone)) AS template_1
