"""The dashboard in a real browser, on a real server. Everything runs under its strict policy."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, ViewportSize, expect

from tests.e2e.browsing import CHROMIUM, DESKTOP, PHONE, Open, choose, link, overflow
from tests.e2e.server import COMMAND, Server, command
from tests.e2e.wait import until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

CUSTOMER = "cus_3C4D5E6F"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("dashboard")) as started:
        yield started


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[httpx.Client]:
    with server.client(server.key()) as client:
        yield client


@pytest.fixture(scope="module")
def live(server: Server) -> Iterator[httpx.Client]:
    with server.client(server.key("live")) as client:
        made = client.post("/v1/sdk/customers", json={"email": "a@b.se", "reference": CUSTOMER})
        assert made.status_code == 201
        yield client


def publish(
    client: httpx.Client, type_: str, units: str = "1", properties: str = "{}", at: datetime | None = None
) -> None:
    moment = "" if at is None else f',"timestamp":"{at.isoformat()}"'
    body = f'{{"type":{type_},"customerRef":"{CUSTOMER}","units":{units},"properties":{properties}{moment}}}'
    answer = client.post(
        "/v1/sdk/events", content=body.encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201, answer.text


def rows(page: Page, type_: str) -> Any:
    return page.locator(".events tbody tr", has_text=type_)


# Signing in


def test_the_link_of_the_first_start_signs_in_once(server: Server, open_page: Open) -> None:
    lines = server.first_start().splitlines()
    (first,) = (line.strip() for line in lines if "#sign-in=" in line)
    page = open_page(first)
    expect(page.locator("[data-pulse=live]")).to_be_visible()
    assert "#" not in page.url
    page.reload()
    expect(page.locator("[data-pulse=live]")).to_be_visible()
    again = open_page(first, excused=("401",))
    expect(again.get_by_role("status")).to_have_text(
        "This link was used before, or is older than 15 minutes."
    )
    expect(again.get_by_text("meterhouse login")).to_be_visible()


def test_the_link_works_in_a_page_that_is_open_or_pasted_into_it(server: Server, open_page: Open) -> None:
    page = open_page(server.url, excused=("401",))
    expect(page.get_by_role("heading", name="Sign in with a link")).to_be_visible()
    page.get_by_label("Or paste the link here").fill(
        "https://elsewhere.example/#sign-in=nonsense-nonsense-nonsense"
    )
    page.locator("form").first.get_by_role("button").click()
    expect(page.get_by_role("alert").first).to_contain_text("unknown, used or expired")
    page.get_by_label("Or paste the link here").fill(link(server))
    page.locator("form").first.get_by_role("button").click()
    expect(page.locator("[data-pulse=live]")).to_be_visible()
    other = open_page(server.url, excused=("401",))
    expect(other.get_by_role("heading", name="Sign in with a link")).to_be_visible()
    other.goto(link(server))  # the same page with another fragment: nothing is loaded again
    expect(other.locator("[data-pulse=live]")).to_be_visible()


def test_a_password_signs_in_and_out_again(server: Server, open_page: Open) -> None:
    create = [*COMMAND, "operator", "create", "ada@example.com", "--data", str(server.data)]
    made = subprocess.run(create, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
    assert made.stdout.startswith("opr_")
    page = open_page(server.url, excused=("401",))
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill("wrong password")
    page.locator("form").last.get_by_role("button").click()
    expect(page.get_by_role("alert").last).to_have_text("The email or the password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("form").last.get_by_role("button").click()
    expect(page.locator(".who")).to_have_text("ada@example.com")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.reload()
    expect(page.get_by_role("heading", name="Sign in with a password")).to_be_visible()


# What it shows


def test_an_event_shows_by_itself(dashboard: Open, sandbox: httpx.Client) -> None:
    page = dashboard()
    for number in range(7):
        publish(sandbox, f'"usage.soon{number}"')
        expect(rows(page, f"usage.soon{number}")).to_have_count(1)
    expect(page.locator("[data-card=events] .figure")).to_have_text(counted(sandbox))
    expect(page.locator("[data-card=rate] .figure")).not_to_have_text("0")


def counted(client: httpx.Client) -> str:
    """How many events the server counts, as the page writes it."""
    return f"{count(client):,}"


def count(client: httpx.Client) -> int:
    events: int = client.get("/v1/usage", params={"aggregate": "count"}).json()["total"]
    return events


def test_each_environment_shows_its_own(dashboard: Open, sandbox: httpx.Client, live: httpx.Client) -> None:
    publish(sandbox, '"usage.only_sandbox"')
    publish(live, '"usage.only_live"')
    page = dashboard()
    expect(rows(page, "usage.only_sandbox")).to_have_count(1)
    expect(page.get_by_text("usage.only_live")).to_have_count(0)
    choose(page, "live")
    expect(rows(page, "usage.only_live")).to_have_count(1)
    expect(page.get_by_text("usage.only_sandbox")).to_have_count(0)
    expect(page.locator("[data-card=events] .figure")).to_have_text(counted(live))
    page.reload()  # the address keeps the choice
    expect(rows(page, "usage.only_live")).to_have_count(1)


def test_amounts_are_exact_and_units_of_one_type_only(dashboard: Open, sandbox: httpx.Client) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for units in ("999999999999999.999999999", "999999999999999.999999999", "0.1", "0.2"):
        publish(sandbox, '"usage.exact"', units, at=an_hour_ago)
    page = dashboard()
    page.get_by_label("Type whose units are shown").select_option("usage.exact")
    total = "2,000,000,000,000,000.299999998"
    expect(page.locator("[data-card=units] .figure")).to_have_text(total)
    choose(page, "units")
    expect(page.locator(".legend")).to_contain_text(total)
    expect(page.locator("#customers .number").first).to_have_text(total)
    expect(page.locator("#customers .about")).to_contain_text("usage.exact")
    chart = page.get_by_role("img", name="Units over time")
    chart.focus()
    chart.press("End")

    def reached() -> bool:
        chart.press("ArrowLeft")
        return total in page.locator(".tip").inner_text()

    until(reached, "the hour of the events is pointed at")
    page.get_by_text("As a table").click()
    table = page.get_by_role("region", name="Table of usage over time")
    expect(table.get_by_role("cell", name=total, exact=True).first).to_be_visible()


def test_an_event_opens_with_all_its_digits(dashboard: Open, sandbox: httpx.Client) -> None:
    publish(sandbox, '"usage.open"', "7", '{"big":12345678901234567890,"deep":{"list":[1,true,"a,b"]}}')
    page = dashboard()
    rows(page, "usage.open").get_by_role("button").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("pre")).to_contain_text('"big": 12345678901234567890')
    expect(dialog.locator("pre")).to_contain_text('"a,b"')
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_ingest_tally_adds_up_and_names_what_was_wrong(dashboard: Open, sandbox: httpx.Client) -> None:
    sandbox.post("/v1/sdk/events", json={"type": "usage.a", "customerRef": CUSTOMER, "units": -1})
    page = dashboard()
    ingest = page.locator("#ingest")
    expect(ingest.locator(".rejections li").first).to_contain_text("units must not be negative")
    total = sandbox.get("/v1/ingest").json()["total"]
    expect(ingest.locator(".received .figure")).to_have_text(f"{total['received']:,}")
    expect(ingest.locator("[data-part=rejected] dd")).to_have_text(f"+ {total['rejected']:,}")


# What an event may call itself, and what the page then says.
HOSTILE = {
    "usage.<script>window.hit=1</script>": "usage.<script>window.hit=1</script>",
    "usage.<img/src=x/onerror=window.hit=1>": "usage.<img/src=x/onerror=window.hit=1>",
    "usage.\u202egnp.exe": "usage.\u2039U+202E\u203agnp.exe",  # else it reads usage.exe.png
    "usage.قياس_الاستخدام": "usage.قياس_الاستخدام",
    "usage." + "W" * 120: "usage." + "W" * 120,
    "usage.\"'`{{constructor}}${1}&lt;": "usage.\"'`{{constructor}}${1}&lt;",
}


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_whatever_an_event_says_is_text(
    dashboard: Open, sandbox: httpx.Client, viewport: ViewportSize
) -> None:
    for type_ in HOSTILE:
        publish(sandbox, json.dumps(type_), "1", '{"<b>x</b>":"</pre><script>window.hit=1</script>"}')
    first = next(iter(HOSTILE))
    page = dashboard(viewport)
    for said in HOSTILE.values():
        row = rows(page, said).first
        expect(row.locator("button")).to_have_text(said)
        row.locator("button").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading", level=2)).to_have_text(said)
        expect(dialog.locator("pre")).to_contain_text("</pre><script>window.hit=1</script>")
        assert overflow(page) <= 0
        page.keyboard.press("Escape")
    page.get_by_label("Type whose units are shown").select_option(first)
    choose(page, "units")
    expect(page.locator(".legend")).to_contain_text(first)
    assert page.evaluate("window.hit") is None
    assert page.locator("main script, main img, dialog script, dialog b").count() == 0
    assert overflow(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_works_on_a_phone(dashboard: Open, sandbox: httpx.Client, scheme: Any) -> None:
    publish(sandbox, '"usage.phone"')
    page = dashboard(PHONE)
    page.emulate_media(color_scheme=scheme)
    for range_ in ("1h", "7d", "30d", "24h"):
        choose(page, range_)
        expect(page.locator(".chart canvas")).to_be_visible()
        expect(rows(page, "usage.phone").first).to_be_visible()
        assert overflow(page) <= 0
    page.get_by_role("button", name="Pause", exact=True).click()
    before = count(sandbox)
    publish(sandbox, f'"usage.while_paused_{scheme}"')
    until(lambda: count(sandbox) == before + 1, "the event is counted")
    expect(page.locator("[data-card=events] .figure")).to_have_text(counted(sandbox))
    expect(rows(page, f"usage.while_paused_{scheme}")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(rows(page, f"usage.while_paused_{scheme}")).to_have_count(1)


def test_an_environment_without_events_says_how_to_publish_one(
    server: Server, dashboard: Open, sandbox: httpx.Client
) -> None:
    publish(sandbox, '"usage.not_yours"')
    command("provider", "create", "empty", "--data", server.data)
    page = dashboard()
    expect(rows(page, "usage.not_yours")).to_have_count(1)
    page.goto(command("login", "--data", server.data, "--provider", "empty").strip())
    expect(page.get_by_role("heading", name="No events in sandbox yet")).to_be_visible()
    expect(page.locator("pre").first).to_have_text(
        "KEY=$(meterhouse key create --environment sandbox --provider 'empty')"
    )
    expect(page.locator("pre").last).to_contain_text(f"curl {server.url}/v1/sdk/events")
    expect(page.locator(".provider")).to_have_text("empty")
    expect(page.get_by_text("usage.not_yours")).to_have_count(0)


# How it asks


def test_rounds_do_not_overlap_and_stop_while_nobody_looks(dashboard: Open, sandbox: httpx.Client) -> None:
    publish(sandbox, '"usage.rounds"')
    page = dashboard()
    url = page.url
    page.goto("about:blank")  # under a page at work, the clock to install would stand at 1970 for a moment
    page.clock.install()
    begun: list[str] = []
    at_once = [0]
    most = [0]

    def start(request: Request) -> None:
        if "/v1/ingest" in request.url:
            begun.append(request.url)
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])

    def end(request: Request) -> None:
        if "/v1/ingest" in request.url:
            at_once[0] -= 1

    page.on("request", start)
    page.on("requestfinished", end)
    page.goto(url)
    for _ in range(4):
        with page.expect_request_finished(lambda request: "/v1/ingest" in request.url):
            pass
    assert most[0] == 1
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    before = len(begun)
    page.clock.run_for(60_000)
    assert len(begun) == before
    page.evaluate("delete document.hidden")
    with page.expect_request(lambda request: "/v1/ingest" in request.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_it_says_when_the_server_does_not_answer_and_goes_on_when_it_does(
    dashboard: Open, sandbox: httpx.Client
) -> None:
    page = dashboard(excused=("ERR_FAILED", "503"))
    page.route("**/v1/**", lambda route: route.abort())
    expect(page.locator(".trouble")).to_contain_text("The server does not answer. What you see is older.")
    page.unroute("**/v1/**")
    busy = {"status": 503, "headers": {"retry-after": "30"}, "json": {"message": "Too much is waiting."}}
    page.route("**/v1/**", lambda route: route.fulfill(**busy))
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".trouble")).to_contain_text("Too much is waiting.")
    page.unroute("**/v1/**")
    publish(sandbox, '"usage.after"')
    page.get_by_role("button", name="Try now").click()
    expect(rows(page, "usage.after")).to_have_count(1)
    expect(page.locator(".trouble")).to_be_empty()


def test_a_session_that_ended_leads_back_to_the_sign_in(dashboard: Open) -> None:
    page = dashboard(excused=("401",))
    page.context.clear_cookies()
    expect(page.get_by_role("status")).to_have_text("Your session has ended.")


def test_numbers_keep_every_digit(dashboard: Open) -> None:
    page = dashboard()
    answers = page.evaluate(
        """async () => {
          const n = await import("/dashboard/numbers.js");
          return [n.exact("123456789012345678901.000000001"), n.exact("1000"), n.exact("999"), n.exact("0"),
                  n.sum(["0.1", "0.2"]), n.sum(["999999999999999.999999999", "0.000000001"]), n.sum([]),
                  n.change("3", "2").text, n.change("1", "3").text, n.change("5", "5").text,
                  n.change("1000000000000000.000000001", "1").text, n.share("1", "4"), n.compact(1234567)];
        }"""
    )
    assert answers == [
        "123,456,789,012,345,678,901.000000001", "1,000", "999", "0",
        "0.3", "1000000000000000", "0",
        "+50.0 %", "\u221266.7 %", "the same",
        "+99,999,999,999,999,900 %", 0.25, "1.2M",
    ]  # fmt: skip
