WITH ordered AS MATERIALIZED
(SELECT bought_order.customer_id, bought_order.purchased_at, bought_order.local_day, bought_order.channel, bought_order.gross_reporting - coalesce(bought_order.refunded_reporting, 0) AS net, row_number() OVER (PARTITION BY bought_order.customer_id ORDER BY bought_order.purchased_at, bought_order.id) AS place
FROM purchases AS bought_order
WHERE bought_order.org_id = :org AND CASE WHEN (bought_order.voided_at IS NULL) THEN 1 ELSE 0 END = 1 AND (bought_order.refunded_minor = 0 OR bought_order.refunded_minor < bought_order.gross_minor) AND bought_order.purchased_at <= :now),
acquired AS MATERIALIZED
(SELECT ordered.customer_id, min(ordered.purchased_at) AS first_at, max(CASE WHEN (ordered.place = 1) THEN ordered.channel END) AS channel, CASE WHEN (max(ordered.local_day) > min(ordered.local_day)) THEN 1 ELSE 0 END AS again, coalesce(sum(ordered.net), 0) AS net
FROM ordered GROUP BY ordered.customer_id
HAVING min(ordered.purchased_at) >= :since AND min(ordered.purchased_at) < :until AND min(ordered.purchased_at) <= :now),
quality AS MATERIALIZED
(SELECT :org AS org_id, each_channel.channel AS id, each_channel.channel, CAST(sum(each_channel.customers) AS INTEGER) AS customers, CAST(sum(each_channel.repurchasers) AS INTEGER) AS repurchasers, CAST(sum(each_channel.net) AS INTEGER) AS net, CAST(sum(each_channel.cost) AS INTEGER) AS cost
FROM (SELECT customer.channel, count(*) AS customers, sum(customer.again) AS repurchasers, sum(customer.net) AS net, 0 AS cost
FROM (SELECT CASE WHEN (max(each_part.met_at) <= max(each_part.first_at)) THEN max(each_part.met_channel) ELSE max(each_part.channel) END AS channel, max(each_part.again) AS again, max(each_part.net) AS net
FROM (SELECT acquired.customer_id, acquired.first_at, acquired.channel, acquired.again, acquired.net, CAST(NULL AS TEXT) AS met_at, CAST(NULL AS TEXT) AS met_channel
FROM acquired UNION ALL SELECT met.customer_id, CAST(NULL AS TEXT) AS anon_1, CAST(NULL AS TEXT) AS anon__1, CAST(NULL AS INTEGER) AS anon__2, CAST(NULL AS INTEGER) AS anon__3, met.occurred_at, met.channel
FROM (SELECT touch.customer_id, touch.occurred_at, touch.channel, row_number() OVER (PARTITION BY touch.customer_id ORDER BY touch.occurred_at, touch.id) AS place
FROM touchpoints AS touch
WHERE touch.org_id = :org AND CASE WHEN (touch.retracted_at IS NULL) THEN 1 ELSE 0 END = 1 AND touch.occurred_at <= :now AND CASE WHEN (touch.customer_id IN (SELECT acquired.customer_id
FROM acquired)) THEN 1 ELSE 0 END = 1) AS met
WHERE met.place = 1) AS each_part GROUP BY each_part.customer_id) AS customer GROUP BY customer.channel UNION ALL SELECT acquiring.channel, 0 AS customers, 0 AS repurchasers, 0 AS net, sum(booked.amount_reporting) AS cost
FROM campaign_costs AS booked JOIN campaigns AS acquiring ON acquiring.org_id = booked.org_id AND acquiring.id = booked.campaign_id
WHERE booked.org_id = :org AND acquiring.objective IN ('ACQUIRE', 'CONVERT_PROSPECT', 'CLOSE_FIRST_ORDER') AND booked.at >= :since AND booked.at < :until AND booked.at <= :now GROUP BY acquiring.channel) AS each_channel GROUP BY each_channel.channel),
cut AS
(SELECT channel_quality.id
FROM quality AS channel_quality
WHERE channel_quality.org_id = :org),
k AS
(SELECT channel_quality_2.channel, channel_quality_2.cost, channel_quality_2.customers, channel_quality_2.id, channel_quality_2.net, channel_quality_2.repurchasers
FROM cut JOIN quality AS channel_quality_2 ON channel_quality_2.org_id = :org AND channel_quality_2.id = cut.id),
j AS MATERIALIZED
(SELECT k.*, CASE WHEN (k.customers > 0) THEN CAST((2 * k.cost * 1 * 1 + 1 * k.customers) / (2 * 1 * k.customers) AS INTEGER) END AS cac, CASE WHEN (k.customers > 0) THEN CAST((2 * k.net * 1 * 1 + 1 * k.customers) / (2 * 1 * k.customers) AS INTEGER) END AS net_per_customer, CASE WHEN (k.customers > 0) THEN CAST((2 * k.repurchasers * 1000000 * 1 + 1 * k.customers) / (2 * 1 * k.customers) AS INTEGER) END AS repurchase_rate
FROM k),
channel_quality_rows AS
(SELECT format('{"channel":"%s","customers":%s,"cost":{"amount":"%s"},"cac":%s,"repurchaseRate":%s,"netPerCustomer":%s}', j.channel, CAST(j.customers AS TEXT), (CASE WHEN j.cost < 0 THEN '-' WHEN j.cost >= 0 THEN '' END || CASE :exponent WHEN 0 THEN CAST(abs(j.cost) AS text) ELSE format('%d.%0*d', abs(j.cost) / :unit, :exponent, abs(j.cost) % :unit) END), CASE WHEN (j.cac IS NULL) THEN 'null' ELSE format('{"amount":"%s","currency":%s}', (CASE WHEN j.cac < 0 THEN '-' WHEN j.cac >= 0 THEN '' END || CASE :exponent WHEN 0 THEN CAST(abs(j.cac) AS text) ELSE format('%d.%0*d', abs(j.cac) / :unit, :exponent, abs(j.cac) % :unit) END), :currency_json) END, coalesce(CASE WHEN ((j.repurchase_rate % 1000000) = 0) THEN CAST(j.repurchase_rate / 1000000 AS text) || '.0' ELSE rtrim((CASE WHEN j.repurchase_rate < 0 THEN '-' WHEN j.repurchase_rate >= 0 THEN '' END || format('%d.%0*d', abs(j.repurchase_rate) / 1000000, 6, abs(j.repurchase_rate) % 1000000)), '0') END, 'null'), CASE WHEN (j.net_per_customer IS NULL) THEN 'null' ELSE format('{"amount":"%s"}', (CASE WHEN j.net_per_customer < 0 THEN '-' WHEN j.net_per_customer >= 0 THEN '' END || CASE :exponent WHEN 0 THEN CAST(abs(j.net_per_customer) AS text) ELSE format('%d.%0*d', abs(j.net_per_customer) / :unit, :exponent, abs(j.net_per_customer) % :unit) END)) END) AS json_0, j.customers AS kept_customers, j.cost AS kept_cost, j.id AS kept_id
FROM j)
SELECT format('[%s]', coalesce((SELECT group_concat(ordered.json_0, ',') AS joined_1
FROM (SELECT channel_quality_rows.json_0, row_number() OVER (ORDER BY channel_quality_rows.kept_customers DESC, channel_quality_rows.kept_cost DESC, channel_quality_rows.kept_id ASC) AS place
FROM channel_quality_rows ORDER BY place) AS ordered), '')) AS template_1
