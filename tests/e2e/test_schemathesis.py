"""Requests made up from /openapi.json, good and hostile: no 5xx, and every answer as documented."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.e2e.server import Server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


def fuzz(tmp_path: Path, examples: int, *, derandomize: bool) -> None:
    with Server(tmp_path / "data") as server:
        headers = {"Authorization": f"Bearer {server.key()}"}
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        assert len(operations) > 20
        for operation in operations:
            if operation.label == "DELETE /v1/keys/{reference}":
                continue  # it might revoke the key that asks
            try_out(operation, headers, examples, derandomize=derandomize)


def try_out(
    operation: schemathesis.APIOperation[Any, Any, Any, Any],
    headers: dict[str, str],
    examples: int,
    *,
    derandomize: bool,
) -> None:
    quiet = settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )

    @quiet
    @given(operation.as_strategy())
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    check()


def test_made_up_requests_get_no_5xx(tmp_path: Path) -> None:
    fuzz(tmp_path, examples=20, derandomize=True)  # the same ones each time


@pytest.mark.soak
def test_very_many_made_up_requests_get_no_5xx(tmp_path: Path) -> None:
    fuzz(tmp_path, examples=1_000, derandomize=False)
