"""Customers, meters and plans on the dashboard, in a real browser on a real server."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browsing import CHROMIUM, DESKTOP, PHONE, Open, choose, overflow
from tests.e2e.server import Server, command

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

ADA, LIN, PRODUCT = "cus_ada", "cus_lin", "prd_writer"
HOSTILE = "usage.<img/src=x/onerror=window.hit=1>"
PAGES = ("customers", f"customers/{ADA}", f"customers/{LIN}", "meters", "meters/mtr_requests", "plans")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("dashboard")) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def shop(server: Server) -> Iterator[httpx.Client]:
    """Ada has a limit with a hold on it, and more than one plan to choose from; Lin pays with credits."""
    with server.client(server.key()) as client:
        post(client, "/v1/sdk/products", reference=PRODUCT, name="Writer API")
        plan(client, "pln_free", "Free", limit=100, default=True)
        plan(client, "pln_payg", "As you go", type="usage-based", creditsPerUnit=3)
        plan(client, "pln_secret", "Enterprise", hidden=True, price=250_000, billingCycle="yearly")
        post(client, "/v1/sdk/customers", reference=ADA, name="Ada", email="ada@example.com")
        post(client, "/v1/sdk/customers", reference=LIN, name="Lin", email="lin@example.com")
        post(client, f"/v1/sdk/customers/{LIN}/credits", credits=10**15, reason="Welcome")
        for customer, bought in ((ADA, "pln_free"), (LIN, "pln_payg")):
            post(client, "/v1/sdk/activate", customerRef=customer, productRef=PRODUCT, planRef=bought)
        track(client, ADA, 40)
        track(client, LIN, 5)
        reserve = {"units": 25, "ttlSeconds": 3_600}
        post(client, "/v1/sdk/limits", customerRef=ADA, productRef=PRODUCT, reserve=reserve)
        post(client, "/v1/sdk/events", type="usage.seen", customerRef=ADA, units=1)
        post(client, "/v1/meters", reference="mtr_old", name="old_images", kind="usage", eventTypes=[HOSTILE])
        post(client, "/v1/meters/mtr_old/archive")
        yield client


def post(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def plan(client: httpx.Client, reference: str, name: str, **terms: Any) -> None:
    post(client, f"/v1/sdk/products/{PRODUCT}/plans", reference=reference, name=name, **terms)


def track(client: httpx.Client, customer: str, units: int) -> None:
    post(
        client, "/v1/sdk/usages", customerRef=customer, productRef=PRODUCT, units=units, actionType="api_call"
    )


def at(place: str, environment: str = "sandbox") -> str:
    return f"/?environment={environment}#/{place}"


def row(page: Page, reference: str) -> Locator:
    return page.locator("tbody tr", has=page.locator(f"a[href$='{reference}']"))


def test_customers_are_listed_with_plan_usage_against_limit_and_credits(dashboard: Open) -> None:
    page = dashboard()
    page.get_by_role("link", name="Customers", exact=True).click()
    ada, lin = row(page, ADA), row(page, LIN)
    expect(ada).to_contain_text("Free Active")
    expect(ada.locator(".usage-bar")).to_contain_text("40 of 100 used25 held")
    width = "parseFloat(getComputedStyle(element).width) / element.parentElement.clientWidth"
    shares = [ada.locator(f".usage-{part}").evaluate(f"element => {width}") for part in ("used", "held")]
    assert shares == pytest.approx([0.4, 0.25], abs=0.01)
    expect(lin.locator(".usage-bar")).to_have_text("5 used, no limit")
    expect(lin.locator(".credits-cell")).to_contain_text("999,999,999,999,985")


def test_what_is_used_shows_by_itself(dashboard: Open, shop: httpx.Client) -> None:
    page = dashboard(place=at(f"customers/{ADA}"))
    used = page.locator(".purchase strong").first
    expect(used).to_have_text("40")
    track(shop, ADA, 2)
    expect(used).to_have_text("42")


def test_the_search_is_in_the_address(dashboard: Open) -> None:
    page = dashboard(place=at("customers"))
    page.get_by_label("Search customers").fill("ada@")
    expect(row(page, LIN)).to_have_count(0)
    expect(row(page, ADA)).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Search customers")).to_have_value("ada@")
    expect(row(page, ADA)).to_have_count(1)
    page.get_by_label("Search customers").fill("nobody is so called")
    expect(page.get_by_text("No customer has")).to_be_visible()


def test_more_customers_than_a_page_holds_are_turned_to(dashboard: Open, shop: httpx.Client) -> None:
    for number in range(51):
        post(shop, "/v1/sdk/customers", reference=f"cus_many{number}", email=f"many{number}@example.org")
    page = dashboard(place=at("customers?search=example.org"))
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="To the start").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_customer_shows_purchases_credits_and_events_of_both_kinds(dashboard: Open) -> None:
    page = dashboard(place=at(f"customers/{LIN}"))
    expect(page.get_by_role("heading", level=2).first).to_have_text("Lin")
    expect(page.locator(".balance .figure")).to_have_text("999,999,999,999,985")
    expect(page.locator("#purchases")).to_contain_text("3 credits a unit")
    moves = page.locator("#credits tbody tr")
    expect(moves.first).to_contain_text("\u221215")
    expect(moves.last).to_contain_text("+1,000,000,000,000,000")
    expect(moves.last).to_contain_text("Welcome")
    page.goto(page.url.replace(LIN, ADA))
    for kind in ("usage", "meter"):
        expect(page.locator(f"#customer-events .kind[data-kind={kind}]").first).to_be_visible()
    page.get_by_role("button", name="usage.seen").click()
    expect(page.get_by_role("dialog")).to_contain_text("evt_")


def test_meters_are_listed_and_one_is_shown_for_a_customer(dashboard: Open) -> None:
    page = dashboard(place=at("meters"))
    expect(row(page, "mtr_requests")).to_contain_text("Default")
    expect(page.locator("tbody tr").last).to_contain_text("Archived")
    expect(page.locator("tbody tr").last).to_contain_text(f"of type {HOSTILE}")
    assert page.evaluate("window.hit") is None
    row(page, "mtr_requests").get_by_role("link").click()
    total = page.locator("#meter .figure")
    expect(total).to_have_text("47")
    expect(page.locator(".chart canvas")).to_be_visible()
    page.get_by_label("Only this customer").fill(LIN)
    page.get_by_role("button", name="Show").click()
    expect(total).to_have_text("5")
    page.reload()  # the address keeps the customer, and the range
    expect(total).to_have_text("5")
    choose(page, "7d")
    expect(page.locator("#meter")).to_contain_text("last 7 days")
    page.get_by_role("button", name="Everyone").click()
    expect(total).to_have_text("47")


def test_plans_are_shown_by_product_with_their_terms(dashboard: Open) -> None:
    page = dashboard(place=at("plans"))
    product = page.locator(f"#{PRODUCT}")
    free, hidden = (product.locator(".plan", has_text=name) for name in ("pln_free", "pln_secret"))
    expect(free).to_contain_text("Default")
    expect(free.locator(".terms li").first).to_have_text("100 requests a month")
    expect(hidden).to_contain_text("Hidden")
    expect(hidden.locator(".price")).to_have_text("$2,500.00 a year")


def test_what_is_not_there_says_so_and_leads_on(dashboard: Open) -> None:
    page = dashboard(excused=("404", "400"))
    for place in ("meters/mtr_none", "customers?cursor=forged", "customers/cus_nobody"):
        page.goto(server_url(page) + at(place))
        expect(page.locator("#refused a")).to_have_text(f"All {place.split('/')[0].split('?')[0]}")
    page.get_by_role("link", name="All customers").click()
    expect(page.locator("#all-customers tbody tr").first).to_be_visible()


def test_another_environment_shows_its_own_and_an_empty_one_says_so(dashboard: Open, server: Server) -> None:
    page = dashboard(place=at(f"customers/{ADA}"))
    expect(page.locator(".purchase").first).to_be_visible()
    choose(page, "live")
    expect(page.get_by_text("There are no customers in live yet.")).to_be_visible()
    page.get_by_role("link", name="Plans").click()
    expect(page.get_by_text("There are no products in live yet.")).to_be_visible()
    page.goto(command("login", "--data", server.data).strip())
    expect(page.locator("[data-card=events]")).to_be_visible()


def test_the_pages_fit_a_phone(dashboard: Open) -> None:
    page = dashboard(PHONE)
    for place in PAGES:
        page.goto(server_url(page) + at(place))
        expect(page.locator("[data-pulse=live]")).to_be_visible()
        expect(page.locator("main .waiting")).to_have_count(0)
        assert overflow(page) <= 0, place


def server_url(page: Page) -> str:
    url: str = page.evaluate("location.origin")
    return url


def test_a_page_says_when_the_server_does_not_answer(dashboard: Open) -> None:
    page = dashboard(DESKTOP, excused=("ERR_FAILED",), place=at("customers?search=ada@"))
    expect(row(page, ADA)).to_have_count(1)
    page.route("**/v1/**", lambda route: route.abort())
    expect(page.locator(".trouble")).to_contain_text("The server does not answer.")
    expect(row(page, ADA)).to_have_count(1)
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".trouble")).to_be_empty()


def test_plans_and_prices_are_put_into_words_exactly(dashboard: Open) -> None:
    page = dashboard()
    said = page.evaluate(
        """async () => {
          const { priceOf, termsOf, money } = await import("/dashboard/words.js");
          const { exactly } = await import("/dashboard/json.js");
          const hybrid = { type: "hybrid", basePrice: "4900", price: "0", currency: "USD", autoRenew: true,
            billingCycle: "monthly", calendarPeriods: true, limit: "1000", measures: "tokens",
            overagePolicy: { allowOverage: true, maxOverage: "5000" }, requiresPayment: true,
            usageTiers: [{ minUsage: "0", maxUsage: "500", creditsPerUnit: "50" },
                         { minUsage: "501", creditsPerUnit: "1" }] };
          const free = { type: "recurring", price: "0", basePrice: "0", freeUnits: "7", measures: "requests",
            billingCycle: "weekly", autoRenew: false, trialDays: "1", pricingOptions: [] };
          return [priceOf(hybrid), ...termsOf(hybrid), priceOf(free), ...termsOf(free),
                  money("12345678901234567890", "USD"), money("5", "EUR"), money("1500", "JPY"),
                  exactly('{"a":12345678901234567890.000000001,"b":["-7","1,\\\\"2",true,null]}')];
        }"""
    )
    assert said == [
        "$49.00 a month", "1,000 tokens a month",
        "Then up to 5,000 more, by tiers: 50 credits each to 500, 1 credit each beyond",
        "Periods are calendar months, UTC",
        "Free", "7 requests a week", "1 day of trial", "Does not renew", "A week is 7 days from the purchase",
        "$123,456,789,012,345,678.90", "\u20ac0.05", "\u00a51,500",
        {"a": "12345678901234567890.000000001", "b": ["-7", '1,"2', True, None]},
    ]  # fmt: skip
