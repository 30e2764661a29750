"""`meterhouse provider`: the tenants, and how they show themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from meterhouse.cli import command_line

Run = Callable[..., Result]
ACME = {"displayName": "Acme", "legalName": "Acme Inc.", "country": "SE", "supportedTopupCurrencies": ["USD"]}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on the test's own data directory."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        data = str(tmp_path / "data")
        return CliRunner().invoke(command_line(), ["provider", *arguments, "--data", data], input=stdin)

    assert invoke("create", "another", "--init").exit_code == 0
    return invoke


def test_a_provider_is_made_and_listed(run: Run) -> None:
    made = run("create", "rival").stdout.strip()
    assert f"{made}  rival\n" in run("list").stdout
    again = run("create", "rival")
    assert again.exit_code == 1
    assert "already exists" in again.stderr


def test_a_merchant_is_read_from_a_file_or_stdin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "acme.json").write_text(json.dumps(ACME))
    from_file = run("show-as", str(tmp_path / "acme.json"))
    assert (from_file.exit_code, json.loads(from_file.stdout)) == (0, ACME)
    assert json.loads(run("show-as", "-", stdin=json.dumps(ACME)).stdout) == ACME


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"legalName": None}, "legalName"),
        ({"displayName": " "}, "displayName must show something"),
        ({"termsUrl": "example.com"}, "termsUrl must be an http or https address"),
        ({"country": "Sweden"}, "country must be an ISO 3166 code"),
        ({"supportEmail": "nobody"}, "supportEmail must be an email address"),
        ({"supportedTopupCurrencies": ["dollars"]}, "supportedTopupCurrencies must be"),
        ({"displayname": "misspelled"}, "displayname"),
        ({"displayName": 7}, "displayName must be a string"),
    ],
)
def test_a_bad_merchant_is_not_set_and_the_fault_is_named(run: Run, said: object, sentence: str) -> None:
    assert isinstance(said, dict)
    refused = run("show-as", "-", stdin=json.dumps(ACME | said))
    assert refused.exit_code == 1
    assert sentence in refused.stderr


def test_a_file_that_is_not_there_and_an_unknown_provider_are_named(run: Run) -> None:
    assert "nowhere.json cannot be read" in run("show-as", "nowhere.json").stderr
    assert "not found" in run("show-as", "-", "--provider", "nobody", stdin=json.dumps(ACME)).stderr
