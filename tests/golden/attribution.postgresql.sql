WITH bought AS MATERIALIZED
(SELECT bought_order.id, bought_order.customer_id, bought_order.purchased_at, bought_order.local_day, bought_order.gross_reporting - coalesce(bought_order.refunded_reporting, 0) AS revenue, bought_order.local_day / (:look_back::BIGINT + 1) AS span
FROM purchases AS bought_order
WHERE bought_order.org_id = :org::UUID AND CASE WHEN (bought_order.voided_at IS NULL) THEN 1 ELSE 0 END = 1 AND (bought_order.refunded_minor = 0 OR bought_order.refunded_minor < bought_order.gross_minor) AND bought_order.gross_reporting IS NOT NULL AND bought_order.purchased_at >= :since::TIMESTAMP WITH TIME ZONE AND bought_order.purchased_at < :until::TIMESTAMP WITH TIME ZONE AND bought_order.purchased_at <= :now::TIMESTAMP WITH TIME ZONE),
weighed AS MATERIALIZED
(SELECT decaying.purchase_id, decaying.id, decaying.occurred_at, decaying.channel, decaying.campaign_id, decaying.revenue, CASE WHEN (decaying.id = decaying.last_id) THEN 1 ELSE 0 END AS once, 1000000 AS conversions, CASE :model::BIGINT WHEN 0 THEN CASE WHEN (decaying.id = decaying.first_id) THEN 1 ELSE 0 END WHEN 1 THEN CASE WHEN (decaying.id = decaying.last_id) THEN 1 ELSE 0 END WHEN 2 THEN 1 WHEN 3 THEN CASE WHEN ((decaying.id = decaying.first_id OR decaying.id = decaying.last_id) AND decaying.touches - 2 > 0) THEN 2 * (decaying.touches - 2) ELSE 1 END WHEN 4 THEN decaying.decayed END AS weight, CASE :model::BIGINT WHEN 0 THEN 1 WHEN 1 THEN 1 WHEN 2 THEN decaying.touches WHEN 3 THEN CASE WHEN (decaying.touches - 2 > 0) THEN 5 * (decaying.touches - 2) ELSE decaying.touches END WHEN 4 THEN decaying.all_decayed END AS weights, CASE WHEN (decaying.touches > 256) THEN 32768 ELSE 262144 END AS half
FROM (SELECT aged.purchase_id, aged.revenue, aged.id, aged.occurred_at, aged.local_day, aged.channel, aged.campaign_id, aged.touches, aged.first_id, aged.last_id, aged.last_day, aged.decayed, CAST(sum(aged.decayed) OVER (PARTITION BY aged.purchase_id ORDER BY aged.occurred_at, aged.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS BIGINT) AS all_decayed
FROM (SELECT placed.purchase_id, placed.revenue, placed.id, placed.occurred_at, placed.local_day, placed.channel, placed.campaign_id, placed.touches, placed.first_id, placed.last_id, placed.last_day, CAST(CASE ((placed.last_day - placed.local_day) % 7) WHEN 0 THEN 68719476736 WHEN 1 THEN 62240856276 WHEN 2 THEN 56373016413 WHEN 3 THEN 51058374991 WHEN 4 THEN 46244778488 WHEN 5 THEN 41884990225 WHEN 6 THEN 37936226825 END AS BIGINT) >> CAST(FLOOR((placed.last_day - placed.local_day) / 7) + CASE WHEN (placed.touches > 256) THEN 6 ELSE 0 END AS INTEGER) AS decayed
FROM (SELECT touched.purchase_id, touched.revenue, touched.id, touched.occurred_at, touched.local_day, touched.channel, touched.campaign_id, count(*) OVER (PARTITION BY touched.purchase_id ORDER BY touched.occurred_at, touched.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS touches, first_value(touched.id) OVER (PARTITION BY touched.purchase_id ORDER BY touched.occurred_at, touched.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS first_id, last_value(touched.id) OVER (PARTITION BY touched.purchase_id ORDER BY touched.occurred_at, touched.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_id, last_value(touched.local_day) OVER (PARTITION BY touched.purchase_id ORDER BY touched.occurred_at, touched.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_day
FROM (SELECT bought.id AS purchase_id, bought.revenue, met.id, met.occurred_at, met.local_day, met.channel, met.campaign_id
FROM bought FULL OUTER JOIN (SELECT touch.id, touch.customer_id, touch.occurred_at, touch.local_day, CASE WHEN (:by::BIGINT = 0) THEN touch.channel END AS channel, CASE WHEN (:by::BIGINT = 1) THEN touch.campaign_id END AS campaign_id, touch.local_day / (:look_back::BIGINT + 1) + later.spans AS span
FROM touchpoints AS touch JOIN (SELECT 0 AS spans UNION ALL SELECT 1 AS spans) AS later ON true
WHERE touch.org_id = :org::UUID AND CASE WHEN (touch.retracted_at IS NULL) THEN 1 ELSE 0 END = 1 AND touch.occurred_at >= :touched_since::TIMESTAMP WITH TIME ZONE AND touch.occurred_at < :until::TIMESTAMP WITH TIME ZONE AND touch.occurred_at <= :now::TIMESTAMP WITH TIME ZONE) AS met ON met.customer_id = bought.customer_id AND met.span = bought.span
WHERE CASE WHEN (met.occurred_at <= bought.purchased_at AND met.local_day >= bought.local_day - :look_back::BIGINT) THEN 1 ELSE 0 END = 1) AS touched) AS placed) AS aged) AS decaying),
parted AS MATERIALIZED
(SELECT weighed.purchase_id, weighed.id, weighed.occurred_at, weighed.channel, weighed.campaign_id, weighed.weights, (weighed.revenue / weighed.weights) * weighed.weight + (((weighed.revenue % weighed.weights) * (weighed.weight / weighed.half)) / weighed.weights) * weighed.half + ((((weighed.revenue % weighed.weights) * (weighed.weight / weighed.half)) % weighed.weights) * weighed.half + (weighed.revenue % weighed.weights) * (weighed.weight % weighed.half)) / weighed.weights AS revenue, (((((weighed.revenue % weighed.weights) * (weighed.weight / weighed.half)) % weighed.weights) * weighed.half + (weighed.revenue % weighed.weights) * (weighed.weight % weighed.half)) % weighed.weights) AS revenue_rest, (weighed.conversions / weighed.weights) * weighed.weight + (((weighed.conversions % weighed.weights) * (weighed.weight / weighed.half)) / weighed.weights) * weighed.half + ((((weighed.conversions % weighed.weights) * (weighed.weight / weighed.half)) % weighed.weights) * weighed.half + (weighed.conversions % weighed.weights) * (weighed.weight % weighed.half)) / weighed.weights AS conversions, (((((weighed.conversions % weighed.weights) * (weighed.weight / weighed.half)) % weighed.weights) * weighed.half + (weighed.conversions % weighed.weights) * (weighed.weight % weighed.half)) % weighed.weights) AS conversions_rest
FROM weighed),
rows_of AS
(SELECT each_credit.channel, each_credit.campaign_id, CAST(sum(each_credit.revenue) AS BIGINT) AS revenue, CAST(sum(each_credit.conversions) AS BIGINT) AS conversions
FROM (SELECT parted.channel, parted.campaign_id, parted.revenue, parted.conversions
FROM parted UNION ALL SELECT revenue_left.channel, revenue_left.campaign_id, 1, 0
FROM (SELECT parted.channel, parted.campaign_id, parted.weights, CAST(sum(parted.revenue_rest) OVER (PARTITION BY parted.purchase_id) AS BIGINT) AS rests, row_number() OVER (PARTITION BY parted.purchase_id ORDER BY parted.revenue_rest DESC, parted.occurred_at DESC, parted.id DESC) AS place
FROM parted
WHERE parted.revenue_rest > 0) AS revenue_left
WHERE revenue_left.place <= revenue_left.rests / revenue_left.weights UNION ALL SELECT conversions_left.channel, conversions_left.campaign_id, 0, 1
FROM (SELECT parted.channel, parted.campaign_id, parted.weights, CAST(sum(parted.conversions_rest) OVER (PARTITION BY parted.purchase_id) AS BIGINT) AS rests, row_number() OVER (PARTITION BY parted.purchase_id ORDER BY parted.conversions_rest DESC, parted.occurred_at DESC, parted.id DESC) AS place
FROM parted
WHERE parted.conversions_rest > 0) AS conversions_left
WHERE conversions_left.place <= conversions_left.rests / conversions_left.weights UNION ALL SELECT CAST(NULL AS VARCHAR) COLLATE "C" AS channel, CAST(NULL AS UUID) AS campaign_id, CAST(every_order.revenue - coalesce(touched_order.revenue, 0) AS BIGINT) AS anon_1, CAST(every_order.orders - coalesce(touched_order.orders, 0) AS BIGINT) * 1000000 AS anon_2
FROM (SELECT sum(bought.revenue) AS revenue, count(*) AS orders
FROM bought) AS every_order JOIN (SELECT sum(CASE WHEN (weighed.once = 1) THEN weighed.revenue END) AS revenue, sum(weighed.once) AS orders
FROM weighed) AS touched_order ON true) AS each_credit GROUP BY each_credit.channel, each_credit.campaign_id
HAVING CAST(sum(each_credit.revenue) AS BIGINT) > 0 OR CAST(sum(each_credit.conversions) AS BIGINT) > 0),
attributed AS MATERIALIZED
(SELECT :org::UUID AS org_id, row_number() OVER (ORDER BY rows_of.revenue DESC, rows_of.conversions DESC, CASE WHEN (rows_of.channel IS NULL) THEN 1 ELSE 0 END, rows_of.channel, CASE WHEN (rows_of.campaign_id IS NULL) THEN 1 ELSE 0 END, rows_of.campaign_id) AS id, rows_of.channel, rows_of.campaign_id, rows_of.revenue, rows_of.conversions
FROM rows_of),
cut AS
(SELECT attribution_row.id
FROM attributed AS attribution_row
WHERE attribution_row.org_id = :org::UUID),
attribution_row_wide AS MATERIALIZED
(SELECT attribution_row_2.campaign_id, attribution_row_2.conversions, attribution_row_2.id, attribution_row_2.revenue
FROM cut JOIN attributed AS attribution_row_2 ON attribution_row_2.org_id = :org::UUID AND attribution_row_2.id = cut.id),
cut_2 AS
(SELECT DISTINCT attribution_row_wide.campaign_id AS id
FROM attribution_row_wide
WHERE attribution_row_wide.campaign_id IS NOT NULL),
campaign_wide AS MATERIALIZED
(SELECT campaign.id, campaign.name
FROM cut_2 JOIN campaigns AS campaign ON campaign.org_id = :org::UUID AND campaign.id = cut_2.id),
campaign_rows AS
(SELECT '{"name":' || coalesce(CAST(JSON_SCALAR(campaign_wide.name) AS text), 'null') || '}' AS json_0, campaign_wide.id AS kept_id
FROM campaign_wide),
joined AS MATERIALIZED
(SELECT campaign_rows.kept_id AS parent, campaign_rows.json_0
FROM campaign_rows),
attribution_row_rows AS
(SELECT '{"campaign":' || coalesce(joined.json_0, 'null') || ',"conversions":' || CASE WHEN ((attribution_row_wide.conversions % 1000000) = 0) THEN CAST(attribution_row_wide.conversions / 1000000 AS text) || '.0' ELSE rtrim((CASE WHEN attribution_row_wide.conversions < 0 THEN '-' ELSE '' END || (abs(attribution_row_wide.conversions) / 1000000) || '.' || lpad(CAST(mod(abs(attribution_row_wide.conversions), 1000000) AS text), 6, '0')), '0') END || ',"revenue":{"amount":"' || (CASE WHEN attribution_row_wide.revenue < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs(attribution_row_wide.revenue) AS text) ELSE (abs(attribution_row_wide.revenue) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs(attribution_row_wide.revenue), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END) || '","currency":' || :currency_json::VARCHAR || '}}' AS json_0, attribution_row_wide.id AS kept_id
FROM attribution_row_wide LEFT OUTER JOIN joined ON joined.parent = attribution_row_wide.campaign_id)
SELECT '[' || coalesce((SELECT string_agg(ordered.json_0, ',' ORDER BY ordered.place) AS joined_1
FROM (SELECT attribution_row_rows.json_0, row_number() OVER (ORDER BY attribution_row_rows.kept_id ASC) AS place
FROM attribution_row_rows ORDER BY place) AS ordered), '') || ']' AS template_1
