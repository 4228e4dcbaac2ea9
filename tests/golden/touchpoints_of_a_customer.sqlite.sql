WITH cut AS
(SELECT customer.id
FROM customers AS customer
WHERE customer.org_id = :org AND customer.id = :by_id),
cut_2 AS MATERIALIZED
(SELECT cut.id AS parent, cut_2_each.value AS "row", cut_2_each."key" + 1 AS n
FROM cut JOIN json_each((SELECT json_group_array(cut_2_page.found) AS json_group_array_1
FROM (SELECT touchpoint.id, touchpoint.occurred_at AS key_0, touchpoint.rowid AS found
FROM touchpoints AS touchpoint
WHERE touchpoint.org_id = :org AND touchpoint.retracted_at IS NULL AND touchpoint.direction = :customer_touchpoints_where_direction_eq AND touchpoint.customer_id = cut.id ORDER BY touchpoint.occurred_at DESC, touchpoint.id DESC
LIMIT :customer_touchpoints_more OFFSET 0) AS cut_2_page)) AS cut_2_each ON 1 = 1),
touchpoint_wide AS MATERIALIZED
(SELECT cut_2.parent, cut_2.n, touchpoint_2.id, touchpoint_2.kind, touchpoint_2.occurred_at, touchpoint_2.subject
FROM cut_2 JOIN touchpoints AS touchpoint_2 ON touchpoint_2.org_id = :org AND touchpoint_2.rowid = cut_2."row"
WHERE touchpoint_2.retracted_at IS NULL),
touchpoint_rows AS
(SELECT touchpoint_wide.parent, touchpoint_wide.n, format('{"id":"tou_%s","kind":"%s","occurredAt":"%s","subject":%s}', touchpoint_wide.id, touchpoint_wide.kind, touchpoint_wide.occurred_at, json_quote(touchpoint_wide.subject)) AS json_0, lower(hex((format('["7b687980",null,"%s","%s"]', touchpoint_wide.occurred_at, touchpoint_wide.id)))) AS cursor
FROM touchpoint_wide),
joined AS MATERIALIZED
(SELECT ordered.parent, coalesce(group_concat(ordered.json_0, ',') FILTER (WHERE ordered.n <= :customer_touchpoints_size), '') AS list_0, CASE WHEN (max(ordered.found) > :customer_touchpoints_size) THEN 1 ELSE 0 END AS more, max(ordered.cursor) FILTER (WHERE ordered.n = 1) AS near, max(ordered.cursor) FILTER (WHERE ordered.n = min(ordered.found, :customer_touchpoints_size)) AS far
FROM (SELECT touchpoint_rows.parent, touchpoint_rows.n, touchpoint_rows.json_0, touchpoint_rows.cursor, touchpoint_rows.n AS place, count(*) OVER (PARTITION BY touchpoint_rows.parent) AS found
FROM touchpoint_rows ORDER BY touchpoint_rows.parent, place) AS ordered GROUP BY ordered.parent),
customer_rows AS
(SELECT format('{"touchpoints":{"nodes":[%s],"pageInfo":{"hasNextPage":%s,"endCursor":%s}}}', coalesce(joined.list_0, ''), CASE WHEN (joined.more = 1) THEN 'true' ELSE 'false' END, coalesce('"' || joined.far || '"', 'null')) AS json_0
FROM cut LEFT OUTER JOIN joined ON joined.parent = cut.id)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
