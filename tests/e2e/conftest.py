"""A browser that is signed in to the dashboard of a module's own `server`, under its strict policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect, sync_playwright

from tests.e2e.browsing import ARGUMENTS, CHROMIUM, DESKTOP, Open, Watched, link
from tests.e2e.server import Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Open]:
    """Open pages of browsers of their own, which may have been elsewhere before (`state`).

    excused: words of complaints that a test provokes.
    """
    opened: list[tuple[Page, Watched, tuple[str, ...]]] = []

    def make(
        url: str,
        viewport: ViewportSize = DESKTOP,
        excused: tuple[str, ...] = (),
        state: StorageState | None = None,
    ) -> Page:
        page = browser.new_context(viewport=viewport, storage_state=state).new_page()
        opened.append((page, Watched(page, server), excused))
        page.goto(url)
        return page

    yield make
    for page, watched, excused in opened:
        page.context.close()
        watched.check(*excused)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server) -> StorageState:
    """What a browser keeps once it is signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link(server))
    expect(page.locator("[data-pulse=live]")).to_be_visible()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def dashboard(open_page: Open, server: Server, signed_in: StorageState) -> Open:
    """Open the dashboard, signed in, and wait until it is live. place: what stands after the host."""

    def make(viewport: ViewportSize = DESKTOP, excused: tuple[str, ...] = (), place: str = "") -> Page:
        page = open_page(server.url + place, viewport, excused, signed_in)
        expect(page.locator("[data-pulse=live]")).to_be_visible()
        return page

    return make
