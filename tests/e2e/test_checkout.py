"""The hosted pages in a real browser, on a real server. Everything runs under their strict policy."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import CHROMIUM, PHONE, Open, overflow
from tests.e2e.server import Server, command

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

PRODUCT = "prd_content_api"


class Shop:
    """What the seller does."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self.url = url
        self.customer = self._made("customers", email=f"{id(self)}@example.com", name="Ada")["reference"]

    def _made(self, path: str, **body: Any) -> Any:
        answer = self._client.post(f"/v1/sdk/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def plan(self, **fields: Any) -> str:
        return str(self._made(f"products/{PRODUCT}/plans", **fields)["reference"])

    def checkout(self, **fields: Any) -> str:
        body = {"customerRef": self.customer, "productRef": PRODUCT} | fields
        return str(self._made("checkout-sessions", **body)["checkoutUrl"])

    def own_page(self) -> str:
        return str(self._made("customers/customer-sessions", customerRef=self.customer)["customerUrl"])

    def purchases(self) -> list[dict[str, Any]]:
        answer = self._client.get(f"/v1/sdk/purchases/customer/{self.customer}")
        found: list[dict[str, Any]] = answer.json()["purchases"]
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("checkout")
    with Server(data) as started:
        merchant = data / "merchant.json"
        merchant.write_text(json.dumps({"displayName": "Northwind AI", "legalName": "Northwind AI AB"}))
        command("provider", "show-as", merchant, "--data", data)
        yield started


@pytest.fixture(scope="module")
def seller(server: Server) -> Iterator[httpx.Client]:
    with server.client(server.key()) as client:
        for plan in (
            {"reference": "pln_free", "name": "Free", "limit": 100},
            {"reference": "pln_pro", "name": "Pro", "price": 1900, "limit": 10_000},
            {
                "reference": "pln_team",
                "name": "Team",
                "type": "hybrid",
                "basePrice": 4900,
                "limit": 1000,
                "overagePolicy": {"allowOverage": True, "maxOverage": 5000},
                "features": ["C# client"],
                "usageTiers": [
                    {"minUsage": 0, "maxUsage": 500, "creditsPerUnit": 50},
                    {"minUsage": 501, "creditsPerUnit": 30},
                ],
            },
            {"reference": "pln_open", "name": "Open", "price": 9900, "billingCycle": "yearly"},
            {"reference": "pln_payg", "name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 100},
        ):
            assert client.post(f"/v1/sdk/products/{PRODUCT}/plans", json=plan).status_code == 201
        yield client


@pytest.fixture
def shop(server: Server, seller: httpx.Client) -> Shop:
    return Shop(seller, server.url)


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name)


def test_a_customer_picks_a_plan_is_declined_once_pays_and_is_sent_back(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(returnUrl=f"{shop.own_page()}&from=checkout"), PHONE)
    expect(page).to_have_title("Northwind AI: checkout")
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a plan for Content API")
    button(page, "Choose Pro").click()
    expect(page.get_by_text("Due today")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    button(page, "Have the card declined").click()
    expect(page.get_by_role("alert")).to_have_text("The card was declined. Nothing was paid.")
    assert shop.purchases() == []
    button(page, "Pay $19.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    expect(page.get_by_text(shop.url.removeprefix("http://"))).to_be_visible()  # where to, before it goes
    page.wait_for_url("**/customer?id=*&from=checkout")
    assert [(each["planRef"], each["status"]) for each in shop.purchases()] == [("pln_pro", "active")]


def test_a_plan_says_how_it_is_billed_before_it_is_paid(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(), PHONE)
    team = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Team", exact=True))
    beyond = "$0.005 each for the first 500, then $0.003 each; at most 5,000 more, billed at the end"
    renewal = "Every 30 days for $49.00, until you cancel."
    for said in ("1,000 requests a month", "C# client", beyond, renewal):
        expect(team.get_by_text(said)).to_be_visible()
    button(page, "Choose Open").click()
    expect(page.get_by_text("Unlimited requests")).to_be_visible()
    expect(page.get_by_text("Every 365 days for $99.00, until you cancel.")).to_be_visible()
    assert "1,000,000,000,000" not in page.inner_text("body")


def test_the_browsers_back_button_goes_to_the_step_before(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(), PHONE)
    title = page.get_by_role("heading", level=1)
    button(page, "Choose Pro").click()
    expect(page.get_by_text("Due today")).to_be_visible()
    page.go_back()
    expect(title).to_have_text("Choose a plan for Content API")
    page.go_forward()
    expect(button(page, "Pay $19.00")).to_be_visible()
    page.go_back()
    button(page, "Start Pay as you go").click()
    button(page, "Continue").click()
    expect(button(page, "Pay $10.00")).to_be_visible()
    page.go_back()
    expect(title).to_have_text("Add credits")
    page.go_forward()
    button(page, "Pay $10.00").click()
    expect(title).to_have_text("You are all set")
    page.go_back()
    expect(title).to_have_text("You are all set")
    (bought,) = shop.purchases()
    assert bought["planRef"] == "pln_payg"


def test_every_step_leads_back_to_the_seller(open_page: Open, shop: Shop) -> None:
    back = f"{shop.own_page()}&from=cancelled"
    page = open_page(shop.checkout(returnUrl="https://example.com/done", cancelUrl=back), PHONE)
    for step in ("Choose Pro", None):
        assert page.get_by_role("link", name="Back to Northwind AI").get_attribute("href") == back
        expect(page.get_by_role("link", name="Not now")).to_be_visible()
        if step is not None:
            button(page, step).click()
            expect(page.get_by_text("Due today")).to_be_visible()
    page.get_by_role("link", name="Not now").click()
    page.wait_for_url("**/customer?id=*&from=cancelled")
    assert shop.purchases() == []


def test_an_unlimited_plan_is_not_printed_as_a_number(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(planRef="pln_open"), PHONE)
    button(page, "Pay $99.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    page.goto(shop.own_page())
    expect(page.get_by_text("no limit")).to_be_visible()
    assert "1,000,000,000,000" not in page.inner_text("body")


def test_a_link_that_was_used_is_told_so(open_page: Open, shop: Shop) -> None:
    link = shop.checkout(planRef="pln_pro")
    page = open_page(link, PHONE)
    button(page, "Pay $19.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This is done already")


@pytest.mark.parametrize("path", ["checkout", "checkout?id=nobodys", "customer", "customer?id=nobodys"])
def test_a_link_that_leads_nowhere_says_so(open_page: Open, shop: Shop, path: str) -> None:
    page = open_page(f"{shop.url}/{path}", PHONE, excused=("404",))
    expect(page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere")


def test_pay_as_you_go_starts_and_is_topped_up(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(planRef="pln_payg"), PHONE)
    button(page, "Start").click()
    expect(page.get_by_role("status")).to_have_text("Pay as you go is active.")
    page.get_by_role("radio", name="Another amount").check()
    page.get_by_label("Amount in US dollars").fill("0.5")
    button(page, "Continue").click()
    expect(page.get_by_role("alert")).to_have_text("Between $1 and $100,000, such as 12.50.")
    page.get_by_label("Amount in US dollars").fill("12.50")
    button(page, "Continue").click()
    button(page, "Pay $12.50").click()
    expect(page.get_by_text("Your balance is 125,000 credits.")).to_be_visible()


def test_a_customer_cancels_the_renewal_and_takes_it_up_again(open_page: Open, shop: Shop) -> None:
    page = open_page(shop.checkout(planRef="pln_pro"), PHONE)
    button(page, "Pay $19.00").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are all set")
    page.goto(shop.own_page())
    expect(page.get_by_text("0 of 10,000 requests used")).to_be_visible()
    button(page, "Cancel renewal").click()
    button(page, "Cancel renewal").click()
    expect(page.get_by_text("Ends on")).to_be_visible()
    button(page, "Keep renewing").click()
    expect(page.get_by_text("Renews on")).to_be_visible()
    (bought,) = shop.purchases()
    assert "cancelledAt" not in bought


def test_the_pages_fit_a_phone(open_page: Open, shop: Shop) -> None:
    for link in (shop.checkout(), shop.checkout(planRef="pln_team"), shop.own_page()):
        page = open_page(link, PHONE)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert overflow(page) <= 0
