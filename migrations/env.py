"""Runs the migrations on the database of GUANXI_DATABASE_URL, or on the engine that the caller hands over."""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from app.platform.database import connect
from app.settings import Settings
from app.tables import metadata

# Any number that no other program takes on this database.
_ONE_AT_A_TIME = 7_236_512


def run(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            _prepare_postgresql(connection)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_server_default=True,
            # SQLite's DDL is as transactional as any: app.platform.database begins for itself, at once for writing.
            transactional_ddl=True,
            # On SQLite everything is one transaction, which also keeps out a second migration that starts meanwhile.
            transaction_per_migration=connection.dialect.name == "postgresql",
        )
        with context.begin_transaction():
            context.run_migrations()


def _prepare_postgresql(connection: Connection) -> None:
    # Two deployments at once: the second waits here, then finds nothing left to do.
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ONE_AT_A_TIME})")
    # A migration that waits for a lock makes everyone behind it wait: better to give up, and be run again.
    connection.exec_driver_sql("SET lock_timeout = '2s'")
    connection.commit()


if context.is_offline_mode():
    raise CommandError("Guanxi migrates a database that it is connected to; --sql is not offered.")
given: Engine | None = context.config.attributes.get("engine")
if given is not None:
    run(given)
else:
    own = connect(Settings.from_environment().database_url)
    run(own)
    own.dispose()
