"""`meterhouse session`, beside a server that has the data open."""

import asyncio
from pathlib import Path

from typer.testing import CliRunner, Result

from meterhouse.cli import command_line
from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.test_session import URL, browser, until_signed_out


async def run(data: Path, *arguments: str) -> Result:
    command = ["session", *arguments, "--data", str(data)]
    return await asyncio.to_thread(
        lambda: CliRunner(env={"COLUMNS": "200"}).invoke(command_line(), command, catch_exceptions=False)
    )


async def signed_in(service: Service, data: Path) -> tuple[Client, str]:
    """Return a browser and the id of its session: the newest is listed first."""
    client = await browser(service)
    return client, (await service.catalog.sessions.all())[0].id


async def test_a_session_is_listed_and_ended_while_the_server_runs(service: Service, tmp_path: Path) -> None:
    client, id_ = await signed_in(service, tmp_path)
    other, _ = await signed_in(service, tmp_path)
    listed = (await run(tmp_path, "list")).stdout
    assert id_ in listed
    assert "a link" in listed
    ended = await run(tmp_path, "end", id_)
    assert (ended.exit_code, ended.stdout) == (0, "")
    await until_signed_out(client)
    ok(await other.get(URL))
    assert id_ not in (await run(tmp_path, "list")).stdout


async def test_all_sessions_are_ended_at_once(service: Service, tmp_path: Path) -> None:
    clients = [(await signed_in(service, tmp_path))[0] for _ in range(3)]
    assert "3 sessions are ended." in (await run(tmp_path, "end", "--all")).stderr
    for client in clients:
        await until_signed_out(client)


async def test_ending_needs_one_session_or_all(service: Service, tmp_path: Path) -> None:
    _, id_ = await signed_in(service, tmp_path)
    for arguments, sentence in (
        ((), "Give the id"),
        ((id_, "--all"), "Give the id"),
        (("0123456789ab",), "no open session 0123456789ab"),
    ):
        refused = await run(tmp_path, "end", *arguments)
        assert refused.exit_code == 1
        assert sentence in refused.stderr
    assert len(await service.catalog.sessions.all()) == 1
