"""The trail is found by its organisation and its time: nothing reads it by its subjects."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEX = "ix_audit_entries_org_id_subject_id"


def upgrade() -> None:
    op.drop_index(INDEX, "audit_entries")


def downgrade() -> None:
    op.create_index(INDEX, "audit_entries", ["org_id", "subject", "id"])
