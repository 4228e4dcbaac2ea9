WITH policy AS
(SELECT published.version, published.published_at, published.new_days, published.active_days, published.churn_days, published.loyal_min_occasions, published.loyal_min_span_days, published.complaint_sla_days, published.detractor_window_days, published.customer_min_occasions, published.customer_min_inbound, published.client_min_dialogues, published.client_min_needs, published.client_min_tailored, published.partner_min_cocreation, published.recency_cut_1, published.recency_cut_2, published.recency_cut_3, published.recency_cut_4, published.frequency_cut_1, published.frequency_cut_2, published.frequency_cut_3, published.frequency_cut_4, published.monetary_cut_1, published.monetary_cut_2, published.monetary_cut_3, published.monetary_cut_4, published.weight_recency_e6, published.weight_frequency_e6, published.weight_monetary_e6, published.weight_engagement_e6, published.weight_advocacy_e6, published.cuts_computed_at, published.cuts_from_customers, published.marketing_cap_per_channel, published.marketing_cap_total, published.marketing_cap_days, published.org_id, published.id
FROM policies AS published
WHERE published.org_id = :org::UUID ORDER BY CASE WHEN (published.published_at <= :now::TIMESTAMP WITH TIME ZONE) THEN published.version ELSE -published.version END DESC
LIMIT 1),
k AS
(SELECT customer.archived_at, customer_facts.first_day, customer_facts.gross_minor, customer.id, customer_facts.inbound_1, customer_facts.inbound_2, customer_facts.inbound_3, customer_facts.inbound_4, customer_facts.inbound_5, customer_facts.inbound_6, customer_facts.kept_orders, customer_facts.last_day, customer_facts.nps, customer_facts.occasions, customer_facts.refunded_minor, customer.terminated_day
FROM customers AS customer JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org::UUID AND customer_facts.customer_id = customer.id
WHERE customer.org_id = :org::UUID),
j AS
(SELECT k.*, k.terminated_day IS NOT NULL AND k.terminated_day <= :today::BIGINT AND NOT (k.last_day IS NOT NULL AND k.last_day > k.terminated_day) AS ended, CASE WHEN (k.inbound_1 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_2 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_3 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_4 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_5 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k.inbound_6 >= :today::BIGINT - 90) THEN 1 ELSE 0 END AS inbound_90, k.gross_minor - k.refunded_minor AS net_minor, CASE WHEN (k.kept_orders > 0) THEN 1 + 0 + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.occasions > (SELECT policy.frequency_cut_4
FROM policy)) THEN 1 ELSE 0 END END AS rfm_frequency, CASE WHEN (k.kept_orders > 0) THEN 5 - (0 + CASE WHEN (k.last_day < :today::BIGINT - (SELECT policy.recency_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today::BIGINT - (SELECT policy.recency_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today::BIGINT - (SELECT policy.recency_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (k.last_day < :today::BIGINT - (SELECT policy.recency_cut_4
FROM policy)) THEN 1 ELSE 0 END) END AS rfm_recency
FROM k),
j_2 AS
(SELECT j.*, CASE WHEN (j.kept_orders > 0) THEN 1 + 0 + CASE WHEN (greatest(j.net_minor, 0) > (SELECT policy.monetary_cut_1
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (greatest(j.net_minor, 0) > (SELECT policy.monetary_cut_2
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (greatest(j.net_minor, 0) > (SELECT policy.monetary_cut_3
FROM policy)) THEN 1 ELSE 0 END + CASE WHEN (greatest(j.net_minor, 0) > (SELECT policy.monetary_cut_4
FROM policy)) THEN 1 ELSE 0 END END AS rfm_monetary, CASE WHEN j.ended THEN 4 WHEN (j.kept_orders = 0) THEN 0 WHEN (j.last_day < :today::BIGINT - (SELECT policy.churn_days
FROM policy)) THEN 4 WHEN (j.occasions >= (SELECT policy.loyal_min_occasions
FROM policy) AND j.last_day - j.first_day >= (SELECT policy.loyal_min_span_days
FROM policy)) THEN 3 WHEN (j.first_day >= :today::BIGINT - (SELECT policy.new_days
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
cut_page AS
(SELECT j_3.id, j_3.score AS key_0
FROM j_3
WHERE j_3.archived_at IS NULL AND j_3.stage = :customers_where_lifecycle_stage_eq::BIGINT ORDER BY j_3.score DESC NULLS LAST, j_3.id DESC
LIMIT :customers_more::BIGINT),
cut AS MATERIALIZED
(SELECT cut_page.id, row_number() OVER (ORDER BY cut_page.key_0 DESC NULLS LAST, cut_page.id DESC) AS n
FROM cut_page),
k_3 AS MATERIALIZED
(SELECT cut.n, customer_facts_3.gross_minor, customer_3.id, customer_facts_3.inbound_1, customer_facts_3.inbound_2, customer_facts_3.inbound_3, customer_facts_3.inbound_4, customer_facts_3.inbound_5, customer_facts_3.inbound_6, customer_facts_3.kept_orders, customer_facts_3.last_day, customer_facts_3.nps, customer_facts_3.occasions, customer_facts_3.refunded_minor
FROM cut JOIN customers AS customer_3 ON customer_3.org_id = :org::UUID AND customer_3.id = cut.id JOIN customer_facts AS customer_facts_3 ON customer_facts_3.org_id = :org::UUID AND customer_facts_3.customer_id = customer_3.id),
j_6 AS MATERIALIZED
(SELECT k_3.*, CASE WHEN (k_3.inbound_1 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k_3.inbound_2 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k_3.inbound_3 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k_3.inbound_4 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k_3.inbound_5 >= :today::BIGINT - 90) THEN 1 ELSE 0 END + CASE WHEN (k_3.inbound_6 >= :today::BIGINT - 90) THEN 1 ELSE 0 END AS inbound_90, k_3.gross_minor - k_3.refunded_minor AS net_minor, CASE WHEN (k_3.kept_orders > 0) THEN 1 + 0 + CASE WHEN (policy.frequency_cut_1 < k_3.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_2 < k_3.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_3 < k_3.occasions) THEN 1 ELSE 0 END + CASE WHEN (policy.frequency_cut_4 < k_3.occasions) THEN 1 ELSE 0 END END AS rfm_frequency, CASE WHEN (k_3.kept_orders > 0) THEN 5 - (0 + CASE WHEN (k_3.last_day < :today::BIGINT - policy.recency_cut_1) THEN 1 ELSE 0 END + CASE WHEN (k_3.last_day < :today::BIGINT - policy.recency_cut_2) THEN 1 ELSE 0 END + CASE WHEN (k_3.last_day < :today::BIGINT - policy.recency_cut_3) THEN 1 ELSE 0 END + CASE WHEN (k_3.last_day < :today::BIGINT - policy.recency_cut_4) THEN 1 ELSE 0 END) END AS rfm_recency
FROM k_3 JOIN policy ON true),
j_7 AS MATERIALIZED
(SELECT j_6.*, CASE WHEN (j_6.kept_orders > 0) THEN 1 + 0 + CASE WHEN (greatest(j_6.net_minor, 0) > policy.monetary_cut_1) THEN 1 ELSE 0 END + CASE WHEN (greatest(j_6.net_minor, 0) > policy.monetary_cut_2) THEN 1 ELSE 0 END + CASE WHEN (greatest(j_6.net_minor, 0) > policy.monetary_cut_3) THEN 1 ELSE 0 END + CASE WHEN (greatest(j_6.net_minor, 0) > policy.monetary_cut_4) THEN 1 ELSE 0 END END AS rfm_monetary
FROM j_6 JOIN policy ON true),
j_8 AS MATERIALIZED
(SELECT j_7.*, CASE WHEN (j_7.kept_orders > 0) THEN (0 + (j_7.rfm_recency - 1) * 3 * policy.weight_recency_e6 + (j_7.rfm_frequency - 1) * 3 * policy.weight_frequency_e6 + (j_7.rfm_monetary - 1) * 3 * policy.weight_monetary_e6 + j_7.inbound_90 * 2 * policy.weight_engagement_e6 + CASE WHEN (j_7.nps >= 9) THEN 12 WHEN (j_7.nps <= 6) THEN 0 ELSE 6 END * policy.weight_advocacy_e6 + 6) / 12 END AS score
FROM j_7 JOIN policy ON true),
customer_rows AS
(SELECT j_8.n, format('{"id":"cus_%s","value":{"score":%s}}', replace(CAST(j_8.id AS text), '-', ''), coalesce(CASE WHEN (rtrim((CASE WHEN j_8.score < 0 THEN '-' ELSE '' END || CASE 4 WHEN 0 THEN CAST(abs(j_8.score) AS text) ELSE (abs(j_8.score) / 10000) || '.' || lpad(CAST(mod(abs(j_8.score), 10000) AS text), CAST(4 AS integer), '0') END), '0') LIKE '%.') THEN rtrim((CASE WHEN j_8.score < 0 THEN '-' ELSE '' END || CASE 4 WHEN 0 THEN CAST(abs(j_8.score) AS text) ELSE (abs(j_8.score) / 10000) || '.' || lpad(CAST(mod(abs(j_8.score), 10000) AS text), CAST(4 AS integer), '0') END), '0') || '0' ELSE rtrim((CASE WHEN j_8.score < 0 THEN '-' ELSE '' END || CASE 4 WHEN 0 THEN CAST(abs(j_8.score) AS text) ELSE (abs(j_8.score) / 10000) || '.' || lpad(CAST(mod(abs(j_8.score), 10000) AS text), CAST(4 AS integer), '0') END), '0') END, 'null')) AS json_0
FROM j_8),
joined AS
(SELECT coalesce(string_agg(ordered.json_0, ',' ORDER BY ordered.place) FILTER (WHERE ordered.n <= :customers_size::BIGINT), '') AS list_1, CASE WHEN (max(ordered.found) > :customers_size::BIGINT) THEN 1 ELSE 0 END AS more
FROM (SELECT customer_rows.n, customer_rows.json_0, customer_rows.n AS place, count(*) OVER () AS found
FROM customer_rows ORDER BY place) AS ordered),
k_2 AS
(SELECT customer_2.archived_at, customer_facts_2.first_day, customer_2.id, customer_facts_2.kept_orders, customer_facts_2.last_day, customer_facts_2.occasions, customer_2.terminated_day
FROM customers AS customer_2 JOIN customer_facts AS customer_facts_2 ON customer_facts_2.org_id = :org::UUID AND customer_facts_2.customer_id = customer_2.id
WHERE customer_2.org_id = :org::UUID),
j_4 AS
(SELECT k_2.*, k_2.terminated_day IS NOT NULL AND k_2.terminated_day <= :today::BIGINT AND NOT (k_2.last_day IS NOT NULL AND k_2.last_day > k_2.terminated_day) AS ended
FROM k_2),
j_5 AS
(SELECT j_4.*, CASE WHEN j_4.ended THEN 4 WHEN (j_4.kept_orders = 0) THEN 0 WHEN (j_4.last_day < :today::BIGINT - (SELECT policy.churn_days
FROM policy)) THEN 4 WHEN (j_4.occasions >= (SELECT policy.loyal_min_occasions
FROM policy) AND j_4.last_day - j_4.first_day >= (SELECT policy.loyal_min_span_days
FROM policy)) THEN 3 WHEN (j_4.first_day >= :today::BIGINT - (SELECT policy.new_days
FROM policy)) THEN 1 ELSE 2 END AS stage
FROM j_4),
counted AS
(SELECT count(*) AS total
FROM j_5
WHERE j_5.archived_at IS NULL AND j_5.stage = :customers_where_lifecycle_stage_eq::BIGINT)
SELECT (SELECT format('{"totalCount":%s,"nodes":[%s]}', coalesce(CAST(counted.total AS TEXT), '0'), coalesce(joined.list_1, '')) AS format_1
FROM joined JOIN counted ON true) AS anon_1
