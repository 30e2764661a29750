"""No operation of the client is left without a test."""

import re
from pathlib import Path

from solvapay.operations._registry import REGISTRY

_CALLED = re.compile(r"""call\(\s*"([a-z_.]+)\"""")


def test_every_operation_of_the_client_is_called_by_a_test() -> None:
    tests = Path(__file__).parent.glob("test_*.py")
    assert {name for test in tests for name in _CALLED.findall(test.read_text("utf-8"))} == REGISTRY.keys()
