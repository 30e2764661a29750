"""Every command's help and every setting's error are words for people, without the program's own names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields
from typer.main import get_command
from typer.testing import CliRunner

from meterhouse.cli import command_line
from meterhouse.cli.options import load
from meterhouse.settings import Settings, describe

ALL = command_line()
_INTERNAL = re.compile(
    r"<(?:bool|str|int|float|path|list|NoneType)|\$\.|`\$|msgspec|pydantic|Traceback|\bclass\b"
    r"|\b(?:None|Path|Struct|Meta|ValueError|TypeError)\b|object at 0x"
)


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with the words that call it."""
    command = command or get_command(ALL)
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


COMMANDS = list(commands())
ON_DATA = [
    (path, command)
    for path, command in COMMANDS
    if path not in {("serve",), ("restore",)}  # these two make it
    and any(param.name == "data" for param in command.params)
]


def required(command: Any) -> list[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument" and each.required]
    return ["a@example.com" for _ in arguments]


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_help_names_every_option_and_no_internals(path: tuple[str, ...], command: Any) -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(ALL, [*path, "--help"])
    assert done.exit_code == 0
    assert not _INTERNAL.search(done.stdout), done.stdout
    for param in command.params:
        if param.param_type_name == "option":
            assert param.opts[0] in done.stdout
            assert param.help, f"{param.opts[0]} of {path} says nothing"


@pytest.mark.parametrize(
    "wrong",
    [
        "--nope",
        "nope",
        "key nope",
        "serve --port",
        "export --kind x",
        "demo --rate x",
        "key create --environment x",
    ],
)
def test_a_mistyped_command_is_refused_without_internals(wrong: str) -> None:
    done = CliRunner().invoke(ALL, wrong.split())
    assert done.exit_code == 2
    assert not _INTERNAL.search(done.stderr), done.stderr


def test_the_version_is_printed_alone() -> None:
    done = CliRunner().invoke(ALL, ["--version"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.fullmatch(r"meterhouse \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    ("path", "command"), ON_DATA, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_a_mistyped_data_directory_is_named_and_not_made(
    path: tuple[str, ...], command: Any, tmp_path: Path
) -> None:
    data = tmp_path / "mistyped"
    (tmp_path / "merchant.json").write_text(
        json.dumps({"displayName": "Acme", "legalName": "Acme Inc.", "country": "SE"})
    )
    arguments = [str(tmp_path / "merchant.json")] if path[-1] == "show-as" else required(command)
    done = CliRunner(env={"METERHOUSE_API_KEY": None}).invoke(
        ALL, [*path, *arguments, "--data", str(data)], input="correct horse battery\n"
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{data} is no data directory of Meterhouse" in done.stderr
    assert "meterhouse serve" in done.stderr
    assert not data.exists()


def test_the_commands_that_make_something_can_make_the_directory() -> None:
    able = {path for path, command in COMMANDS if any(param.name == "init" for param in command.params)}
    assert able == {("login",), ("key", "create"), ("operator", "create"), ("provider", "create"),
                    ("provider", "show-as")}  # fmt: skip


def bad_values() -> Iterator[tuple[str, str]]:
    for each in fields(Settings):
        if isinstance(each.default, bool):
            yield from ((each.name, bad) for bad in ("", "yes", "2", "on"))
        elif isinstance(each.default, int):
            yield from (
                (each.name, bad) for bad in ("", "eighty", "-1", "1.5", "٣", "1" * 40, "tcp://10.0.0.1:80")
            )
    yield from (("data", ""), ("host", ""), ("host", "a b"), ("public_url", "meter.example.com"))
    yield from (("public_url", "https://meter.example.com/"), ("public_url", "https://a b"))


@pytest.mark.parametrize(("name", "bad"), [*bad_values()])
def test_a_wrong_setting_is_named_with_its_value_and_what_it_must_be(name: str, bad: str) -> None:
    variable = f"METERHOUSE_{name.upper()}"
    with pytest.raises(ValueError, match="must be") as refused:
        Settings.load({variable: bad}, {})
    said = str(refused.value)
    assert said.startswith(f"{variable} must be ")
    assert repr(bad) in said
    assert not _INTERNAL.search(said), said


@pytest.mark.parametrize("name", ["data", "host", "port"])
def test_a_wrong_flag_is_named_as_it_was_typed(name: str) -> None:
    done = CliRunner().invoke(ALL, ["serve", f"--{name}", "" if name == "data" else "a b"])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"meterhouse: --{name} must be ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("key create --environment prod", "'prod' is not one of 'sandbox', 'live'"),
        ("export --format xml", "'xml' is not one of"),
        ("import a.csv --round 10", "must be at most 9"),
        ("import a.csv --after-line -1", "must be at least 0"),
        ("import a.csv --round many", "must be a whole number"),
    ],
)
def test_a_wrong_value_of_an_option_is_said_in_plain_words(arguments: str, said: str) -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(ALL, arguments.split())
    assert done.exit_code == 2
    assert f"': {said}" in done.stderr
    assert not re.search("Value error|Input should|parse", done.stderr), done.stderr


@pytest.mark.parametrize(
    ("variable", "meant"), [("METERHOUSE_PROT", "METERHOUSE_PORT"), ("METERHOUSE_port ", "METERHOUSE_PORT")]
)
def test_an_unknown_variable_is_named_with_the_one_that_was_meant(variable: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} is not a setting; is it {meant}\\?"):
        Settings.load({variable: "1"}, {})


def test_an_unknown_variable_like_no_other_is_named() -> None:
    with pytest.raises(ValueError, match=r"METERHOUSE_ZZZZ is not a setting\. `meterhouse settings` lists"):
        Settings.load({"METERHOUSE_ZZZZ": "1"}, {})


def test_good_values_are_taken_from_flags_then_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERHOUSE_PORT", "81")
    monkeypatch.setenv("METERHOUSE_LOG_JSON", "TRUE")
    assert (load().port, load(port="82").port, load().log_json) == (81, 82, True)


def test_a_secret_is_never_in_a_complaint() -> None:
    secret = {"METERHOUSE_STRIPE_SECRET_KEY": "sk_live_secret", "METERHOUSE_PORT": "x"}
    with pytest.raises(ValueError, match="METERHOUSE_PORT") as refused:
        Settings.load(secret, {})
    assert "sk_live" not in str(refused.value)
    assert "sk_live" not in repr(Settings.load({"METERHOUSE_STRIPE_SECRET_KEY": "sk_live_secret"}, {}))


def test_every_setting_is_printed_with_unit_and_meaning() -> None:
    done = CliRunner(env={"COLUMNS": "300"}).invoke(ALL, ["settings"])
    assert done.exit_code == 0
    for each in describe():
        assert f"METERHOUSE_{each.name.upper()} " in done.stdout
        assert each.meaning in done.stdout
        assert each.unit
