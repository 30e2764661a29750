"""What is said of a body or a query that cannot be read: which field, and what it must be."""

from typing import Final

from tests.conftest import Client
from tests.flow.answers import faults, ok
from tests.flow.shop import CUSTOMER, PLANS, limits, with_credits

JSON: Final = {"content-type": "application/json", "idempotency-key": "k"}
GRANTS: Final = f"/v1/sdk/customers/{CUSTOMER}/credits"
NO_BODY: Final = "a JSON body is required"
BODIES: Final = [
    ("", NO_BODY),
    (" \n", NO_BODY),
    ("[]", "must be a JSON object, not an array"),
    ("null", "must be a JSON object, not null"),
    ("7", "must be a JSON object, not a number"),
    ("true", "must be a JSON object, not a boolean"),
    ('"x"', "must be a JSON object, not a string"),
]
ROUTES: Final = (
    "/v1/sdk/usages", "/v1/sdk/usages/bulk", "/v1/sdk/meter-events", "/v1/sdk/meter-events/bulk",
    "/v1/sdk/limits", "/v1/sdk/events", "/v1/sdk/events/bulk", PLANS, GRANTS, "/v1/meters",
    "/v1/sdk/payment-intents",
)  # fmt: skip

FIELDS: Final = [
    ("/v1/sdk/usages", '{"customerRef":5}', "customerRef", "must be a string, not a number"),
    ("/v1/sdk/usages", '{"customerRef":["c"]}', "customerRef", "must be a string, not an array"),
    ("/v1/sdk/usages", '{"customerRef":"c","actionType":"call"}', "actionType",
     "must be one of transaction, api_call, hour, email, storage, custom"),
    ("/v1/sdk/usages", '{"customerRef":"c","outcome":"won"}', "outcome",
     "must be one of success, paywall, fail"),
    ("/v1/sdk/usages/bulk", '{"events":[{"customerRef":"c"},{"customerRef":"c","outcome":5}]}',
     "events.1.outcome", "must be a string, not a number"),
    ("/v1/sdk/usages/bulk", '{"events":[{"customerRef":"c"},5]}', "events.1",
     "must be an object, not a number"),
    ("/v1/sdk/usages/bulk", '{"events":{}}', "events", "must be an array, not an object"),
    ("/v1/sdk/usages/bulk", "{}", "events", "must have at least one event"),
    ("/v1/sdk/events/bulk", "{}", "events", "is required"),
    ("/v1/sdk/limits", '{"customerRef":"c","productRef":"p","reserve":5}', "reserve",
     "must be an object, not a number"),
    ("/v1/sdk/limits", '{"customerRef":"c","productRef":"p","reserve":{"units":1,"ttlSeconds":0}}',
     "reserve.ttlSeconds", "must be a whole number of seconds from 1 to 86400"),
    (PLANS, '{"name":"Pro","usageTiers":[{"minUsage":0,"creditsPerUnit":1},{"name":5}]}',
     "usageTiers.1.name", "must be a string, not a number"),
    (PLANS, '{"name":"Pro","usageTiers":[{"minUsage":0,"creditsPerUnit":1,"maxUsage":"5"}]}',
     "usageTiers.0.maxUsage", "must be a whole number, 1 to 1000000000000000"),
    (PLANS, '{"name":"Pro","pricingOptions":[{"currency":"USD","price":1},[]]}', "pricingOptions.1",
     "must be an object, not an array"),
    (PLANS, '{"name":"Pro","autoRenew":1}', "autoRenew", "must be true or false, not a number"),
    (PLANS, '{"name":"Pro","metadata":"x"}', "metadata", "must be an object, not a string"),
    (PLANS, '{"name":"Pro","status":"gone"}', "status", "must be one of active, inactive, archived"),
    (PLANS, '{"name":"Pro","price":-1}', "price", "must be a whole number, 0 to 10000000"),
    (GRANTS, '{"credits":0}', "credits", "must be a whole number, above 0, of at most 1000000000000000"),
    ("/v1/sdk/payment-intents", '{"customerRef":"c","purpose":"gift"}', "purpose",
     "must be one of product, credit_topup, usage_billing"),
    ("/v1/sdk/payment-intents", '{"customerRef":"c","purpose":5}', "purpose",
     "must be one of product, credit_topup, usage_billing"),
]  # fmt: skip

QUERIES: Final = [
    (f"/v1/customers/{CUSTOMER}/credits?type=GIFT", "type",
     "must be one of USAGE, TOPUP, GRANT, REFUND, ADJUSTMENT, EXPIRY"),
    (f"/v1/customers/{CUSTOMER}/credits?limit=0", "limit", "must be a whole number from 1 to 1000"),
    (f"/v1/customers/{CUSTOMER}/credits?limit=ten", "limit", "must be a whole number from 1 to 1000"),
    ("/v1/meters?status=gone", "status", "must be one of active, archived"),
    ("/v1/meters?kind=all", "kind", "must be one of usage, meter"),
    ("/v1/sdk/products?status=gone", "status", "must be one of active, inactive, suspended"),
    ("/v1/sdk/products?isMcpPay=maybe", "isMcpPay", "must be true or false"),
    ("/v1/sdk/purchases?includeFree=maybe", "includeFree", "must be true or false"),
    (f"/v1/sdk/purchases?productRef={'x' * 200}", "productRef", "must have at most 20 characters"),
]  # fmt: skip


async def test_what_is_no_object_is_told_so(client: Client) -> None:
    for url in ROUTES:
        for body, sentence in BODIES:
            assert faults(await client.post(url, content=body, headers=JSON)) == {"": sentence}, (url, body)


async def test_a_settle_needs_a_body_and_a_release_does_not(client: Client) -> None:
    await with_credits(client, 1_000)
    hold = f"/v1/sdk/holds/{(await limits(client, reserve={'units': 1}))['holdRef']}"
    for body, sentence in BODIES:
        assert faults(await client.post(f"{hold}/settle", content=body, headers=JSON)) == {"": sentence}
    assert list(faults(await client.post(f"{hold}/release", content="[]", headers=JSON))) == [""]
    ok(await client.post(f"{hold}/release", headers=JSON))


async def test_a_field_that_cannot_be_read_is_named_and_told_what_it_must_be(client: Client) -> None:
    for url, body, path, sentence in FIELDS:
        assert faults(await client.post(url, content=body, headers=JSON)) == {path: sentence}, body


async def test_a_parameter_is_named_as_the_caller_wrote_it_and_told_what_it_must_be(client: Client) -> None:
    for url, path, sentence in QUERIES:
        assert faults(await client.get(url)) == {path: sentence}, url
