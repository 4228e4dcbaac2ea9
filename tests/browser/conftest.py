"""GraphiQL over a real server, in a real Chromium that is cut off from all but this machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

import schema.schema  # noqa: F401 - an audience is read by the finished schema
from app import demo
from app.demo import lives
from app.platform.access import create_key, create_organization, organizations
from app.platform.database import connect
from app.platform.work import transaction
from schema.audience import audience_of
from tests.conftest import _drop, _migrated
from tests.databases import new_sqlite_database
from tests.live.serving import Server, serving

if TYPE_CHECKING:
    # Loaded by whoever collects all tests; Playwright then is not.
    from playwright.sync_api import Browser

    from tests.browser.windows import Opens

# Enough for each example to show something.
CUSTOMERS = 200
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = {"width": 1440, "height": 900}
# Nothing is found but this machine, whoever asks.
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    """The tea house, closed, to be copied."""
    with _copy(_migrated("sqlite")) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "CUSTOMERS", CUSTOMERS)
        engine = connect(url)
        demo.fill(engine, datetime.now(UTC), audience_of)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def server(demo_url: str) -> Iterator[Server]:
    """As `make run` serves it: open to this machine."""
    with _copy(demo_url) as url, serving(url) as made:
        yield made


@pytest.fixture(scope="session")
def locked(demo_url: str) -> Iterator[tuple[Server, str]]:
    """One that asks for a key, and a key."""
    with _copy(demo_url) as url:
        engine, now = connect(url), datetime.now(UTC)
        with transaction(engine) as session:
            (org,) = organizations(session)
            # With one organisation alone it would ask nobody.
            create_organization(session, "Another", "UTC", "EUR", now)
            key = create_key(session, org.id, ["read", "write"], now)
        engine.dispose()
        with serving(url) as made:
            yield made, key


@contextmanager
def _copy(url: str) -> Iterator[str]:
    made = new_sqlite_database(Path(make_url(url).database or ""))
    yield made
    _drop(made)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "These tests need a Chromium: on Debian apt-get install chromium, or name one in CHROMIUM."
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=[ALONE])
        yield made
        made.close()


@pytest.fixture
def window(browser: "Browser") -> Iterator["Opens"]:
    """`window()`, `window(color_scheme="dark")`: as for one who was never there; `window(beside=other)`: a second one.

    Nothing may go wrong in it but what a test takes out of `wrong`, and no request may leave this host.
    """
    from playwright.sync_api import expect

    from tests.browser.windows import MILLISECONDS, Window

    opened: list[Window] = []

    def make(beside: Window | None = None, **details: Any) -> Window:
        context = beside.page.context if beside else browser.new_context(viewport=SIZE, **details)
        context.set_default_timeout(MILLISECONDS)
        made = Window(context.new_page())
        made.listen()
        opened.append(made)
        return made

    expect.set_options(timeout=MILLISECONDS)
    yield make
    for each in opened:
        each.page.context.close()
    for each in opened:
        assert each.wrong == []
        assert each.hosts == {"127.0.0.1"}
