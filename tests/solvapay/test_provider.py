"""What the real client learns of the seller (contract §3.8).

Its models know none of the contract's fields, so the body is looked at as well.
"""

from solvapay.models import Merchant, PlatformConfig

from tests.solvapay.either import Either
from tests.solvapay.shop import Shop


async def test_the_client_reads_the_merchant(call: Either, shop: Shop) -> None:
    assert isinstance(await call("merchant.get"), Merchant)
    merchant = shop.read("/v1/sdk/merchant")
    assert merchant["displayName"]
    assert merchant["legalName"]


async def test_the_client_reads_the_platforms_values(call: Either, shop: Shop) -> None:
    assert await call("platform.get_config") == PlatformConfig()
    assert shop.read("/v1/sdk/platform-config")["environment"] == "sandbox"
