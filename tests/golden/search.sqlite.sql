WITH hits_2 AS
(SELECT hit.subject, CAST(sum(hit.worth) AS INTEGER) AS rank
FROM (SELECT token_0.customer_id AS subject, max(token_0.weight * CASE WHEN (token_0.token = :term_0_low) THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_0
WHERE token_0.org_id = :org AND token_0.token >= :term_0_low AND token_0.token < :term_0_high GROUP BY token_0.customer_id UNION ALL SELECT token_1.customer_id AS subject, max(token_1.weight * CASE WHEN (token_1.token = :term_1_low) THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_1
WHERE token_1.org_id = :org AND token_1.token >= :term_1_low AND token_1.token < :term_1_high GROUP BY token_1.customer_id) AS hit GROUP BY hit.subject
HAVING count(*) = 2),
cut_page AS
(SELECT customer_2.id, hits_2.rank AS key_0
FROM customers AS customer_2 JOIN hits_2 ON hits_2.subject = customer_2.id
WHERE customer_2.org_id = :org AND customer_2.archived_at IS NULL ORDER BY hits_2.rank DESC, customer_2.id DESC
LIMIT :customers_size OFFSET 0),
cut AS
(SELECT cut_page.id, cut_page.key_0
FROM cut_page),
customer_wide AS MATERIALIZED
(SELECT cut.key_0, customer_3.id, customer_3.name
FROM cut JOIN customers AS customer_3 ON customer_3.org_id = :org AND customer_3.id = cut.id),
customer_rows AS
(SELECT customer_wide.key_0, format('{"id":"cus_%s","name":%s}', customer_wide.id, json_quote(customer_wide.name)) AS json_0, customer_wide.id AS kept_id
FROM customer_wide),
joined AS
(SELECT coalesce(group_concat(ordered.json_0, ','), '') AS list_1
FROM (SELECT customer_rows.key_0, customer_rows.json_0, customer_rows.kept_id
FROM customer_rows ORDER BY customer_rows.key_0 DESC, customer_rows.kept_id DESC) AS ordered),
hits AS
(SELECT hit.subject, CAST(sum(hit.worth) AS INTEGER) AS rank
FROM (SELECT token_0.customer_id AS subject, max(token_0.weight * CASE WHEN (token_0.token = :term_0_low) THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_0
WHERE token_0.org_id = :org AND token_0.token >= :term_0_low AND token_0.token < :term_0_high GROUP BY token_0.customer_id UNION ALL SELECT token_1.customer_id AS subject, max(token_1.weight * CASE WHEN (token_1.token = :term_1_low) THEN 2 ELSE 1 END) AS worth
FROM customer_tokens AS token_1
WHERE token_1.org_id = :org AND token_1.token >= :term_1_low AND token_1.token < :term_1_high GROUP BY token_1.customer_id) AS hit GROUP BY hit.subject
HAVING count(*) = 2),
counted AS
(SELECT count(*) AS total
FROM customers AS customer JOIN hits ON hits.subject = customer.id
WHERE customer.org_id = :org AND customer.archived_at IS NULL)
SELECT (SELECT format('{"totalCount":%s,"nodes":[%s]}', coalesce(CAST(counted.total AS TEXT), '0'), coalesce(joined.list_1, '')) AS template_1
FROM joined JOIN counted ON 1 = 1) AS anon_1
