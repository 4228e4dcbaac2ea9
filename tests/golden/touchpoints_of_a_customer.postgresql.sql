WITH cut AS
(SELECT customer.id
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.id = :by_id::UUID),
cut_2_page AS
(SELECT cut_2_each.id, cut_2_each.key_0, cut_2_each.kind, cut_2_each.occurred_at, cut_2_each.subject
FROM (SELECT touchpoint.id, touchpoint.occurred_at AS key_0, touchpoint.kind, touchpoint.occurred_at, touchpoint.subject
FROM touchpoints AS touchpoint
WHERE touchpoint.org_id = :org::UUID AND touchpoint.retracted_at IS NULL AND touchpoint.direction = :customer_touchpoints_where_direction_eq::VARCHAR COLLATE "C" AND touchpoint.customer_id = :by_id::UUID ORDER BY touchpoint.occurred_at DESC, touchpoint.id DESC
LIMIT 101) AS cut_2_each ORDER BY cut_2_each.key_0 DESC, cut_2_each.id DESC
LIMIT :customer_touchpoints_more::BIGINT),
cut_2 AS MATERIALIZED
(SELECT cut_2_page.id, row_number() OVER (ORDER BY cut_2_page.key_0 DESC, cut_2_page.id DESC) AS n, cut_2_page.kind, cut_2_page.occurred_at, cut_2_page.subject
FROM cut_2_page),
touchpoint_rows AS
(SELECT cut_2.n, '{"id":"tou_' || encode(uuid_send(cut_2.id), 'hex') || '","kind":"' || cut_2.kind || '","occurredAt":"' || to_char(cut_2.occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","subject":' || coalesce(CAST(JSON_SCALAR(cut_2.subject) AS text), 'null') || '}' AS json_0, cut_2.occurred_at AS kept_occurred_at, cut_2.id AS kept_id
FROM cut_2),
joined AS
(SELECT coalesce(string_agg(ordered.json_0, ',' ORDER BY ordered.place) FILTER (WHERE ordered.n <= :customer_touchpoints_size::BIGINT), '') AS list_0, CASE WHEN (max(ordered.found) > :customer_touchpoints_size::BIGINT) THEN 1 ELSE 0 END AS more, max(encode(convert_to(('["7b687980",null,"' || to_char(ordered.kept_occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","' || encode(uuid_send(ordered.kept_id), 'hex') || '"]'), 'UTF8'), 'hex')) FILTER (WHERE ordered.n = least(ordered.found, :customer_touchpoints_size::BIGINT)) AS far
FROM (SELECT touchpoint_rows.n, touchpoint_rows.json_0, touchpoint_rows.kept_occurred_at, touchpoint_rows.kept_id, touchpoint_rows.n AS place, count(*) OVER () AS found
FROM touchpoint_rows ORDER BY place) AS ordered),
customer_rows AS
(SELECT '{"touchpoints":{"nodes":[' || coalesce(joined.list_0, '') || '],"pageInfo":{"hasNextPage":' || CASE WHEN (joined.more = 1) THEN 'true' ELSE 'false' END || ',"endCursor":' || coalesce('"' || joined.far || '"', 'null') || '}}}' AS json_0
FROM cut LEFT OUTER JOIN joined ON true)
SELECT (SELECT customer_rows.json_0
FROM customer_rows) AS anon_1
