WITH policy AS
(SELECT published.*
FROM policies AS published
WHERE published.org_id = :org ORDER BY CASE WHEN (published.published_at <= :now) THEN published.version ELSE -published.version END DESC
LIMIT 1 OFFSET 0),
open_facts AS
(SELECT unsettled.customer_id, unsettled.first_day, unsettled.gross_minor, unsettled.inbound_1, unsettled.inbound_2, unsettled.inbound_3, unsettled.inbound_4, unsettled.inbound_5, unsettled.inbound_6, unsettled.kept_orders, unsettled.last_day, unsettled.nps, unsettled.occasions, unsettled.refunded_minor, unsettled.judged_stage, unsettled.judged_net_minor
FROM customer_facts AS unsettled
WHERE unsettled.org_id = :org AND unsettled.judged_policy = (SELECT policy.version
FROM policy) AND unsettled.judged_until BETWEEN -100000 AND :today - 1 UNION ALL SELECT unsettled_2.customer_id, unsettled_2.first_day, unsettled_2.gross_minor, unsettled_2.inbound_1, unsettled_2.inbound_2, unsettled_2.inbound_3, unsettled_2.inbound_4, unsettled_2.inbound_5, unsettled_2.inbound_6, unsettled_2.kept_orders, unsettled_2.last_day, unsettled_2.nps, unsettled_2.occasions, unsettled_2.refunded_minor, unsettled_2.judged_stage, unsettled_2.judged_net_minor
FROM customer_facts AS unsettled_2
WHERE unsettled_2.org_id = :org AND unsettled_2.judged_policy BETWEEN 0 AND (SELECT policy.version
FROM policy) - 1 UNION ALL SELECT unsettled_3.customer_id, unsettled_3.first_day, unsettled_3.gross_minor, unsettled_3.inbound_1, unsettled_3.inbound_2, unsettled_3.inbound_3, unsettled_3.inbound_4, unsettled_3.inbound_5, unsettled_3.inbound_6, unsettled_3.kept_orders, unsettled_3.last_day, unsettled_3.nps, unsettled_3.occasions, unsettled_3.refunded_minor, unsettled_3.judged_stage, unsettled_3.judged_net_minor
FROM customer_facts AS unsettled_3
WHERE unsettled_3.org_id = :org AND unsettled_3.judged_policy BETWEEN (SELECT policy.version
FROM policy) + 1 AND 2147483647 UNION ALL SELECT unsettled_4.customer_id, unsettled_4.first_day, unsettled_4.gross_minor, unsettled_4.inbound_1, unsettled_4.inbound_2, unsettled_4.inbound_3, unsettled_4.inbound_4, unsettled_4.inbound_5, unsettled_4.inbound_6, unsettled_4.kept_orders, unsettled_4.last_day, unsettled_4.nps, unsettled_4.occasions, unsettled_4.refunded_minor, unsettled_4.judged_stage, unsettled_4.judged_net_minor
FROM (SELECT max(sums_2.latest_day) AS day
FROM standing_sums AS sums_2
WHERE sums_2.org_id = :org) AS later JOIN customer_facts AS unsettled_4 ON later.day > :today
WHERE unsettled_4.org_id = :org AND unsettled_4.judged_policy = (SELECT policy.version
FROM policy) AND unsettled_4.judged_until BETWEEN :today AND 2000000 AND unsettled_4.judged_day BETWEEN :today + 1 AND 2000000),
k AS
(SELECT open_facts.judged_stage AS kept_outcome, open_facts.judged_net_minor AS kept_total, customer.archived_at, open_facts.first_day, open_facts.gross_minor, customer.id, open_facts.inbound_1, open_facts.inbound_2, open_facts.inbound_3, open_facts.inbound_4, open_facts.inbound_5, open_facts.inbound_6, open_facts.kept_orders, open_facts.last_day, open_facts.nps, open_facts.occasions, open_facts.refunded_minor, customer.terminated_day
FROM open_facts JOIN customers AS customer ON customer.org_id = :org AND customer.id = open_facts.customer_id),
j AS
(SELECT k.*, k.terminated_day IS NOT NULL AND k.terminated_day <= :today AND NOT (k.last_day IS NOT NULL AND k.last_day > k.terminated_day) AS ended, CASE WHEN (k.inbound_1 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_2 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_3 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_4 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_5 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_6 >= :today - 90) THEN 1 ELSE 0 END AS inbound_90, k.gross_minor - k.refunded_minor AS net_minor, CASE WHEN (k.kept_orders > 0) THEN 1 + 0 + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_4
FROM policy)) THEN 1 ELSE 0 END END AS rfm_frequency, CASE WHEN (k.kept_orders > 0) THEN 5 - (0 + CASE WHEN (k.last_day < :today - (SELECT policy.recency_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today - (SELECT policy.recency_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today - (SELECT policy.recency_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today - (SELECT policy.recency_cut_4
FROM policy)) THEN 1 ELSE 0 END) END AS rfm_recency
FROM k),
j_2 AS
(SELECT j.*, CASE WHEN (j.kept_orders > 0) THEN 1 + 0 + CASE WHEN (max(j.net_minor, 0) > (SELECT policy.monetary_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (max(j.net_minor, 0) > (SELECT policy.monetary_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (max(j.net_minor, 0) > (SELECT policy.monetary_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (max(j.net_minor, 0) > (SELECT policy.monetary_cut_4
FROM policy)) THEN 1 ELSE 0 END END AS rfm_monetary, CASE WHEN j.ended = 1 THEN 4 WHEN (j.kept_orders = 0) THEN 0 WHEN (j.last_day < :today - (SELECT policy.churn_days
FROM policy)) THEN 4 WHEN (j.occasions >= (SELECT policy.loyal_min_occasions
FROM policy) AND j.last_day - j.first_day >= (SELECT policy.loyal_min_span_days
FROM policy)) THEN 3 WHEN (j.first_day >= :today - (SELECT policy.new_days
FROM policy)) THEN 1 ELSE 2 END AS stage
FROM j),
j_3 AS
(SELECT j_2.*, CASE WHEN (j_2.kept_orders > 0) THEN (0 + (j_2.rfm_recency - 1) * 3 * (SELECT policy.weight_recency_e6
FROM policy) + (j_2.rfm_frequency - 1) * 3 * (SELECT policy.weight_frequency_e6
FROM policy) + (j_2.rfm_monetary - 1) * 3 * (SELECT policy.weight_monetary_e6
FROM policy) + j_2.inbound_90 * 2 * (SELECT policy.weight_engagement_e6
FROM policy) + CASE WHEN (j_2.nps >= 9) THEN 12 WHEN (j_2.nps <= 6) THEN 0 ELSE 6 END * (SELECT policy.weight_advocacy_e6
FROM policy) + 6) / 12 END AS score
FROM j_2),
open_rows AS MATERIALIZED
(SELECT j_3.id, j_3.archived_at IS NULL AS live, j_3.stage AS outcome, j_3.net_minor AS total, j_3.score AS "key", j_3.kept_outcome, j_3.kept_total
FROM j_3),
cut_page AS
(SELECT standing.id, standing.key_0
FROM (SELECT leg.id, leg.key_0
FROM (SELECT settled.customer_id AS id, settled.judged_score AS key_0
FROM customer_facts AS settled
WHERE settled.org_id = :org AND settled.judged_policy = (SELECT policy.version
FROM policy) AND :today - settled.judged_day >= 0 AND settled.judged_until - :today >= 0 AND settled.judged_score IS NOT NULL AND settled.judged_stage = :customers_where_lifecycle_stage_eq ORDER BY settled.judged_score DESC, settled.customer_id DESC
LIMIT :customers_more OFFSET 0) AS leg UNION ALL SELECT leg_2.id, leg_2.key_0
FROM (SELECT settled_2.customer_id AS id, settled_2.judged_score AS key_0
FROM customer_facts AS settled_2
WHERE settled_2.org_id = :org AND settled_2.judged_policy = (SELECT policy.version
FROM policy) AND :today - settled_2.judged_day >= 0 AND settled_2.judged_until - :today >= 0 AND settled_2.judged_score IS NULL AND settled_2.judged_stage = :customers_where_lifecycle_stage_eq ORDER BY settled_2.judged_score DESC, settled_2.customer_id DESC
LIMIT :customers_more OFFSET 0) AS leg_2 UNION ALL SELECT leg_3.id, leg_3.key_0
FROM (SELECT open.id, open."key" AS key_0
FROM open_rows AS open
WHERE open.live = 1 AND open.outcome = :customers_where_lifecycle_stage_eq ORDER BY open."key" DESC NULLS LAST, open.id DESC
LIMIT :customers_more OFFSET 0) AS leg_3) AS standing ORDER BY standing.key_0 DESC NULLS LAST, standing.id DESC
LIMIT :customers_more OFFSET 0),
cut AS MATERIALIZED
(SELECT cut_page.id, cut_page.key_0
FROM cut_page ORDER BY cut_page.key_0 DESC NULLS LAST, cut_page.id DESC
LIMIT :customers_size OFFSET 0),
k_2 AS
(SELECT cut.key_0, customer_facts.gross_minor, customer_2.id, customer_facts.inbound_1, customer_facts.inbound_2, customer_facts.inbound_3, customer_facts.inbound_4, customer_facts.inbound_5, customer_facts.inbound_6, customer_facts.kept_orders, customer_facts.last_day, customer_facts.nps, customer_facts.occasions, customer_facts.refunded_minor
FROM cut JOIN customers AS customer_2 ON customer_2.org_id = :org AND customer_2.id = cut.id JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org AND customer_facts.customer_id = customer_2.id),
j_4 AS
(SELECT k_2.*, CASE WHEN (k_2.inbound_1 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k_2.inbound_2 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k_2.inbound_3 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k_2.inbound_4 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k_2.inbound_5 >= :today - 90) THEN 1 ELSE 0 END + CASE WHEN (k_2.inbound_6 >= :today - 90) THEN 1 ELSE 0 END AS inbound_90, k_2.gross_minor - k_2.refunded_minor AS net_minor, CASE WHEN (k_2.kept_orders > 0) THEN 1 + 0 + CASE WHEN (policy.frequency_cut_1 < k_2.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_2 < k_2.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_3 < k_2.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_4 < k_2.occasions) THEN 1 ELSE 0 END END AS rfm_frequency, CASE WHEN (k_2.kept_orders > 0) THEN 5 - (0 + CASE WHEN (k_2.last_day < :today - policy.recency_cut_1) THEN 1 ELSE 0 END + CASE WHEN (k_2.last_day < :today - policy.recency_cut_2) THEN 1 ELSE 0 END + CASE WHEN (k_2.last_day < :today - policy.recency_cut_3) THEN 1 ELSE 0 END + CASE WHEN (k_2.last_day < :today - policy.recency_cut_4) THEN 1 ELSE 0 END) END AS rfm_recency
FROM k_2 JOIN policy ON 1 = 1),
j_5 AS
(SELECT j_4.*, CASE WHEN (j_4.kept_orders > 0) THEN 1 + 0 + CASE WHEN (max(j_4.net_minor, 0) > policy.monetary_cut_1) THEN 1 ELSE 0 END + CASE WHEN (max(j_4.net_minor, 0) > policy.monetary_cut_2) THEN 1 ELSE 0 END + CASE WHEN (max(j_4.net_minor, 0) > policy.monetary_cut_3) THEN 1 ELSE 0 END + CASE WHEN (max(j_4.net_minor, 0) > policy.monetary_cut_4) THEN 1 ELSE 0 END END AS rfm_monetary
FROM j_4 JOIN policy ON 1 = 1),
j_6 AS MATERIALIZED
(SELECT j_5.key_0, j_5.id, CASE WHEN (j_5.kept_orders > 0) THEN (0 + (j_5.rfm_recency - 1) * 3 * policy.weight_recency_e6 + (j_5.rfm_frequency - 1) * 3 * policy.weight_frequency_e6 + (j_5.rfm_monetary - 1) * 3 * policy.weight_monetary_e6 + j_5.inbound_90 * 2 * policy.weight_engagement_e6 + CASE WHEN (j_5.nps >= 9) THEN 12 WHEN (j_5.nps <= 6) THEN 0 ELSE 6 END * policy.weight_advocacy_e6 + 6) / 12 END AS score
FROM j_5 JOIN policy ON 1 = 1),
customer_rows AS
(SELECT j_6.key_0, format('{"id":"cus_%s","value":{"score":%s}}', j_6.id, coalesce(CASE WHEN ((j_6.score % 10000) = 0) THEN CAST(j_6.score / 10000 AS text) || '.0' ELSE rtrim((CASE WHEN j_6.score < 0 THEN '-' WHEN j_6.score >= 0 THEN '' END || format('%d.%0*d', abs(j_6.score) / 10000, 4, abs(j_6.score) % 10000)), '0') END, 'null')) AS json_0, j_6.id AS kept_id
FROM j_6),
joined AS
(SELECT coalesce(group_concat(ordered.json_0, ','), '') AS list_1
FROM (SELECT customer_rows.key_0, customer_rows.json_0, customer_rows.kept_id
FROM customer_rows ORDER BY customer_rows.key_0 DESC NULLS LAST, customer_rows.kept_id DESC) AS ordered),
counted AS
(SELECT coalesce(CAST(sum(parts.members) AS INTEGER), 0) AS total
FROM (SELECT sums.stage AS outcome, sums.members, sums.net_minor AS total
FROM standing_sums AS sums
WHERE sums.org_id = :org AND sums.stage = :customers_where_lifecycle_stage_eq UNION ALL SELECT was.kept_outcome, -1, -was.kept_total AS anon_2
FROM open_rows AS was
WHERE was.kept_outcome IS NOT NULL AND was.kept_outcome = :customers_where_lifecycle_stage_eq UNION ALL SELECT now.outcome, 1, now.total
FROM open_rows AS now
WHERE now.live = 1 AND now.outcome = :customers_where_lifecycle_stage_eq) AS parts)
SELECT (SELECT format('{"totalCount":%s,"nodes":[%s]}', coalesce(CAST(counted.total AS TEXT), '0'), coalesce(joined.list_1, '')) AS template_1
FROM joined JOIN counted ON 1 = 1) AS anon_1
