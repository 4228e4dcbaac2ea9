WITH found AS
(SELECT customer.id
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.id = :by_id::UUID
LIMIT 2),
cut AS
(SELECT found.id
FROM found
WHERE (SELECT count(*) AS count_1
FROM found) = 1),
k AS MATERIALIZED
(SELECT customer_2.email, customer_facts.gross_minor, customer_2.id, customer_facts.kept_orders, customer_2.name, customer_facts.refunded_minor
FROM cut JOIN customers AS customer_2 ON customer_2.org_id = :org::UUID AND customer_2.id = cut.id JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org::UUID AND customer_facts.customer_id = customer_2.id),
policy AS
(SELECT published.version, published.published_at, published.new_days, published.active_days, published.churn_days, published.loyal_min_occasions, published.loyal_min_span_days, published.complaint_sla_days, published.detractor_window_days, published.customer_min_occasions, published.customer_min_inbound, published.client_min_dialogues, published.client_min_needs, published.client_min_tailored, published.partner_min_cocreation, published.recency_cut_1, published.recency_cut_2, published.recency_cut_3, published.recency_cut_4, published.frequency_cut_1, published.frequency_cut_2, published.frequency_cut_3, published.frequency_cut_4, published.monetary_cut_1, published.monetary_cut_2, published.monetary_cut_3, published.monetary_cut_4, published.weight_recency_e6, published.weight_frequency_e6, published.weight_monetary_e6, published.weight_engagement_e6, published.weight_advocacy_e6, published.cuts_computed_at, published.cuts_from_customers, published.marketing_cap_per_channel, published.marketing_cap_total, published.marketing_cap_days, published.org_id, published.id
FROM policies AS published
WHERE published.org_id = :org::UUID ORDER BY CASE WHEN (published.published_at <= :now::TIMESTAMP WITH TIME ZONE) THEN published.version ELSE -published.version END DESC
LIMIT 1),
j AS MATERIALIZED
(SELECT k.*, k.gross_minor - k.refunded_minor AS net_minor
FROM k JOIN policy ON true),
reference_wide AS MATERIALIZED
(SELECT j.id AS parent, reference.system, reference.value
FROM j JOIN customer_refs AS reference ON reference.org_id = :org::UUID AND reference.customer_id = j.id),
reference_rows AS
(SELECT reference_wide.parent, format('{"system":%s,"value":%s}', coalesce(CAST(to_json(reference_wide.system) AS text), 'null'), coalesce(CAST(to_json(reference_wide.value) AS text), 'null')) AS json_0, reference_wide.system AS kept_system
FROM reference_wide),
joined AS
(SELECT ordered.parent, string_agg(ordered.json_0, ',' ORDER BY ordered.place) AS list
FROM (SELECT reference_rows.parent, reference_rows.json_0, row_number() OVER (PARTITION BY reference_rows.parent ORDER BY reference_rows.kept_system ASC) AS place
FROM reference_rows ORDER BY reference_rows.parent, place) AS ordered GROUP BY ordered.parent),
customer_rows AS
(SELECT format('{"id":"cus_%s","name":%s,"email":%s,"externalRefs":[%s],"facts":{"keptOrders":%s,"net":{"amount":"%s","currency":%s}}}', replace(CAST(j.id AS text), '-', ''), coalesce(CAST(to_json(j.name) AS text), 'null'), coalesce(CAST(to_json(j.email) AS text), 'null'), coalesce(joined.list, ''), CAST(j.kept_orders AS TEXT), (CASE WHEN j.net_minor < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs(j.net_minor) AS text) ELSE (abs(j.net_minor) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs(j.net_minor), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END), :currency_json::VARCHAR) AS json_0
FROM j LEFT OUTER JOIN joined ON joined.parent = j.id)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
