"""A real browser on a real server's dashboard, and what a page must not do."""

import shutil
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, ViewportSize, expect

from tests.e2e.server import Server, command
from tests.e2e.wait import LONGEST_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
Open = Callable[..., Page]
expect.set_options(timeout=LONGEST_SECONDS * 1000)


class Watched:
    """Everything a page must not do: complain, break its policy, speak to another host."""

    def __init__(self, page: Page, server: Server) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self._own = urlsplit(server.url).netloc
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective))"
        )

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(f"{said.text} ({said.location['url']})")

    def check(self, *excused: str) -> None:
        assert self.hosts <= {self._own}
        assert [each for each in self.complaints if not any(word in each for word in excused)] == []


def link(server: Server) -> str:
    printed = command("login", "--data", server.data)
    assert len(printed.splitlines()) == 1
    return printed.strip()


def choose(page: Page, value: str) -> None:
    page.locator(f"label:has(input[value='{value}'])").click()


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wider
