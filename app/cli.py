"""The command line: each command works on the database of GUANXI_DATABASE_URL and says in one line what it did.

What was expected to go wrong is one plain sentence on stderr and an exit with 1. Modules are imported where they are
used, so that `guanxi --help` is quick.
"""

import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.operators import acting, database, id_of, orgs
from app.platform.refusals import OperatorError, Refused
from app.settings import Settings, is_loopback

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.platform.access import Org

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


class _Plain(click.Group):
    """Says an expected no as a sentence; anything else is a bug, and stays an exception."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OperatorError, Refused) as error:
            click.echo(str(error), err=True)
            raise click.exceptions.Exit(1) from None


@click.group(cls=_Plain)
@click.version_option(package_name="guanxi", message="%(version)s")
def main() -> None:
    """Guanxi: customers, what they bought, how close they are, and why."""


@main.command()
def migrate() -> None:
    """Bring the database up to date."""
    from app.platform.migrations import upgrade

    with database(as_it_is=True) as engine:
        upgrade(engine)
    click.echo("The database is up to date.")


@main.command()
@click.option("--host", default="127.0.0.1", envvar="GUANXI_HOST", show_default=True)
@click.option("--port", default=8000, envvar="GUANXI_PORT", type=click.IntRange(1, 65535), show_default=True)
@click.option("--workers", default=1, type=click.IntRange(1, 64), show_default=True, help="How many processes.")
@click.option("--open", "keyless", is_flag=True, help="Without keys; the default while there is one organisation.")
@click.option("--org", "org_id", envvar="GUANXI_OPEN_ORG", help="The organisation to serve without keys.")
def serve(host: str, port: int, workers: int, keyless: bool, org_id: str | None) -> None:
    """Serve the API: to this machine alone unless told otherwise, and without keys only there."""
    from app.platform.database import check_serving
    from app.serving.start import missing, run
    from schema.request import LARGEST_BODY
    from schema.stored_documents import trusted_documents

    settings = Settings.from_environment()
    with database() as engine:
        org = _served_without_keys(engine, host, keyless, org_id)
        check_serving(settings.database_url)
        trusted_documents(settings.documents)
        for each in missing(engine, keyless=org is not None):
            click.echo(each, err=True)
    _check_free(host, port)
    os.environ.update(GUANXI_HOST=host, GUANXI_PORT=str(port), GUANXI_OPEN_ORG=id_of(org) if org else "")
    whom = f"without keys, as {org.name}" if org else "to those who hold a key"
    click.echo(f"Serving http://{f'[{host}]' if ':' in host else host}:{port}/graphql {whom}.")
    run("app.main:create_app", host, port, workers, settings, LARGEST_BODY)


@main.command()
def demo() -> None:
    """Make a demonstration organisation, with customers and what happened with them."""
    import schema.schema  # noqa: F401 - an audience is read by the finished schema
    from app.demo import fill
    from schema.audience import audience_of

    with database() as engine:
        click.echo(fill(engine, datetime.now(UTC), audience_of))


@main.command("schema")
def print_schema() -> None:
    """Print the GraphQL schema."""
    from schema.schema import contract

    click.echo(contract())


@main.group()
def org() -> None:
    """Organisations."""


@org.command("create")
@click.argument("name")
@click.option("--time-zone", required=True, help="Of its calendar days, like Europe/Paris.")
@click.option("--currency", required=True, help="The one that it reports in, like EUR.")
def org_create(name: str, time_zone: str, currency: str) -> None:
    """Make an organisation with the default policy and the segments that ship, and print its id."""
    from app.platform.access import create_organization
    from app.platform.work import Work, operator, transaction
    from app.scores.actions import first_policy
    from app.segments.actions import first_segments

    now = datetime.now(UTC)
    with database() as engine, transaction(engine) as session:
        made = create_organization(session, name, time_zone, currency, now)
        work = Work(session, operator(made), now)
        first_policy(work)
        first_segments(work)
    click.echo(id_of(made))


@main.group()
def key() -> None:
    """API keys."""


@key.command("create")
@click.option("--org", "org_id", required=True)
@click.option("--scopes", required=True, help="Like customers:read,loyalty:write; read, write and admin are bundles.")
@click.option("--name", default="Made on the command line", show_default=True, help="Who it is for.")
@click.option("--days", type=click.IntRange(1, 36_500), help="It ends by itself after so many.")
def key_create(org_id: str, scopes: str, name: str, days: int | None) -> None:
    """Make a key, and print it: this once."""
    from app.platform.access import check_scopes
    from app.platform.keys import create_api_key

    given = [scope.strip() for scope in scopes.split(",")]
    check_scopes(given)
    with acting(org_id) as work:
        until = work.now + timedelta(days=days) if days else None
        made = create_api_key(work, {"name": name, "scopes": given, "expires_at": until})
    click.echo(made["secret"])


@key.command("list")
@click.option("--org", "org_id", required=True)
def key_list(org_id: str) -> None:
    """Tell of each key its id, its scopes and days, and who it is for. What opens the door is kept nowhere."""
    from app.platform.keys import keys_of, line_of

    with acting(org_id) as work:
        for each in keys_of(work):
            click.echo(line_of(each))


@key.command("rotate")
@click.argument("key_id")
@click.option("--org", "org_id", required=True)
@click.option("--days", default=7, type=click.IntRange(0, 365), show_default=True, help="The old one lives so long.")
def key_rotate(key_id: str, org_id: str, days: int) -> None:
    """Make a second key that may do the same, and print it: this once. The old one is revoked after some days."""
    from app.platform.keys import rotate

    with acting(org_id) as work:
        made, until = rotate(work, key_id, days)
    click.echo(made)
    click.echo(f"The old one opens until {until:%Y-%m-%d %H:%M} UTC." if days else "The old one is revoked.", err=True)


@key.command("revoke")
@click.argument("key_id")
@click.option("--org", "org_id", required=True)
def key_revoke(key_id: str, org_id: str) -> None:
    """Revoke a key, for good. Servers that run refuse it within a second."""
    from app.platform.keys import revoke_api_key

    with acting(org_id) as work:
        revoke_api_key(work, {"id": key_id})
    click.echo("It is revoked.")


@main.group("import")
def import_() -> None:
    """Files of what happened elsewhere."""


@import_.command("purchases")
@click.argument("file", type=_FILE)
@click.option("--org", "org_id", required=True)
@click.option("--customer", required=True, help="The column of the customer's number.")
@click.option("--at", required=True, help="The column of the day or instant.")
@click.option("--quantity", required=True, help="The column of how many.")
@click.option("--amount", required=True, help="The column of the line's total.")
@click.option("--currency", required=True, help="What every amount is in, like EUR.")
@click.option("--ref", help="The column of the purchase's own number, if there is one.")
@click.option("--system", help="Where those numbers come from; left out: the names of their columns.")
def import_purchases(file: Path, org_id: str, **columns: str) -> None:
    """Record a purchase for each row of a .csv or .csv.gz file. Run again, it records what is missing."""
    from app.bulk.purchases import Columns, import_purchases
    from app.platform.work import operator

    def progress(rows: int) -> None:
        click.echo(f"\r{rows:,} rows ", nl=False, err=True)

    with database() as engine:
        (owner,) = orgs(engine, org_id)
        shown = progress if sys.stderr.isatty() else None
        report = import_purchases(engine, operator(owner), file, Columns(**columns), lambda: datetime.now(UTC), shown)
    if shown:
        click.echo(err=True)
    refused = f"{report.refused:,} refused" + (f", see {file}.refused.csv" if report.refused else "")
    done = f"{report.recorded:,} recorded, {report.already_there:,} already there, {refused}"
    click.echo(f"{_counted(report.rows, 'row')}: {done}; {_counted(report.customers_created, 'new customer')}.")


@main.group()
def rates() -> None:
    """Exchange rates."""


@rates.command("import")
@click.argument("file", type=_FILE)
def rates_import(file: Path) -> None:
    """Take in the rates of a file (date, base, quote, rate), and convert the purchases that wait for one."""
    import csv

    from app.platform.work import operator, transaction, work
    from app.purchases.rates import convert_waiting, import_rates

    converted = 0
    with database() as engine:
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines, transaction(engine) as session:
                taken = import_rates(session, csv.DictReader(lines), datetime.now(UTC))
        except (UnicodeDecodeError, csv.Error):
            raise OperatorError("The file is not CSV in UTF-8.") from None
        for one in orgs(engine, None):
            with work(engine, operator(one), datetime.now(UTC)) as each:
                converted += convert_waiting(each)
    click.echo(f"Took in {_counted(taken, 'rate')}, and converted {_counted(converted, 'purchase')} that waited.")


@main.group()
def facts() -> None:
    """What is stored of each customer, which is always what the events say."""


@facts.command()
@click.option("--org", "org_id", help="Of this organisation alone.")
@click.pass_context
def verify(ctx: click.Context, org_id: str | None) -> None:
    """Compare the stored facts with the events, and what was judged with the facts; exits 1 when they differ."""
    from sqlalchemy.orm import Session

    from app.customers.facts import verify
    from app.platform.work import Work, operator
    from app.purchases.refunds import wrongly_summed
    from app.scores.standings import sums_differ, wrongly_judged

    customers, purchases, standings, sums, keys = 0, 0, 0, 0, set[str]()
    with database() as engine:
        owners = orgs(engine, org_id)
        for one in owners:
            # Read only: it may take long, and nobody who writes has to wait for it.
            with Session(engine.execution_options(reading=True)) as session:
                work = Work(session, operator(one), datetime.now(UTC))
                wrong = verify(work)
                purchases += len(wrongly_summed(work))
                standings += len(wrongly_judged(work))
                sums += sums_differ(work)
            customers += len(wrong)
            keys.update(*wrong.values())
    if customers:
        click.echo(
            f"The facts of {_counted(customers, 'customer')} differ from the events, in {', '.join(sorted(keys))}."
        )
    if purchases:
        click.echo(f"The sums beside {_counted(purchases, 'purchase')} differ from the refunds.")
    if standings:
        click.echo(f"The standings of {_counted(standings, 'customer')} differ from what they are judged to be.")
    if sums:
        click.echo(f"The sums of the standings differ from their rows, in {_counted(sums, 'organisation')}.")
    if customers or purchases or standings or sums:
        ctx.exit(1)
    click.echo(f"The stored facts are what the events say, in {_counted(len(owners), 'organisation')}.")


@facts.command()
@click.option("--org", "org_id", help="Of this organisation alone.")
def rebuild(org_id: str | None) -> None:
    """Make the stored facts again, from the events, and judge everybody anew."""
    from app.customers.facts import rebuild_all
    from app.platform.work import operator, work
    from app.purchases.refunds import sum_again, wrongly_summed
    from app.scores.standings import settle, unsettle

    customers = 0
    with database() as engine:
        for one in orgs(engine, org_id):
            with work(engine, operator(one), datetime.now(UTC)) as each:
                sum_again(each, wrongly_summed(each))
                customers += rebuild_all(each)
                unsettle(each)
            settle(engine, one, lambda: datetime.now(UTC))
    click.echo(f"Made the facts of {_counted(customers, 'customer')} again.")


@facts.command("settle")
@click.option("--org", "org_id", help="Of this organisation alone.")
def settle_open(org_id: str | None) -> None:
    """Judge anew whoever has changed, or whose day has come, so that questions about everyone stay quick."""
    from app.scores.standings import settle

    with database() as engine:
        judged = sum(settle(engine, one, lambda: datetime.now(UTC)) for one in orgs(engine, org_id))
    click.echo(f"Judged {_counted(judged, 'customer')} anew.")


@main.group()
def ledger() -> None:
    """The books of loyalty points."""


@ledger.command("post-due")
@click.option("--org", "org_id", help="Of this organisation alone.")
def ledger_post_due(org_id: str | None) -> None:
    """Post what fell due: activations, expiries, reservations that timed out. A server does so by itself."""
    from app.loyalty.posting import post_due

    with database() as engine:
        accounts = sum(post_due(engine, one, lambda: datetime.now(UTC)) for one in orgs(engine, org_id))
    click.echo(f"Posted what was due in {_counted(accounts, 'account')}.")


@ledger.command("verify")
@click.option("--org", "org_id", help="Of this organisation alone.")
@click.pass_context
def ledger_verify(ctx: click.Context, org_id: str | None) -> None:
    """Recompute all that is derived from the books; exits 1 when something differs."""
    from sqlalchemy.orm import Session

    from app.loyalty.verify import verify
    from app.platform.work import Work, operator

    wrong = False
    with database() as engine:
        owners = orgs(engine, org_id)
        for one in owners:
            with Session(engine.execution_options(reading=True)) as session:
                for said, rows in verify(Work(session, operator(one), datetime.now(UTC))).items():
                    noun, how = said.split(" ", 1)
                    click.echo(f"{_counted(rows, noun)} {how}.")
                    wrong = True
    if wrong:
        ctx.exit(1)
    click.echo(f"The books are in order, in {_counted(len(owners), 'organisation')}.")


def _served_without_keys(engine: "Engine", host: str, keyless: bool, org_id: str | None) -> "Org | None":
    """Nobody beyond this machine, and nobody by guessing."""
    asked = keyless or org_id is not None
    if asked and not is_loopback(host):
        raise OperatorError("A server without keys is bound to this machine alone: 127.0.0.1, ::1 or localhost.")
    found = orgs(engine, org_id) if is_loopback(host) else []
    if asked and not found:
        raise OperatorError("There is no organisation yet: run guanxi demo, or guanxi org create.")
    if asked and len(found) > 1:
        raise OperatorError("There are several organisations: name one with --org.")
    return found[0] if len(found) == 1 else None


def _check_free(host: str, port: int) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except OSError:
        raise OperatorError(f"Port {port} of {host} cannot be had: something else may be serving there.") from None


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"
