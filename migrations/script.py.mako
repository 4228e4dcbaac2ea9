"""${message}

The version before this one keeps serving while this runs, and may have to be put back after it. So:

* Expand, migrate, contract, each in a release of its own: add what is new (nullable, or with a constant default) and
  write both; fill in the old rows; drop what nobody reads any more.
* Expect to wait for no lock longer than two seconds (lock_timeout, set in env.py); then it is undone whole, and run again.
* A migration is one transaction. Touch one kind of table in it: of an organisation, or global. Never both.
* The organisation leads every primary key, unique constraint and foreign key. No ON DELETE SET NULL, triggers or sequences.
* A big index is built CONCURRENTLY on PostgreSQL, in `op.get_context().autocommit_block()`, alone in its migration.
* Old rows are filled in by slices of an organisation each, so that no transaction is long.
* SQLite tables are STRICT. A change that ALTER TABLE lacks there is made by `op.batch_alter_table`.
* `downgrade` brings back the schema before; where data would be lost, it says so and raises.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
