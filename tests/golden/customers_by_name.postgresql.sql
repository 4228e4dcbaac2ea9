WITH cut_page AS
(SELECT cut_each.id, cut_each.key_0
FROM (SELECT customer.id, customer.name AS key_0
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.archived_at IS NULL ORDER BY customer.name ASC, customer.id ASC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 ASC, cut_each.id ASC
LIMIT :customers_more::BIGINT),
cut AS MATERIALIZED
(SELECT cut_page.id, row_number() OVER (ORDER BY cut_page.key_0 ASC, cut_page.id ASC) AS n
FROM cut_page),
customer_wide AS MATERIALIZED
(SELECT cut.n, customer_2.id, customer_2.name
FROM cut JOIN customers AS customer_2 ON customer_2.org_id = :org::UUID AND customer_2.id = cut.id),
customer_rows AS
(SELECT customer_wide.n, '{"id":"cus_' || encode(uuid_send(customer_wide.id), 'hex') || '","name":' || coalesce(CAST(JSON_SCALAR(customer_wide.name) AS text), 'null') || '}' AS json_0, customer_wide.name AS kept_name, customer_wide.id AS kept_id
FROM customer_wide),
joined AS
(SELECT coalesce(string_agg(ordered.json_0, ',' ORDER BY ordered.place) FILTER (WHERE ordered.n <= :customers_size::BIGINT), '') AS list_0, CASE WHEN (max(ordered.found) > :customers_size::BIGINT) THEN 1 ELSE 0 END AS more, max(encode(convert_to(('["1189243e",null,' || coalesce(CAST(JSON_SCALAR(ordered.kept_name) AS text), 'null') || ',"' || encode(uuid_send(ordered.kept_id), 'hex') || '"]'), 'UTF8'), 'hex')) FILTER (WHERE ordered.n = least(ordered.found, :customers_size::BIGINT)) AS far
FROM (SELECT customer_rows.n, customer_rows.json_0, customer_rows.kept_name, customer_rows.kept_id, customer_rows.n AS place, count(*) OVER () AS found
FROM customer_rows ORDER BY place) AS ordered)
SELECT (SELECT '{"nodes":[' || coalesce(joined.list_0, '') || '],"pageInfo":{"hasNextPage":' || CASE WHEN (joined.more = 1) THEN 'true' ELSE 'false' END || ',"endCursor":' || coalesce('"' || joined.far || '"', 'null') || '}}' AS template_1
FROM joined) AS anon_1
