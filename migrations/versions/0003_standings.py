"""What was last judged of each customer, kept beside the facts as an index, and its sums by stage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole

from app.platform.database import Key

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = ("judged_policy", "judged_stage", "judged_score", "judged_net_minor", "judged_day", "judged_until")


def upgrade() -> None:
    for column in (
        sa.Column("judged_policy", Whole(), nullable=False, server_default="0"),
        sa.Column("judged_stage", Whole(), nullable=True),
        sa.Column("judged_score", Whole(), nullable=True),
        sa.Column("judged_net_minor", Whole(), nullable=False, server_default="0"),
        sa.Column("judged_day", Whole(), nullable=False, server_default="0"),
        # Nobody has been judged yet: the general path answers until `guanxi facts settle`.
        sa.Column("judged_until", Whole(), nullable=False, server_default="-100000"),
    ):
        op.add_column("customer_facts", column)
    op.create_index(
        "ix_customer_facts_judged",
        "customer_facts",
        ["org_id", "judged_policy", "judged_stage", "judged_score", "customer_id"],
    )
    op.create_index(
        "ix_customer_facts_open", "customer_facts", ["org_id", "judged_policy", "judged_until", "judged_day"]
    )
    op.create_table(
        "standing_sums",
        sa.Column("org_id", Key(), nullable=False),
        sa.Column("stage", Whole(), nullable=False),
        sa.Column("members", Whole(), nullable=False),
        sa.Column("net_minor", Whole(), nullable=False),
        sa.Column("latest_day", Whole(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "stage"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("standing_sums")
    op.drop_index("ix_customer_facts_open", "customer_facts")
    op.drop_index("ix_customer_facts_judged", "customer_facts")
    for column in _COLUMNS:
        op.drop_column("customer_facts", column)
