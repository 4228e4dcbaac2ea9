WITH cut_page AS
(SELECT cut_each.id, cut_each.key_0
FROM (SELECT customer.id, customer.created_at AS key_0
FROM customers AS customer
WHERE customer.org_id = :org::UUID AND customer.archived_at IS NULL ORDER BY customer.created_at ASC, customer.id ASC
LIMIT 101) AS cut_each ORDER BY cut_each.key_0 ASC, cut_each.id ASC
LIMIT :customers_size::BIGINT),
cut AS
(SELECT cut_page.id, cut_page.key_0
FROM cut_page),
customer_rows AS
(SELECT cut.key_0, '{"id":"cus_' || encode(uuid_send(cut.id), 'hex') || '","loyaltyAccounts":{"nodes":[' || coalesce(joined.list_0, '') || ']}}' AS json_0, cut.id AS kept_id
FROM cut JOIN LATERAL (SELECT string_agg('{"number":' || coalesce(CAST(JSON_SCALAR(cut_2.number) AS text), 'null') || ',"balance":{"available":' || CAST(cut_2.available AS TEXT) || '}}' || CASE WHEN (cut_2.due_at > :now::TIMESTAMP WITH TIME ZONE) THEN '' ELSE '' END, ',' ORDER BY cut_2.key_0 ASC, cut_2.id ASC) AS list_0
FROM (SELECT cut_2_each.id, cut_2_each.key_0, cut_2_each.available, cut_2_each.due_at, cut_2_each.number
FROM (SELECT account.id, account.opened_at AS key_0, account.available, account.due_at, account.number
FROM loyalty_accounts AS account
WHERE account.org_id = :org::UUID AND account.customer_id = cut.id ORDER BY account.opened_at ASC, account.id ASC
LIMIT 101) AS cut_2_each ORDER BY cut_2_each.key_0 ASC, cut_2_each.id ASC
LIMIT :customers_nodes_loyaltyAccounts_size::BIGINT) AS cut_2) AS joined ON true),
joined_2 AS
(SELECT coalesce(string_agg(customer_rows.json_0, ',' ORDER BY customer_rows.key_0 ASC, customer_rows.kept_id ASC), '') AS list_0
FROM customer_rows)
SELECT (SELECT '{"nodes":[' || coalesce(joined_2.list_0, '') || ']}' AS template_1
FROM joined_2) AS anon_1
