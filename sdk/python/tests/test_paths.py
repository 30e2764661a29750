"""A reference never changes the route that a request goes to."""

from collections.abc import Callable

import httpx
import pytest

from meterhouse_sdk import Meterhouse
from sdk.python.tests.stand_in import blocking

BAD = ("..", ".", "", "a/b", "../../keys", "a\\b", "a\nb", "/")
CALLS: dict[str, Callable[[Meterhouse, str], object]] = {
    "get_customer": lambda client, ref: client.get_customer(ref),
    "update_customer": lambda client, ref: client.update_customer(ref, name="x"),
    "delete_customer": lambda client, ref: client.delete_customer(ref),
    "get_product": lambda client, ref: client.get_product(ref),
    "update_product": lambda client, ref: client.update_product(ref, name="x"),
    "delete_product": lambda client, ref: client.delete_product(ref),
    "clone_product": lambda client, ref: client.clone_product(ref),
    "get_meter": lambda client, ref: client.get_meter(ref),
    "archive_meter": lambda client, ref: client.archive_meter(ref),
    "get_hold": lambda client, ref: client.get_hold(ref),
    "release": lambda client, ref: client.release(ref),
    "get_balance": lambda client, ref: client.get_balance(ref),
    "list_plans": lambda client, ref: client.list_plans(ref),
    "cancel_purchase": lambda client, ref: client.cancel_purchase(ref),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_reference_that_changes_the_path_is_refused_before_a_request(name: str) -> None:
    requests: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500)

    client, _ = blocking(serve)
    for bad in BAD:
        with pytest.raises(ValueError, match="cannot be a reference"):
            CALLS[name](client, bad)
    assert requests == []
