"""Reading answers: what every error has, and the fields a validation error names."""

from typing import Any

import httpx


def error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the body of an error after checking the shape that all errors share."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body["statusCode"] == status
    assert body["code"] == code
    assert body["error"]
    assert body["message"]
    assert body["requestId"] == response.headers["x-request-id"]
    assert (code == "validation_failed") == (body["message"] == "Validation failed") == ("errors" in body)
    return body


def faults(response: httpx.Response) -> dict[str, str]:
    """Return the sentence for each field of a validation error."""
    body = error(response, 400, "validation_failed")
    return {each["path"]: each["message"] for each in body["errors"]}


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def without_request_id(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert body.pop("requestId")
    return body
