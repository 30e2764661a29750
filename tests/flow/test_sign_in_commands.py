"""`meterhouse login` and `meterhouse operator`, beside whatever else has the data open."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from meterhouse.cli import command_line
from meterhouse.cli.address import note_url, url_of
from meterhouse.model import password as passwords

Run = Callable[..., Result]
PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on the test's own data directory."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(command_line(), [*arguments, "--data", str(tmp_path)], input=stdin)

    assert invoke("provider", "create", "another", "--init").exit_code == 0
    return invoke


def test_behind_a_proxy_the_link_is_the_proxys(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERHOUSE_PUBLIC_URL", "https://meter.example.com/ops")
    assert run("login").stdout.startswith("https://meter.example.com/ops/#sign-in=")
    monkeypatch.setenv("METERHOUSE_PUBLIC_URL", "meter.example.com")
    refused = run("login")
    assert refused.exit_code == 1
    assert "METERHOUSE_PUBLIC_URL must be" in refused.stderr


def test_login_prints_a_link_alone(run: Run, tmp_path: Path) -> None:
    first, second = run("login"), run("login")
    assert first.stdout.startswith("http://127.0.0.1:8080/#sign-in=")
    assert len(first.stdout.splitlines()) == 1
    assert first.stdout != second.stdout
    note_url(tmp_path, "http://127.0.0.1:4711")
    assert run("login").stdout.startswith("http://127.0.0.1:4711/#sign-in=")
    unknown = run("login", "--provider", "nobody")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "Provider not found" in unknown.stderr


def test_a_new_directory_is_announced_beside_the_answer_and_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "new"
    for command in (["key", "create"], ["login"], ["provider", "create", "acme"]):
        first = CliRunner().invoke(command_line(), [*command, "--init", "--data", str(data / command[0])])
        again = CliRunner().invoke(
            command_line(),
            [*command[:2], *(f"{each}-2" for each in command[2:]), "--data", str(data / command[0])],
        )
        assert f"a new data directory: {data / command[0]}\n" in first.stderr
        assert len(first.stdout.splitlines()) == len(again.stdout.splitlines())
        assert again.stderr == ""
        assert (data / command[0]).stat().st_mode & 0o777 == 0o700
        assert (data / command[0] / "meterhouse.db").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "meterhouse.db").write_bytes(b"no database" * 1000)
    for data, said in ((tmp_path / "file" / "data", "Not a directory"), (tmp_path, "`meterhouse doctor`")):
        refused = CliRunner().invoke(command_line(), ["key", "create", "--init", "--data", str(data)])
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert said in refused.stderr
        assert isinstance(refused.exception, SystemExit)


def test_an_operator_is_made_changed_listed_and_removed(run: Run) -> None:
    made = run("operator", "create", "Ada@Example.com", stdin=f"{PASSWORD}\n")
    assert made.stdout.startswith("opr_"), made.stderr
    again = run("operator", "create", "ada@example.com", stdin=f"{PASSWORD}\n")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "already exists" in again.stderr
    listed = run("operator", "list").stdout
    assert "ada@example.com" in listed
    assert "default" in listed
    assert run("operator", "password", "ada@example.com", stdin="another horse battery\n").exit_code == 0
    assert run("operator", "remove", "ADA@example.com").exit_code == 0
    assert "ada@" not in run("operator", "list").stdout
    assert "Operator not found" in run("operator", "remove", "ada@example.com").stderr


@pytest.mark.parametrize("given", ["", "short", "x" * 1001])
def test_a_password_that_will_not_do_makes_nobody(run: Run, given: str) -> None:
    refused = run("operator", "create", "ada@example.com", stdin=f"{given}\n")
    assert refused.exit_code == 1
    assert "must have 12 to 1000 characters" in refused.stderr
    assert "ada@" not in run("operator", "list").stdout


def test_an_email_that_is_none_is_refused(run: Run) -> None:
    assert "email" in run("operator", "create", "ada", stdin=f"{PASSWORD}\n").stderr


def test_nobody_has_no_password() -> None:
    for password in ("", "x", PASSWORD):
        assert not passwords.matches(password, None)
    assert passwords.matches(PASSWORD, passwords.hashed(PASSWORD))
    assert not passwords.matches(f"{PASSWORD} ", passwords.hashed(PASSWORD))
    assert passwords.hashed(PASSWORD).startswith("$argon2id$")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
    ],
)
def test_a_url_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert url_of(host, 80) == url
