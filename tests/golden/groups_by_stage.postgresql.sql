WITH policy AS
(SELECT published.version, published.published_at, published.new_days, published.active_days, published.churn_days, published.loyal_min_occasions, published.loyal_min_span_days, published.complaint_sla_days, published.detractor_window_days, published.customer_min_occasions, published.customer_min_inbound, published.client_min_dialogues, published.client_min_needs, published.client_min_tailored, published.partner_min_cocreation, published.recency_cut_1, published.recency_cut_2, published.recency_cut_3, published.recency_cut_4, published.frequency_cut_1, published.frequency_cut_2, published.frequency_cut_3, published.frequency_cut_4, published.monetary_cut_1, published.monetary_cut_2, published.monetary_cut_3, published.monetary_cut_4, published.weight_recency_e6, published.weight_frequency_e6, published.weight_monetary_e6, published.weight_engagement_e6, published.weight_advocacy_e6, published.cuts_computed_at, published.cuts_from_customers, published.marketing_cap_per_channel, published.marketing_cap_total, published.marketing_cap_days, published.org_id, published.id
FROM policies AS published
WHERE published.org_id = :org::UUID ORDER BY CASE WHEN (published.published_at <= :now::TIMESTAMP WITH TIME ZONE) THEN published.version ELSE -published.version END DESC
LIMIT 1),
k AS
(SELECT customer.archived_at, customer_facts.first_day, customer_facts.gross_minor, customer.id, customer_facts.kept_orders, customer_facts.last_day, customer_facts.occasions, customer_facts.refunded_minor, customer.terminated_day
FROM customers AS customer JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org::UUID AND customer_facts.customer_id = customer.id
WHERE customer.org_id = :org::UUID),
j AS
(SELECT k.*, k.terminated_day IS NOT NULL AND k.terminated_day <= :today::BIGINT AND NOT (k.last_day IS NOT NULL AND k.last_day > k.terminated_day) AS ended, k.gross_minor - k.refunded_minor AS net_minor
FROM k),
j_2 AS
(SELECT j.*, CASE WHEN j.ended THEN 4 WHEN (j.kept_orders = 0) THEN 0 WHEN (j.last_day < :today::BIGINT - (SELECT policy.churn_days
FROM policy)) THEN 4 WHEN (j.occasions >= (SELECT policy.loyal_min_occasions
FROM policy) AND j.last_day - j.first_day >= (SELECT policy.loyal_min_span_days
FROM policy)) THEN 3 WHEN (j.first_day >= :today::BIGINT - (SELECT policy.new_days
FROM policy)) THEN 1 ELSE 2 END AS stage
FROM j),
grouped AS
(SELECT j_2.stage AS key_0, count(*) AS members, coalesce(count(j_2.net_minor), 0) AS known_net_minor, CAST(sum(j_2.net_minor) AS BIGINT) AS sum_net_minor, min(j_2.net_minor) AS min_net_minor, max(j_2.net_minor) AS max_net_minor
FROM j_2
WHERE j_2.archived_at IS NULL GROUP BY j_2.stage),
placed AS
(SELECT grouped.key_0, grouped.members, grouped.known_net_minor, grouped.sum_net_minor, grouped.min_net_minor, grouped.max_net_minor, row_number() OVER (ORDER BY grouped.key_0 ASC NULLS LAST) AS place
FROM grouped),
everyone AS
(SELECT coalesce(CAST(sum(grouped.members) AS BIGINT), 0) AS members, coalesce(CAST(sum(grouped.known_net_minor) AS BIGINT), 0) AS known_net_minor, CAST(sum(grouped.sum_net_minor) AS BIGINT) AS sum_net_minor, min(grouped.min_net_minor) AS min_net_minor, max(grouped.max_net_minor) AS max_net_minor
FROM grouped)
SELECT format('{"rows":[%s],"all":%s}', coalesce((SELECT string_agg(rows_rows.text, ',' ORDER BY rows_rows.place) AS joined_1
FROM (SELECT format('{"lifecycleStage":%s,"count":%s,"factsNet":{"amount":%s,"currency":"%s"}}', coalesce('"' || CASE placed.key_0 WHEN 0 THEN 'PROSPECT' WHEN 1 THEN 'NEW' WHEN 2 THEN 'ACTIVE' WHEN 3 THEN 'LOYAL' WHEN 4 THEN 'CHURNED' END || '"', 'null'), CAST(placed.members AS TEXT), coalesce('"' || (CASE WHEN (coalesce(placed.sum_net_minor, 0)) < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs((coalesce(placed.sum_net_minor, 0))) AS text) ELSE (abs((coalesce(placed.sum_net_minor, 0))) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs((coalesce(placed.sum_net_minor, 0))), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END) || '"', 'null'), :currency::VARCHAR) AS text, placed.place
FROM placed
WHERE placed.place <= :groups_size::BIGINT ORDER BY placed.place) AS rows_rows), ''), (SELECT format('{"count":%s}', CAST(everyone.members AS TEXT)) AS format_2
FROM everyone)) AS format_1
