"""Errors read alike in a Python that strips docstrings and assertions."""

import subprocess
import sys

RENDER = """
import meterhouse_sdk as sdk

def walk(kind):
    yield kind
    for each in kind.__subclasses__():
        yield from walk(each)

for kind in walk(sdk.MeterhouseError):
    if kind is not sdk.PaymentRequired:
        print(kind.__name__, kind("It failed"), kind("It failed", status=400, code="x", request_id="req_1")
              if kind is not sdk.NotDelivered else "")
for wrong in ({"type": "x", "units": 1}, {"type": "a.b", "units": -1}, {"type": "a.b", "units": 0.1}):
    try:
        sdk.NewEvent(customer_ref="cus_1", **wrong)
    except (TypeError, ValueError) as error:
        print(error)
"""


def test_errors_read_alike_in_a_python_without_docstrings() -> None:
    plain, stripped = (
        subprocess.run(  # noqa: S603 - this Python, these lines
            [sys.executable, *flags, "-c", RENDER], check=True, capture_output=True, text=True, timeout=60
        ).stdout
        for flags in ((), ("-OO",))
    )
    assert plain == stripped
    assert "PaymentRequired" not in plain
    assert "None" not in plain
    assert len(plain.splitlines()) > 35
