WITH typed AS
(SELECT :fact_first_day AS first_day, :fact_kept_orders AS kept_orders, :fact_last_day AS last_day, :fact_occasions AS occasions, :fact_terminated_day AS terminated_day),
k AS
(SELECT typed.first_day, typed.kept_orders, typed.last_day, typed.occasions, typed.terminated_day
FROM typed),
j AS
(SELECT k.*, k.terminated_day IS NOT NULL AND k.terminated_day <= :today AND NOT (k.last_day IS NOT NULL AND k.last_day > k.terminated_day) AS ended
FROM k),
policy AS
(SELECT published.*
FROM policies AS published
WHERE published.org_id = :org ORDER BY CASE WHEN (published.published_at <= :now) THEN published.version ELSE -published.version END DESC
LIMIT 1 OFFSET 0),
j_2 AS MATERIALIZED
(SELECT CASE WHEN j.ended = 1 THEN 4 WHEN (j.kept_orders = 0) THEN 0 WHEN (j.last_day < :today - policy.churn_days) THEN 4 WHEN (policy.loyal_min_occasions <= j.occasions AND j.last_day - j.first_day >= policy.loyal_min_span_days) THEN 3 WHEN (j.first_day >= :today - policy.new_days) THEN 1 ELSE 2 END AS stage
FROM j JOIN policy ON 1 = 1)
SELECT (SELECT format('{"lifecycle":{"stage":"%s"}}', CASE j_2.stage WHEN 0 THEN 'PROSPECT' WHEN 1 THEN 'NEW' WHEN 2 THEN 'ACTIVE' WHEN 3 THEN 'LOYAL' WHEN 4 THEN 'CHURNED' END) AS template_1
FROM j_2 JOIN policy ON 1 = 1) AS anon_1
