WITH k_2 AS
(SELECT campaign_member.arm, campaign_member.campaign_id, CASE WHEN (EXISTS (SELECT 1
FROM touchpoints AS contact
WHERE contact.org_id = campaign_member.org_id AND contact.campaign_id = campaign_member.campaign_id AND contact.customer_id = campaign_member.customer_id AND contact.direction = 'OUTBOUND' AND contact.occurred_at >= campaign_member.enrolled_at AND contact.retracted_at IS NULL AND contact.channel = (SELECT its_campaign.channel
FROM campaigns AS its_campaign
WHERE its_campaign.org_id = campaign_member.org_id AND its_campaign.id = campaign_member.campaign_id))) THEN 1 ELSE 0 END AS contacted, CASE WHEN (EXISTS (SELECT 1
FROM purchases AS bought
WHERE bought.org_id = campaign_member.org_id AND bought.customer_id = campaign_member.customer_id AND bought.purchased_at >= campaign_member.enrolled_at AND bought.local_day <= campaign_member.until_day AND bought.voided_at IS NULL AND NOT (coalesce(bought.refunded_minor, 0) > 0 AND coalesce(bought.refunded_minor, 0) >= bought.gross_minor))) THEN 1 ELSE 0 END AS converted, campaign_member.customer_id, campaign_member.id, CASE WHEN (EXISTS (SELECT 1
FROM touchpoints AS contact
WHERE contact.org_id = campaign_member.org_id AND contact.campaign_id = campaign_member.campaign_id AND contact.customer_id = campaign_member.customer_id AND contact.direction = 'INBOUND' AND contact.occurred_at >= campaign_member.enrolled_at AND contact.retracted_at IS NULL)) THEN 1 ELSE 0 END AS responded
FROM campaign_members AS campaign_member
WHERE campaign_member.org_id = :org::UUID AND campaign_member.arm IS NOT NULL),
j_2 AS
(SELECT k_2.*, CASE WHEN (k_2.converted = 1) THEN 3 WHEN (k_2.responded = 1) THEN 2 WHEN (k_2.contacted = 1) THEN 1 ELSE 0 END AS member_status
FROM k_2),
cut_2_page AS
(SELECT cut_2_each.id, cut_2_each.arm, cut_2_each.customer_id
FROM (SELECT j_2.id, j_2.arm, j_2.customer_id
FROM j_2
WHERE j_2.member_status = any(:campaign_members_where_status_in::BIGINT[]) AND j_2.campaign_id = :by_id::UUID ORDER BY j_2.id ASC
LIMIT 101) AS cut_2_each ORDER BY cut_2_each.id ASC
LIMIT :campaign_members_size::BIGINT),
cut_2 AS
(SELECT cut_2_page.id, cut_2_page.arm, cut_2_page.customer_id
FROM cut_2_page),
k_3 AS MATERIALIZED
(SELECT campaign_member_2.arm, CASE WHEN (EXISTS (SELECT 1
FROM touchpoints AS contact
WHERE contact.org_id = campaign_member_2.org_id AND contact.campaign_id = campaign_member_2.campaign_id AND contact.customer_id = campaign_member_2.customer_id AND contact.direction = 'OUTBOUND' AND contact.occurred_at >= campaign_member_2.enrolled_at AND contact.retracted_at IS NULL AND contact.channel = (SELECT its_campaign.channel
FROM campaigns AS its_campaign
WHERE its_campaign.org_id = campaign_member_2.org_id AND its_campaign.id = campaign_member_2.campaign_id))) THEN 1 ELSE 0 END AS contacted, (SELECT min(contact.occurred_at) AS min_1
FROM touchpoints AS contact
WHERE contact.org_id = campaign_member_2.org_id AND contact.campaign_id = campaign_member_2.campaign_id AND contact.customer_id = campaign_member_2.customer_id AND contact.direction = 'OUTBOUND' AND contact.occurred_at >= campaign_member_2.enrolled_at AND contact.retracted_at IS NULL AND contact.channel = (SELECT its_campaign.channel
FROM campaigns AS its_campaign
WHERE its_campaign.org_id = campaign_member_2.org_id AND its_campaign.id = campaign_member_2.campaign_id)) AS contacted_at, CASE WHEN (EXISTS (SELECT 1
FROM purchases AS bought
WHERE bought.org_id = campaign_member_2.org_id AND bought.customer_id = campaign_member_2.customer_id AND bought.purchased_at >= campaign_member_2.enrolled_at AND bought.local_day <= campaign_member_2.until_day AND bought.voided_at IS NULL AND NOT (coalesce(bought.refunded_minor, 0) > 0 AND coalesce(bought.refunded_minor, 0) >= bought.gross_minor))) THEN 1 ELSE 0 END AS converted, campaign_member_2.customer_id, campaign_member_2.id, CASE WHEN (EXISTS (SELECT 1
FROM touchpoints AS contact
WHERE contact.org_id = campaign_member_2.org_id AND contact.campaign_id = campaign_member_2.campaign_id AND contact.customer_id = campaign_member_2.customer_id AND contact.direction = 'INBOUND' AND contact.occurred_at >= campaign_member_2.enrolled_at AND contact.retracted_at IS NULL)) THEN 1 ELSE 0 END AS responded, coalesce((SELECT CAST(sum(bought.gross_reporting - coalesce(bought.refunded_reporting, 0)) AS BIGINT) AS sum_1
FROM purchases AS bought
WHERE bought.org_id = campaign_member_2.org_id AND bought.customer_id = campaign_member_2.customer_id AND bought.purchased_at >= campaign_member_2.enrolled_at AND bought.local_day <= campaign_member_2.until_day AND bought.voided_at IS NULL AND NOT (coalesce(bought.refunded_minor, 0) > 0 AND coalesce(bought.refunded_minor, 0) >= bought.gross_minor)), 0) AS spend_minor
FROM cut_2 JOIN campaign_members AS campaign_member_2 ON campaign_member_2.org_id = :org::UUID AND campaign_member_2.id = cut_2.id
WHERE campaign_member_2.arm IS NOT NULL),
j_3 AS
(SELECT k_3.*, CASE WHEN (k_3.converted = 1) THEN 3 WHEN (k_3.responded = 1) THEN 2 WHEN (k_3.contacted = 1) THEN 1 ELSE 0 END AS member_status
FROM k_3),
cut_3 AS
(SELECT DISTINCT j_3.customer_id AS id
FROM j_3
WHERE j_3.customer_id IS NOT NULL),
customer_wide AS MATERIALIZED
(SELECT customer.id, customer.name
FROM cut_3 JOIN customers AS customer ON customer.org_id = :org::UUID AND customer.id = cut_3.id),
customer_rows AS
(SELECT '{"name":' || coalesce(CAST(JSON_SCALAR(customer_wide.name) AS text), 'null') || '}' AS json_0, customer_wide.id AS kept_id
FROM customer_wide),
joined_2 AS MATERIALIZED
(SELECT customer_rows.kept_id AS parent, customer_rows.json_0
FROM customer_rows),
campaign_member_rows AS
(SELECT '{"arm":"' || j_3.arm || '","status":"' || CASE j_3.member_status WHEN 0 THEN 'ENROLLED' WHEN 1 THEN 'CONTACTED' WHEN 2 THEN 'RESPONDED' WHEN 3 THEN 'CONVERTED' END || coalesce('","contactedAt":"' || (to_char(j_3.contacted_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) || '","spend":{"amount":"', '","contactedAt":null,"spend":{"amount":"') || (CASE WHEN j_3.spend_minor < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs(j_3.spend_minor) AS text) ELSE (abs(j_3.spend_minor) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs(j_3.spend_minor), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END) || '","currency":' || :currency_json::VARCHAR || '},"customer":' || coalesce(joined_2.json_0, 'null') || '}' AS json_0, j_3.id AS kept_id
FROM j_3 LEFT OUTER JOIN joined_2 ON joined_2.parent = j_3.customer_id),
joined_3 AS
(SELECT coalesce(string_agg(campaign_member_rows.json_0, ',' ORDER BY campaign_member_rows.kept_id ASC), '') AS list_0
FROM campaign_member_rows),
cut AS
(SELECT campaign.holdout, campaign.id, campaign.launched_at, campaign.matched, campaign.name, campaign.status, campaign.treatment
FROM campaigns AS campaign
WHERE campaign.org_id = :org::UUID AND campaign.id = :by_id::UUID),
k AS MATERIALIZED
(SELECT coalesce((SELECT CAST(sum(booked.amount_reporting) AS BIGINT) AS sum_2
FROM campaign_costs AS booked
WHERE booked.org_id = campaign_2.org_id AND booked.campaign_id = campaign_2.id), 0) AS cost_minor, campaign_2.holdout, campaign_2.id, campaign_2.launched_at, campaign_2.matched, campaign_2.name, campaign_2.status, campaign_2.treatment
FROM cut JOIN campaigns AS campaign_2 ON campaign_2.org_id = :org::UUID AND campaign_2.id = cut.id),
j AS MATERIALIZED
(SELECT k.*, CASE k.status WHEN 'DRAFT' THEN 0 WHEN 'RUNNING' THEN 1 WHEN 'COMPLETED' THEN 2 WHEN 'CANCELLED' THEN 3 END AS campaign_status
FROM k),
left_out AS
(SELECT counted_out.org_id, counted_out.id AS campaign_id, 0 AS reason, counted_out.excluded_archived AS members
FROM campaigns AS counted_out
WHERE counted_out.org_id = :org::UUID AND counted_out.launched_at IS NOT NULL AND counted_out.id IN (SELECT j.id
FROM j) UNION ALL SELECT counted_out.org_id, counted_out.id AS campaign_id, 1 AS reason, counted_out.excluded_no_consent AS members
FROM campaigns AS counted_out
WHERE counted_out.org_id = :org::UUID AND counted_out.launched_at IS NOT NULL AND counted_out.id IN (SELECT j.id
FROM j) UNION ALL SELECT counted_out.org_id, counted_out.id AS campaign_id, 2 AS reason, counted_out.excluded_suppressed AS members
FROM campaigns AS counted_out
WHERE counted_out.org_id = :org::UUID AND counted_out.launched_at IS NOT NULL AND counted_out.id IN (SELECT j.id
FROM j) UNION ALL SELECT counted_out.org_id, counted_out.id AS campaign_id, 3 AS reason, counted_out.excluded_frequency_cap AS members
FROM campaigns AS counted_out
WHERE counted_out.org_id = :org::UUID AND counted_out.launched_at IS NOT NULL AND counted_out.id IN (SELECT j.id
FROM j)),
exclusion_wide AS MATERIALIZED
(SELECT j.id AS parent, exclusion.members, exclusion.reason
FROM j JOIN left_out AS exclusion ON exclusion.org_id = :org::UUID AND exclusion.campaign_id = j.id),
exclusion_rows AS
(SELECT exclusion_wide.parent, '{"reason":"' || CASE exclusion_wide.reason WHEN 0 THEN 'ARCHIVED' WHEN 1 THEN 'NO_CONSENT' WHEN 2 THEN 'SUPPRESSED' WHEN 3 THEN 'FREQUENCY_CAP' END || '","count":' || CAST(exclusion_wide.members AS TEXT) || '}' AS json_0, exclusion_wide.reason AS kept_reason
FROM exclusion_wide),
joined AS MATERIALIZED
(SELECT ordered.parent, string_agg(ordered.json_0, ',' ORDER BY ordered.place) AS list
FROM (SELECT exclusion_rows.parent, exclusion_rows.json_0, row_number() OVER (PARTITION BY exclusion_rows.parent ORDER BY exclusion_rows.kept_reason ASC) AS place
FROM exclusion_rows ORDER BY exclusion_rows.parent, place) AS ordered GROUP BY ordered.parent),
campaign_rows AS
(SELECT '{"name":' || coalesce(CAST(JSON_SCALAR(j.name) AS text), 'null') || ',"status":"' || CASE j.campaign_status WHEN 0 THEN 'DRAFT' WHEN 1 THEN 'RUNNING' WHEN 2 THEN 'COMPLETED' WHEN 3 THEN 'CANCELLED' END || '","cost":{"amount":"' || (CASE WHEN j.cost_minor < 0 THEN '-' ELSE '' END || CASE :exponent::BIGINT WHEN 0 THEN CAST(abs(j.cost_minor) AS text) ELSE (abs(j.cost_minor) / :unit::BIGINT) || '.' || lpad(CAST(mod(abs(j.cost_minor), :unit::BIGINT) AS text), CAST(:exponent::BIGINT AS integer), '0') END) || '","currency":' || :currency_json::VARCHAR || '},"launch":' || CASE WHEN (j.launched_at IS NULL) THEN 'null' ELSE '{"matched":' || CAST(j.matched AS TEXT) || ',"excluded":[' || coalesce(joined.list, '') || '],"treatment":' || CAST(j.treatment AS TEXT) || ',"holdout":' || CAST(j.holdout AS TEXT) || '}' END || ',"members":{"nodes":[' || coalesce((SELECT joined_3.list_0
FROM joined_3), '') || ']}}' AS json_0
FROM j LEFT OUTER JOIN joined ON joined.parent = j.id)
SELECT (SELECT campaign_rows.json_0
FROM campaign_rows) AS anon_1
