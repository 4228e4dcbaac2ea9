"""What a developer sees in the first five minutes: part of `make test-browser`.

With GUANXI_PICTURES=docs the pictures of the README are made anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import expect

from schema.about import ABOUT
from tests.browser.windows import Opens, Window
from tests.live.serving import Server

EXAMPLES = Path(__file__).parents[2] / "app" / "graphiql" / "examples"
PURCHASE = (EXAMPLES / "purchase.graphql").read_text(encoding="utf-8")
PLACEHOLDER = '// "Authorization": "Bearer gx_your_key"'
DOCS, EXPLORER = "Documentation Explorer", "GraphiQL Explorer"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(33, 42, 59)"
WRITES, LISTENS = "Purchase", "Changes"


def _buy(server: Server, till: str, **headers: str) -> Any:
    """A purchase that somebody else records meanwhile."""
    sent = {"query": PURCHASE.replace("2026-0001", till)}
    answer = httpx.post(server.url, json=sent, headers=headers, trust_env=False).json()
    return answer["data"]["purchaseRecord"]["outcome"]


def test_it_opens_on_the_docs_the_examples_and_the_place_for_the_key(server: Server, window: Opens) -> None:
    seen = window().open(server)
    for paragraph in ABOUT.strip().split("\n\n"):
        expect(seen.plugin).to_contain_text(re.sub(r"[*`]", "", paragraph))
    assert set(seen.tabs) == {path.stem.capitalize() for path in EXAMPLES.iterdir()}
    assert seen.tabs[0] == "Customers"
    expect(seen.editor("Headers")).to_contain_text(PLACEHOLDER)
    seen.plugin.get_by_text("Query", exact=True).click()
    seen.plugin.get_by_text("customerGroups", exact=True).click()
    expect(seen.plugin).to_contain_text("Customers counted and summed by any set of dimensions.")


def test_each_example_runs(server: Server, window: Opens) -> None:
    seen = window().open(server)
    for name in seen.tabs:
        seen.tab(name)
        if name == LISTENS:
            continue
        answer = seen.run()
        assert "errors" not in answer, (name, answer)
        assert all(answer["data"].values()), name
        if name == WRITES:
            assert answer["data"]["purchaseRecord"]["outcome"] == "RECORDED"
            assert seen.run()["data"]["purchaseRecord"]["outcome"] == "ALREADY_RECORDED"


def test_a_subscription_tells_until_it_is_stopped(server: Server, window: Opens) -> None:
    seen = window().open(server)
    seen.tab(LISTENS)
    with seen.page.expect_response(lambda answer: "event-stream" in answer.headers["content-type"]):
        seen.press_run()
    assert _buy(server, "another-till") == "RECORDED"
    expect(seen.editor("Result")).to_contain_text('"event": "purchase.recorded"')
    with seen.page.expect_event("requestfailed"):
        seen.button("Stop query").click()
    expect(seen.button("Execute query")).to_be_visible()


def test_the_explorer_writes_what_is_ticked(server: Server, window: Opens) -> None:
    seen = window().open(server)
    seen.tab("Why")
    seen.button(f"Show {EXPLORER}").click()
    seen.plugin.locator('[data-field-name="language"]').click()
    expect(seen.editor("Operation")).to_contain_text("language")
    assert "language" in seen.run()["data"]["customer"]


def test_what_else_can_be_asked_is_told_where_one_types(server: Server, window: Opens) -> None:
    seen = window().open(server)
    expect(seen.plugin).to_contain_text("Who asks.")
    seen.editor("Operation").get_by_text("totalCount").click()
    seen.page.keyboard.press("End")
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Control+Space")
    told = seen.page.locator(".suggest-widget")
    expect(told).to_contain_text("pageInfo")
    expect(told).to_contain_text("edges")


def test_what_is_wrong_is_said_in_a_sentence(server: Server, window: Opens) -> None:
    seen = window().open(server)
    seen.replace("totalCount", "totalCuont")
    (error,) = seen.run()["errors"]
    assert error["message"].startswith("Cannot query field 'totalCuont' on type 'CustomerConnection'.")
    expect(seen.editor("Result")).to_contain_text("Cannot query field 'totalCuont'")
    # Chromium tells of the status, 400.
    seen.wrong.clear()


def test_a_key_opens_a_server_that_asks_for_one(locked: tuple[Server, str], window: Opens) -> None:
    server, key = locked
    seen = window()
    seen.locked = True
    seen.open(server)
    expect(seen.editor("Result")).to_contain_text("Give an API key")
    seen.tab(LISTENS)
    seen.press_run()
    expect(seen.editor("Result")).to_contain_text("Give an API key")

    # Here the docs are read with it, and in the other tabs it is too.
    seen.give(key)
    expect(seen.plugin).to_contain_text("Who asks.")
    seen.tab("Customers")
    expect(seen.editor("Headers")).to_contain_text(f'"Bearer {key}"')
    assert seen.run()["data"]["customers"]["nodes"]

    # As its comment says: the one listens, and another window records.
    seen.tab(LISTENS)
    with seen.page.expect_response(lambda answer: "event-stream" in answer.headers["content-type"]):
        seen.press_run()
    beside = window(beside=seen)
    beside.locked = True
    beside.open(server)
    expect(beside.editor("Headers")).to_contain_text(PLACEHOLDER)
    beside.give(key)
    beside.tab(WRITES)
    assert beside.run()["data"]["purchaseRecord"]["outcome"] == "RECORDED"
    expect(seen.editor("Result")).to_contain_text('"event": "purchase.recorded"')
    _is_kept_nowhere(seen, key)


def _is_kept_nowhere(seen: Window, key: str) -> None:
    # What is kept is written half a second later.
    seen.page.wait_for_timeout(1000)
    state = seen.page.context.storage_state()
    assert "Purchase" in str(state)
    assert key not in str(state)
    seen.page.reload()
    expect(seen.editor("Headers")).to_contain_text(PLACEHOLDER)


@pytest.mark.parametrize(("scheme", "ground", "other"), [("light", LIGHT, "Dark"), ("dark", DARK, "Light")])
def test_it_is_dark_or_light_as_the_system_or_as_one_likes(
    server: Server, window: Opens, tmp_path: Path, scheme: Any, ground: str, other: str
) -> None:
    seen = window(color_scheme=scheme).open(server)
    page = seen.page.locator(".graphiql-container")
    expect(page).to_have_css("background-color", ground)
    seen.tab("Why")
    seen.run()
    seen.page.mouse.move(*[0, 0])
    expect(seen.plugin).to_contain_text("Who asks.")
    folder = Path(os.environ.get("GUANXI_PICTURES", tmp_path))
    seen.page.screenshot(path=folder / f"graphiql-{scheme}.png")

    seen.button("Open settings dialog").click()
    seen.button(other).click()
    expect(page).to_have_css("background-color", DARK if other == "Dark" else LIGHT)
    seen.page.reload()
    expect(page).to_have_css("background-color", DARK if other == "Dark" else LIGHT)
