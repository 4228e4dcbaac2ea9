WITH hits_2 AS
(SELECT hit.subject, CAST(sum(hit.worth) AS BIGINT) AS rank
FROM (SELECT token_0.customer_id AS subject, max(token_0.weight * CASE WHEN (token_0.token = :term_0_low::VARCHAR COLLATE "C") THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_0
WHERE token_0.org_id = :org::UUID AND token_0.token >= :term_0_low::VARCHAR COLLATE "C" AND token_0.token < :term_0_high::VARCHAR COLLATE "C" GROUP BY token_0.customer_id UNION ALL SELECT token_1.customer_id AS subject, max(token_1.weight * CASE WHEN (token_1.token = :term_1_low::VARCHAR COLLATE "C") THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_1
WHERE token_1.org_id = :org::UUID AND token_1.token >= :term_1_low::VARCHAR COLLATE "C" AND token_1.token < :term_1_high::VARCHAR COLLATE "C" GROUP BY token_1.customer_id) AS hit GROUP BY hit.subject
HAVING count(*) = 2),
cut_page AS
(SELECT cut_each.id, cut_each.key_0
FROM (SELECT customer_2.id, hits_2.rank AS key_0
FROM customers AS customer_2 JOIN hits_2 ON hits_2.subject = customer_2.id
WHERE customer_2.org_id = :org::UUID AND customer_2.archived_at IS NULL ORDER BY hits_2.rank DESC, customer_2.id DESC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 DESC, cut_each.id DESC
LIMIT :customers_size::BIGINT),
cut AS
(SELECT cut_page.id, cut_page.key_0
FROM cut_page),
customer_wide AS MATERIALIZED
(SELECT cut.key_0, customer_3.id, customer_3.name
FROM cut JOIN customers AS customer_3 ON customer_3.org_id = :org::UUID AND customer_3.id = cut.id),
customer_rows AS
(SELECT customer_wide.key_0, '{"id":"cus_' || encode(uuid_send(customer_wide.id), 'hex') || '","name":' || coalesce(CAST(JSON_SCALAR(customer_wide.name) AS text), 'null') || '}' AS json_0, customer_wide.id AS kept_id
FROM customer_wide),
joined AS
(SELECT coalesce(string_agg(customer_rows.json_0, ',' ORDER BY customer_rows.key_0 DESC, customer_rows.kept_id DESC), '') AS list_1
FROM customer_rows),
hits AS
(SELECT hit.subject, CAST(sum(hit.worth) AS BIGINT) AS rank
FROM (SELECT token_0.customer_id AS subject, max(token_0.weight * CASE WHEN (token_0.token = :term_0_low::VARCHAR COLLATE "C") THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_0
WHERE token_0.org_id = :org::UUID AND token_0.token >= :term_0_low::VARCHAR COLLATE "C" AND token_0.token < :term_0_high::VARCHAR COLLATE "C" GROUP BY token_0.customer_id UNION ALL SELECT token_1.customer_id AS subject, max(token_1.weight * CASE WHEN (token_1.token = :term_1_low::VARCHAR COLLATE "C") THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_1
WHERE token_1.org_id = :org::UUID AND token_1.token >= :term_1_low::VARCHAR COLLATE "C" AND token_1.token < :term_1_high::VARCHAR COLLATE "C" GROUP BY token_1.customer_id) AS hit GROUP BY hit.subject
HAVING count(*) = 2),
counted AS
(SELECT count(*) AS total
FROM customers AS customer JOIN hits ON hits.subject = customer.id
WHERE customer.org_id = :org::UUID AND customer.archived_at IS NULL)
SELECT (SELECT '{"totalCount":' || coalesce(CAST(counted.total AS TEXT), '0') || ',"nodes":[' || coalesce(joined.list_1, '') || ']}' AS template_1
FROM joined JOIN counted ON true) AS anon_1
