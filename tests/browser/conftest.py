"""GraphiQL over a real server, in a real Chromium that is cut off from all but this machine."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright
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

# Enough for each example to show something.
CUSTOMERS = 200
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MILLISECONDS = 30_000
SIZE = {"width": 1440, "height": 900}
# A name is not found, whoever asks for it; a number leads nowhere.
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
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "These tests need a Chromium: on Debian apt-get install chromium, or name one in CHROMIUM."
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=[ALONE])
        yield made
        made.close()


@dataclass
class Window:
    """GraphiQL in a window, and what went wrong in it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._read)
        self.page.on("requestfailed", self._failed)

    def _read(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(message.text)

    def _failed(self, request: Request) -> None:
        # A subscription that is stopped is broken off.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"{request.url}: {request.failure}")

    def open(self, server: Server) -> "Window":
        self.page.goto(server.url)
        expect(self.editor("Operation")).to_be_visible()
        return self

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    @property
    def tabs(self) -> list[str]:
        return [tab.inner_text() for tab in self.page.get_by_role("tab").all()]

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).get_by_role("button").first.click()
        expect(self.editor("Operation")).to_contain_text(f" {name} {{")

    def editor(self, name: str) -> Locator:
        return self.page.locator(PLACES[name]).locator(".view-lines").filter(visible=True)

    @property
    def plugin(self) -> Locator:
        return self.page.locator(".graphiql-plugin")

    def press_run(self) -> None:
        self.button("Execute query").click()

    def run(self) -> Any:
        """What came back, once it is shown."""
        with self.page.expect_response(lambda answer: _asked(answer.request)) as answered:
            self.press_run()
        answer = answered.value.json()
        expect(self.editor("Result")).to_contain_text('"errors": [' if "errors" in answer else '"data": {')
        return answer

    def give(self, key: str) -> None:
        """Put a key in the place of the one that is made up, and the line in force."""
        self.editor("Headers").get_by_text("gx_your_key").click()
        for pressed in ("End", "ArrowLeft", "ControlOrMeta+Shift+ArrowLeft"):
            self.page.keyboard.press(pressed)
        self.page.keyboard.insert_text(key)
        self.page.keyboard.press("ControlOrMeta+/")
        expect(self.editor("Headers")).to_contain_text(f'"Authorization": "Bearer {key}"')
        expect(self.editor("Headers")).not_to_contain_text("//")
        self.editor("Operation").click()

    def replace(self, word: str, other: str) -> None:
        """A word of the operation."""
        self.editor("Operation").get_by_text(word).dblclick()
        self.page.keyboard.insert_text(other)
        expect(self.editor("Operation")).to_contain_text(other)


def _asked(request: Request) -> bool:
    """Whether it is what was run: the docs are asked for by themselves."""
    return request.method == "POST" and "IntrospectionQuery" not in (request.post_data or "")


PLACES = {
    "Operation": ".graphiql-query-editor",
    "Headers": ".graphiql-editor-tool",
    "Result": ".graphiql-response",
}
Opens = Callable[..., Window]


@pytest.fixture
def window(browser: Browser) -> Iterator[Opens]:
    """`window()`, `window(color_scheme="dark")`: in a browser that has never been there; `window(beside=other)`: in that
    one's. Nothing may go wrong in it but what a test takes out of `wrong`, and no request may leave this host.
    """
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
        assert {urlsplit(url).hostname for url in each.asked if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}
