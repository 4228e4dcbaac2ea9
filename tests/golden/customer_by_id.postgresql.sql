WITH cut AS
(SELECT customer.email, customer.id, customer.name
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.id = :by_id::UUID),
k AS
(SELECT cut.email, customer_facts.gross_minor, cut.id, customer_facts.kept_orders, cut.name, customer_facts.refunded_minor
FROM cut JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org::UUID AND customer_facts.customer_id = cut.id),
j AS
(SELECT k.*, k.gross_minor - k.refunded_minor AS net_minor
FROM k),
reference_wide AS MATERIALIZED
(SELECT j.id AS parent, reference.system, reference.value
FROM j JOIN customer_refs AS reference ON reference.org_id = :org::UUID AND reference.customer_id = j.id),
reference_rows AS
(SELECT reference_wide.parent, '{"system":' || coalesce(CAST(JSON_SCALAR(reference_wide.system) AS text), 'null') || ',"value":' || coalesce(CAST(JSON_SCALAR(reference_wide.value) AS text), 'null') || '}' AS json_0, reference_wide.system AS kept_system
FROM reference_wide),
joined AS MATERIALIZED
(SELECT ordered.parent, string_agg(ordered.json_0, ',' ORDER BY ordered.place) AS list
FROM (SELECT reference_rows.parent, reference_rows.json_0, row_number() OVER (PARTITION BY reference_rows.parent ORDER BY reference_rows.kept_system ASC) AS place
FROM reference_rows ORDER BY reference_rows.parent, place) AS ordered GROUP BY ordered.parent),
customer_rows AS
(SELECT '{"id":"cus_' || encode(uuid_send(j.id), 'hex') || '","name":' || coalesce(CAST(JSON_SCALAR(j.name) AS text), 'null') || coalesce(',"email":"' || j.email || '","externalRefs":[', ',"email":null,"externalRefs":[') || coalesce(joined.list, '') || '],"facts":{"keptOrders":' || CAST(j.kept_orders AS TEXT) || ',"net":{"amount":"' || (CASE WHEN j.net_minor < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs(j.net_minor) AS text) ELSE (abs(j.net_minor) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs(j.net_minor), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END) || '","currency":' || :currency_json::VARCHAR || '}}}' AS json_0
FROM j LEFT OUTER JOIN joined ON joined.parent = j.id)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
