WITH cut_page AS
(SELECT customer.id, customer.created_at AS key_0
FROM customers AS customer
WHERE customer.org_id = :org AND customer.archived_at IS NULL ORDER BY customer.created_at ASC, customer.id ASC
LIMIT :customers_size OFFSET 0),
cut AS
(SELECT cut_page.id, cut_page.key_0
FROM cut_page),
cut_2 AS MATERIALIZED
(SELECT cut.id AS parent, cut_2_each.value AS "row", cut_2_each."key" + 1 AS n
FROM cut JOIN json_each((SELECT json_group_array(cut_2_page.found) AS json_group_array_1
FROM (SELECT account.id, account.opened_at AS key_0, account.rowid AS found
FROM loyalty_accounts AS account
WHERE account.org_id = :org AND account.customer_id = cut.id ORDER BY account.opened_at ASC, account.id ASC
LIMIT :customers_nodes_loyaltyAccounts_size OFFSET 0) AS cut_2_page)) AS cut_2_each ON 1 = 1),
k AS
(SELECT cut_2.parent, cut_2.n, account_2.available, account_2.due_at, account_2.id, account_2.number
FROM cut_2 JOIN loyalty_accounts AS account_2 ON account_2.org_id = :org AND account_2.rowid = cut_2."row"),
j AS
(SELECT k.*, k.due_at > :now AS is_posted, k.available AS now_available
FROM k),
account_rows AS
(SELECT j.parent, j.n, format('{"number":%s,"balance":{"available":%s}}%s', json_quote(j.number), CAST(j.now_available AS TEXT), CASE WHEN j.is_posted THEN '' ELSE '' END) AS json_0
FROM j),
joined AS MATERIALIZED
(SELECT ordered.parent, coalesce(group_concat(ordered.json_0, ','), '') AS list_0
FROM (SELECT account_rows.parent, account_rows.n, account_rows.json_0, account_rows.n AS place
FROM account_rows ORDER BY account_rows.parent, place) AS ordered GROUP BY ordered.parent),
customer_rows AS
(SELECT format('{"id":"cus_%s","loyaltyAccounts":{"nodes":[%s]}}', cut.id, coalesce(joined.list_0, '')) AS json_0
FROM cut LEFT OUTER JOIN joined ON joined.parent = cut.id),
joined_2 AS
(SELECT coalesce(group_concat(customer_rows.json_0, ','), '') AS list_0
FROM customer_rows)
SELECT (SELECT format('{"nodes":[%s]}', coalesce(joined_2.list_0, '')) AS template_1
FROM joined_2) AS anon_1
