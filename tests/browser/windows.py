"""A window of GraphiQL, as whoever sits before it uses it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

from tests.live.serving import Server

MILLISECONDS = 30_000


REFUSED = "status of 401"


@dataclass
class Window:
    """GraphiQL in a window, and what went wrong in it. `locked`: to be refused without a key is nothing wrong."""

    page: Page
    locked: bool = False
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._read)
        self.page.on("requestfailed", self._failed)

    def _read(self, message: ConsoleMessage) -> None:
        # A request that is refused is told some time after whatever is shown for it.
        if message.type == "error" and not (self.locked and REFUSED in message.text):
            self.wrong.append(message.text)

    def _failed(self, request: Request) -> None:
        # A subscription that is stopped is broken off.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"{request.url}: {request.failure}")

    @property
    def hosts(self) -> set[str | None]:
        """Whom it has asked."""
        return {urlsplit(url).hostname for url in self.asked if not url.startswith(("data:", "blob:"))}

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
