"""The segments that every organisation has from its first day: those that the source texts name. They may be
changed."""

from typing import NamedTuple


class Shipped(NamedTuple):
    """`test` is a CustomerWhere as JSON."""

    name: str
    description: str
    test: str


SHIPPED = (
    Shipped(
        "High value",
        "A value score of at least 70 of 100, and not churned: those to keep, whatever it takes. 高价值客户",
        '{"lifecycle":{"stage":{"notIn":["CHURNED"]}},"value":{"score":{"gte":70.0}}}',
    ),
    Shipped(
        "Promising",
        "Bought lately (recency grade 4 or 5), at little risk of leaving (below 0.5), and not yet of high value (a "
        "score below 70): those who may become it. 潜力客户",
        '{"value":{"score":{"lt":70.0},"rfm":{"recency":{"gte":4}},"churnRisk":{"lt":0.5}}}',
    ),
    Shipped(
        "At risk",
        "A churn risk of at least 0.5, and not churned yet: silent for so long, or so dissatisfied, that leaving is as "
        "likely as staying. 风险客户",
        '{"lifecycle":{"stage":{"notIn":["CHURNED"]}},"value":{"churnRisk":{"gte":0.5}}}',
    ),
    Shipped(
        "Ambassador",
        "Spends much (monetary grade 4 or 5), is no stranger (recency grade 2 or more) and speaks for us: two brand "
        "activities in 365 days, a converted referral or an answer of 9 or 10. To be asked to launches and limited "
        "pre-sales. 品牌大使型",
        '{"value":{"behavior":{"in":["AMBASSADOR"]}}}',
    ),
    Shipped(
        "High frequency",
        "Comes most often of all (frequency grade 5), and is no stranger (recency grade 2 or more). To be given early "
        "access and convenience. 高频消费型",
        '{"value":{"behavior":{"in":["HIGH_FREQUENCY"]}}}',
    ),
    Shipped(
        "Growth potential",
        "Bought lately (recency grade 4 or 5), not yet most often (frequency grade 2 to 4), and turns to us more than "
        "before: more occasions in the last 180 days than in the 180 before, or three inbound contacts in 90 days. To "
        "be shown chosen novelties and personal offers. 潜力增长型",
        '{"value":{"behavior":{"in":["GROWTH_POTENTIAL"]}}}',
    ),
    Shipped(
        "Occasional",
        "Has bought, and is none of the other three types. To be reminded when there is an occasion. 偶发购买型",
        '{"value":{"behavior":{"in":["OCCASIONAL"]}}}',
    ),
)
