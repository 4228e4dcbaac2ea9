WITH cut AS
(SELECT customer.email, customer.id, customer.name
FROM customers AS customer
WHERE customer.org_id = :org AND customer.id = :by_id),
k AS
(SELECT cut.email, customer_facts.gross_minor, cut.id, customer_facts.kept_orders, cut.name, customer_facts.refunded_minor
FROM cut JOIN customer_facts AS customer_facts ON customer_facts.org_id = :org AND customer_facts.customer_id = cut.id),
j AS
(SELECT k.*, k.gross_minor - k.refunded_minor AS net_minor
FROM k),
reference_wide AS MATERIALIZED
(SELECT j.id AS parent, reference.system, reference.value
FROM j JOIN customer_refs AS reference ON reference.org_id = :org AND reference.customer_id = j.id),
reference_rows AS
(SELECT reference_wide.parent, format('{"system":%s,"value":%s}', json_quote(reference_wide.system), json_quote(reference_wide.value)) AS json_0, reference_wide.system AS kept_system
FROM reference_wide),
joined AS MATERIALIZED
(SELECT ordered.parent, group_concat(ordered.json_0, ',') AS list
FROM (SELECT reference_rows.parent, reference_rows.json_0, row_number() OVER (PARTITION BY reference_rows.parent ORDER BY reference_rows.kept_system ASC) AS place
FROM reference_rows ORDER BY reference_rows.parent, place) AS ordered GROUP BY ordered.parent),
customer_rows AS
(SELECT format('{"id":"cus_%s","name":%s,"email":%s,"externalRefs":[%s],"facts":{"keptOrders":%s,"net":{"amount":"%s","currency":%s}}}', j.id, json_quote(j.name), coalesce('"' || j.email || '"', 'null'), coalesce(joined.list, ''), CAST(j.kept_orders AS TEXT), (CASE WHEN j.net_minor < 0 THEN '-' WHEN j.net_minor >= 0 THEN '' END || CASE :exponent WHEN 0 THEN CAST(abs(j.net_minor) AS text) ELSE format('%d.%0*d', abs(j.net_minor) / :unit, :exponent, abs(j.net_minor) % :unit) END), :currency_json) AS json_0
FROM j LEFT OUTER JOIN joined ON joined.parent = j.id)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
