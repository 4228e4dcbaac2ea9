WITH cut_page AS
(SELECT cut_each.id, cut_each.key_0
FROM (SELECT customer.id, customer.name AS key_0
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.archived_at IS NULL ORDER BY customer.name ASC, customer.id ASC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 ASC, cut_each.id ASC
LIMIT :customers_size::BIGINT),
cut AS
(SELECT cut_page.id, cut_page.key_0
FROM cut_page),
bought AS
(SELECT bought_made.subject, bought_made.kept_orders
FROM (SELECT bought_made_events.subject, CAST(coalesce(sum(CASE WHEN (bought_made_events.kept = 1) THEN 1 ELSE 0 END), 0) AS BIGINT) AS kept_orders
FROM (SELECT orders.subject, orders.at, orders.day, orders.gross_reporting, orders.refunded_reporting, CASE WHEN (orders.tailored_to IS NOT NULL) THEN 1 ELSE 0 END AS tailored, CASE WHEN (orders.refunded_minor > 0 AND orders.gross_minor <= orders.refunded_minor) THEN 0 ELSE 1 END AS kept
FROM (SELECT bought_order.customer_id AS subject, bought_order.purchased_at AS at, bought_order.local_day AS day, bought_order.gross_minor, bought_order.gross_reporting, bought_order.tailored_to, coalesce((SELECT sum(given_back.amount_minor) AS sum_1
FROM refunds AS given_back
WHERE given_back.org_id = bought_order.org_id AND given_back.purchase_id = bought_order.id AND given_back.refunded_at <= :now::TIMESTAMP WITH TIME ZONE), 0) AS refunded_minor, coalesce((SELECT sum(given_back.amount_reporting) AS sum_2
FROM refunds AS given_back
WHERE given_back.org_id = bought_order.org_id AND given_back.purchase_id = bought_order.id AND given_back.refunded_at <= :now::TIMESTAMP WITH TIME ZONE), 0) AS refunded_reporting
FROM purchases AS bought_order
WHERE bought_order.org_id = :org::UUID AND bought_order.purchased_at <= :now::TIMESTAMP WITH TIME ZONE AND bought_order.customer_id IN (SELECT cut.id
FROM cut) AND bought_order.voided_at IS NULL) AS orders) AS bought_made_events GROUP BY bought_made_events.subject) AS bought_made),
customer_wide AS MATERIALIZED
(SELECT cut.key_0, customer_2.id, coalesce(bought.kept_orders, 0) AS kept_orders, customer_2.name
FROM cut JOIN customers AS customer_2 ON customer_2.org_id = :org::UUID AND customer_2.id = cut.id LEFT OUTER JOIN bought ON bought.subject = customer_2.id),
customer_rows AS
(SELECT customer_wide.key_0, '{"id":"cus_' || encode(uuid_send(customer_wide.id), 'hex') || :instant_suffix::VARCHAR || '","name":' || coalesce(CAST(JSON_SCALAR(customer_wide.name) AS text), 'null') || ',"facts":{"keptOrders":' || CAST(customer_wide.kept_orders AS TEXT) || '}}' AS json_0, customer_wide.id AS kept_id
FROM customer_wide),
joined AS
(SELECT coalesce(string_agg(customer_rows.json_0, ',' ORDER BY customer_rows.key_0 ASC, customer_rows.kept_id ASC), '') AS list_0
FROM customer_rows)
SELECT (SELECT '{"nodes":[' || coalesce(joined.list_0, '') || ']}' AS template_1
FROM joined) AS anon_1
