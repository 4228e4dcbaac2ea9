WITH cut_page AS
(SELECT customer.id, customer.name AS key_0
FROM customers AS customer
WHERE customer.org_id = :org AND customer.archived_at IS NULL ORDER BY customer.name ASC, customer.id ASC
LIMIT :customers_more OFFSET 0),
cut AS MATERIALIZED
(SELECT cut_page.id, row_number() OVER (ORDER BY cut_page.key_0 ASC, cut_page.id ASC) AS n
FROM cut_page),
customer_wide AS MATERIALIZED
(SELECT cut.n, customer_2.id, customer_2.name
FROM cut JOIN customers AS customer_2 ON customer_2.org_id = :org AND customer_2.id = cut.id),
customer_rows AS
(SELECT customer_wide.n, format('{"id":"cus_%s","name":%s}', customer_wide.id, json_quote(customer_wide.name)) AS json_0, customer_wide.name AS kept_name, customer_wide.id AS kept_id
FROM customer_wide),
joined AS
(SELECT coalesce(group_concat(ordered.json_0, ',') FILTER (WHERE ordered.n <= :customers_size), '') AS list_0, CASE WHEN (max(ordered.found) > :customers_size) THEN 1 ELSE 0 END AS more, max(lower(hex((format('["1189243e",null,%s,"%s"]', json_quote(ordered.kept_name), ordered.kept_id))))) FILTER (WHERE ordered.n = min(ordered.found, :customers_size)) AS far
FROM (SELECT customer_rows.n, customer_rows.json_0, customer_rows.kept_name, customer_rows.kept_id, customer_rows.n AS place, count(*) OVER () AS found
FROM customer_rows ORDER BY place) AS ordered)
SELECT (SELECT format('{"nodes":[%s],"pageInfo":{"hasNextPage":%s,"endCursor":%s}}', coalesce(joined.list_0, ''), CASE WHEN (joined.more = 1) THEN 'true' ELSE 'false' END, coalesce('"' || joined.far || '"', 'null')) AS template_1
FROM joined) AS anon_1
