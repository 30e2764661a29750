"""A key, a session and a ref end within a second everywhere: nobody remembers one for as long."""

from meterhouse.http import auth
from meterhouse.stores.embedded.catalog import directory


def test_what_is_remembered_is_remembered_for_half_a_second_at_most() -> None:
    assert auth._REMEMBERED_SECONDS <= 0.5
    assert directory._LOOK_SECONDS <= 0.5
