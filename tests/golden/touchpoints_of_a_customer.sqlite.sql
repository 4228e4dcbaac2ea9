WITH cut AS
(SELECT customer.id
FROM customers AS customer
WHERE customer.org_id = :org AND customer.id = :by_id),
cut_2_page AS
(SELECT touchpoint.id, touchpoint.occurred_at AS key_0, touchpoint.kind, touchpoint.occurred_at, touchpoint.subject
FROM touchpoints AS touchpoint
WHERE touchpoint.org_id = :org AND touchpoint.retracted_at IS NULL AND touchpoint.direction = :customer_touchpoints_where_direction_eq AND touchpoint.customer_id = :by_id ORDER BY touchpoint.occurred_at DESC, touchpoint.id DESC
LIMIT :customer_touchpoints_more OFFSET 0),
cut_2 AS MATERIALIZED
(SELECT cut_2_page.id, row_number() OVER (ORDER BY cut_2_page.key_0 DESC, cut_2_page.id DESC) AS n, cut_2_page.kind, cut_2_page.occurred_at, cut_2_page.subject
FROM cut_2_page),
touchpoint_rows AS
(SELECT cut_2.n, format('{"id":"tou_%s","kind":"%s","occurredAt":"%s","subject":%s}', cut_2.id, cut_2.kind, cut_2.occurred_at, json_quote(cut_2.subject)) AS json_0, cut_2.occurred_at AS kept_occurred_at, cut_2.id AS kept_id
FROM cut_2),
joined AS
(SELECT coalesce(group_concat(ordered.json_0, ',') FILTER (WHERE ordered.n <= :customer_touchpoints_size), '') AS list_0, CASE WHEN (max(ordered.found) > :customer_touchpoints_size) THEN 1 ELSE 0 END AS more, max(lower(hex((format('["7b687980",null,"%s","%s"]', ordered.kept_occurred_at, ordered.kept_id))))) FILTER (WHERE ordered.n = min(ordered.found, :customer_touchpoints_size)) AS far
FROM (SELECT touchpoint_rows.n, touchpoint_rows.json_0, touchpoint_rows.kept_occurred_at, touchpoint_rows.kept_id, touchpoint_rows.n AS place, count(*) OVER () AS found
FROM touchpoint_rows ORDER BY place) AS ordered),
customer_rows AS
(SELECT format('{"touchpoints":{"nodes":[%s],"pageInfo":{"hasNextPage":%s,"endCursor":%s}}}', coalesce(joined.list_0, ''), CASE WHEN (joined.more = 1) THEN 'true' ELSE 'false' END, coalesce('"' || joined.far || '"', 'null')) AS json_0
FROM cut LEFT OUTER JOIN joined ON 1 = 1)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
